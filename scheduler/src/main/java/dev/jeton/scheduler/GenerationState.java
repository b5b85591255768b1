package dev.jeton.scheduler;

import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.StepResult;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A request under way, seen from both sides: a single-producer, single-consumer ring of events between the step loop,
 * which writes, and the request's reader.
 *
 * <p>The ring keeps one place per sequence for its end, so that an end can always be told; tokens use the others. The
 * loop publishes once per step: it writes events, then moves {@code tail} (release), then wakes the reader if it is
 * parked. Usage is written by the loop before the event that makes it visible.
 *
 * <p>The other way there are flags: the reader sets what it wants and then {@linkplain #tell tells} the loop, which
 * clears {@code told} before it looks at them. So a request has at most one message under way, and none is lost.
 */
final class GenerationState implements Generation {

    /** The token was drafted before it was sampled. */
    static final byte DRAFTED = 1;
    /** The same, as the client predicted. */
    static final byte PREDICTED = 3;

    private static final FinishReason[] REASONS = FinishReason.values();

    private final GenerationRequest request;
    private final Runnable onEnd;
    private final Consumer<GenerationState> onTell;
    /** Whether it is on its way to the loop, which has not looked at it yet. */
    private final AtomicBoolean told = new AtomicBoolean();
    /** Sequences to stop: written before {@code told} is exchanged by the reader, read after it is by the loop. */
    private final boolean[] stops;

    private final int mask;
    private final int tokenPlaces;
    private final int[] sequence;
    private final int[] token;
    private final float[] logProbability;
    private final long[] nanos;
    private final byte[] end;
    /** Of tokens: {@link #DRAFTED} and {@link #PREDICTED}, or 0. */
    private final byte[] drafted;

    private final int topPlaces;
    private final int[] topCount;
    private final int[] topTokens;
    private final float[] topLogProbabilities;
    private final @Nullable String[] messages;
    private final boolean[] ended;

    private volatile long tail;
    private volatile long head;
    private volatile @Nullable Thread waiting;
    private volatile boolean cancelled;
    /** The request below it in the {@link Inbox}; whoever has that in hand owns this. */
    @Nullable
    GenerationState below;

    private boolean begun;
    private long written;
    private int endsWritten;
    private int endsTaken;
    /** Sequences of which the reader wants no more; the reader's, as the two below are. */
    private final boolean[] stopped;
    /** Tokens of those that the loop had written before it heard of it. */
    private int discardedTokens;

    /** Of those, drafts, and those that were predicted. */
    private int discardedDrafts;

    private int discardedPredicted;
    private long discardedNanos;
    private int samplesInFlight;
    private long fullSince = Long.MAX_VALUE;
    private long headWhenFull;

    /** Written by the loop only; read by others after an event that follows. */
    final GenerationTotals totals = new GenerationTotals();

    private PromptLogProbabilities promptLogProbabilities = PromptLogProbabilities.NONE;
    private float[] pooled = new float[0];

    /**
     * A request that the loop has not heard of; {@link #tell} changes that.
     *
     * @param ringCapacity most events buffered for its reader
     * @param onEnd called by the loop once the end of every sequence is written
     * @param onTell has the loop look at it, which is to call {@link #heard} first; any thread, never more than once
     *     until then
     */
    GenerationState(
            GenerationRequest request,
            int ringCapacity,
            long submittedAt,
            Runnable onEnd,
            Consumer<GenerationState> onTell) {
        this.request = request;
        this.onEnd = onEnd;
        this.onTell = onTell;
        long wanted = Math.min(ringCapacity, (long) request.sequences() * request.maxTokens() + 1);
        int capacity = Integer.highestOneBit((int) Math.max(2, wanted + request.sequences()) * 2 - 1);
        mask = capacity - 1;
        tokenPlaces = capacity - request.sequences();
        sequence = new int[capacity];
        token = new int[capacity];
        logProbability = new float[capacity];
        nanos = new long[capacity];
        end = new byte[capacity];
        drafted = new byte[capacity];
        topPlaces = Math.max(0, request.sampling().logProbabilities());
        topCount = new int[topPlaces > 0 ? capacity : 0];
        topTokens = new int[topPlaces * capacity];
        topLogProbabilities = new float[topPlaces * capacity];
        messages = new String[request.sequences()];
        ended = new boolean[request.sequences()];
        stops = new boolean[request.sequences()];
        stopped = new boolean[request.sequences()];
        totals.submittedAt = submittedAt;
    }

    GenerationRequest request() {
        return request;
    }

    // ---- the loop's side ----

    /** The loop looks at it now: whatever is told from now on is told anew. */
    void heard() {
        // an exchange and not a write, so that the loop sees what those wrote who found it set
        told.getAndSet(false);
    }

    /** Whether the loop takes it for the first time. */
    boolean begin() {
        boolean first = !begun;
        begun = true;
        return first;
    }

    /** Whether nobody wants any more of it. */
    boolean cancelled() {
        return cancelled;
    }

    /** Whether the reader has wanted a sequence to stop since this was last asked. */
    boolean takeStop(int sequenceIndex) {
        if (!stops[sequenceIndex]) {
            // left alone: the reader may be setting it, and tells the loop afterwards
            return false;
        }
        stops[sequenceIndex] = false;
        return true;
    }

    /** A step is about to be launched that samples up to so many tokens for one of the sequences. */
    void expectSamples(int most) {
        samplesInFlight += most;
    }

    /** Such a step has landed. */
    void samplesLanded(int most) {
        samplesInFlight -= most;
    }

    /** Tokens that would find room, after those that steps in flight may bring to any of the sequences. */
    int room() {
        return (int) Math.max(0, tokenPlaces - (written - head) - samplesInFlight);
    }

    /** Whether a token would find room after those that steps in flight will bring to any of the sequences. */
    boolean roomForOneMore(long now) {
        long taken = head;
        if (written - taken + samplesInFlight < tokenPlaces) {
            fullSince = Long.MAX_VALUE;
            return true;
        }
        if (fullSince == Long.MAX_VALUE || taken != headWhenFull) {
            fullSince = now;
            headWhenFull = taken;
        }
        return false;
    }

    /** Whether the ring was full {@code nanos} ago and nothing has been taken since. */
    boolean stalled(long now, long nanos) {
        return fullSince != Long.MAX_VALUE && now - fullSince > nanos && head == headWhenFull;
    }

    /** Whether the end of every sequence was written. */
    boolean ended() {
        return endsWritten == request.sequences();
    }

    /**
     * Writes a token with its alternatives; visible after {@link #publish}.
     *
     * @param tokenNanos device time that it took the tenant's money to compute, which is the house's if it turns out
     *     that nobody wants it; 0 where that is not known of single tokens
     * @param draft {@link #DRAFTED} or {@link #PREDICTED} where it was, else 0
     */
    void writeToken(int sequenceIndex, StepResult result, int index, long tokenNanos, byte draft) {
        int place = (int) (written++ & mask);
        sequence[place] = sequenceIndex;
        token[place] = result.tokens[index];
        logProbability[place] = result.logProbabilities[index];
        nanos[place] = tokenNanos;
        drafted[place] = draft;
        end[place] = 0;
        if (topPlaces > 0) {
            int count = Math.min(topPlaces, result.topCount[index]);
            topCount[place] = count;
            int from = index * SamplingParameters.MAX_LOG_PROBABILITIES;
            System.arraycopy(result.topTokens, from, topTokens, place * topPlaces, count);
            System.arraycopy(result.topLogProbabilities, from, topLogProbabilities, place * topPlaces, count);
        }
        totals.completionTokens++;
    }

    /** Writes a sequence's end; {@code stopToken} is -1 where no stop token ended it. */
    void writeEnd(int sequenceIndex, FinishReason reason, int stopToken, String message) {
        int place = (int) (written++ & mask);
        sequence[place] = sequenceIndex;
        token[place] = stopToken;
        logProbability[place] = Float.NaN;
        nanos[place] = 0;
        end[place] = (byte) (reason.ordinal() + 1);
        if (topPlaces > 0) {
            topCount[place] = 0;
        }
        messages[sequenceIndex] = message;
        totals.completionTokens += stopToken >= 0 ? 1 : 0;
        ended[sequenceIndex] = true;
        if (++endsWritten == request.sequences()) {
            onEnd.run();
        }
    }

    /** Makes what was written visible and wakes the reader. */
    void publish(long now) {
        if (written == tail) {
            return;
        }
        totals.lastEventAt = now;
        tail = written;
        Thread reader = waiting;
        if (reader != null) {
            waiting = null;
            LockSupport.unpark(reader);
        }
    }

    /** Tells the end of every sequence that has not ended, without touching any scheduler state. */
    void endUnstarted(FinishReason reason, String message, long now) {
        for (int i = 0; i < request.sequences(); i++) {
            if (!ended[i]) {
                writeEnd(i, reason, -1, message);
            }
        }
        publish(now);
    }

    void pooled(float[] value) {
        pooled = value;
    }

    void promptLogProbabilities(PromptLogProbabilities value) {
        promptLogProbabilities = value;
    }

    // ---- the reader's side ----

    @Override
    public String id() {
        return request.id();
    }

    @Override
    public boolean next(GenerationEvent event) throws InterruptedException {
        while (!poll(event)) {
            if (done()) {
                return false;
            }
            waiting = Thread.currentThread();
            if (head == tail) {
                LockSupport.park(this);
            }
            waiting = null;
            if (Thread.interrupted()) {
                throw new InterruptedException("reader of request " + id() + " was interrupted");
            }
        }
        return true;
    }

    @Override
    public boolean poll(GenerationEvent event) {
        long until = tail;
        long at = afterDiscarded(until);
        if (at == until) {
            return false;
        }
        int place = (int) (at & mask);
        event.sequence = sequence[place];
        event.token = token[place];
        event.logProbability = logProbability[place];
        event.finished = end[place] != 0;
        event.topCount = topPlaces > 0 ? topCount[place] : 0;
        System.arraycopy(topTokens, place * topPlaces, event.topTokens, 0, event.topCount);
        System.arraycopy(topLogProbabilities, place * topPlaces, event.topLogProbabilities, 0, event.topCount);
        event.message = "";
        if (event.finished) {
            event.reason = REASONS[end[place] - 1];
            String message = messages[event.sequence];
            event.message = message == null ? "" : message;
            endsTaken++;
            if (stopped[event.sequence] && event.token >= 0) {
                event.token = -1;
                discardedTokens++;
            }
        }
        head = at + 1;
        return true;
    }

    /**
     * Passes over tokens of stopped sequences, up to what was seen of the ring: of what has come since, more may be.
     */
    private long afterDiscarded(long until) {
        long at = head;
        long from = at;
        for (; at != until; at++) {
            int place = (int) (at & mask);
            if (end[place] != 0 || !stopped[sequence[place]]) {
                break;
            }
            discardedTokens++;
            discardedNanos += nanos[place];
            discardedDrafts += drafted[place] & 1;
            discardedPredicted += drafted[place] >> 1;
        }
        if (at != from) {
            head = at;
        }
        return at;
    }

    @Override
    public boolean done() {
        return endsTaken == request.sequences();
    }

    @Override
    public void stop(int sequenceIndex) {
        stopped[sequenceIndex] = true;
        stops[sequenceIndex] = true;
        tell();
    }

    @Override
    public void cancel() {
        if (!cancelled) {
            cancelled = true;
            tell();
        }
    }

    /** Has the loop look at it, unless it is about to; any thread, which never waits. */
    void tell() {
        if (!told.getAndSet(true)) {
            onTell.accept(this);
        }
    }

    @Override
    public float[] pooled() {
        return pooled;
    }

    @Override
    public PromptLogProbabilities promptLogProbabilities() {
        return promptLogProbabilities;
    }

    @Override
    public GenerationUsage usage() {
        long visible = tail;
        GenerationTotals t = totals;
        long end = Math.max(t.lastEventAt, t.submittedAt);
        long firstStep = t.firstStepAt == Long.MIN_VALUE ? end : t.firstStepAt;
        long firstToken = t.firstTokenAt == Long.MIN_VALUE ? end : t.firstTokenAt;
        assert visible >= 0;
        return new GenerationUsage(
                t.given ? request.prompt().length : 0,
                t.given ? t.cachedTokens : 0,
                t.completionTokens - discardedTokens,
                t.overrunTokens + discardedTokens,
                t.recomputedTokens,
                t.preemptions,
                firstStep - t.submittedAt,
                firstToken - firstStep,
                end - firstToken,
                end - t.submittedAt,
                t.tenantNanos - discardedNanos,
                discardedNanos,
                t.kvBlockNanos,
                t.given ? t.savedNanos : 0,
                new GenerationUsage.Drafts(
                        t.drafts,
                        t.acceptedDrafts - discardedDrafts,
                        t.predicted,
                        t.acceptedPredicted - discardedPredicted));
    }
}
