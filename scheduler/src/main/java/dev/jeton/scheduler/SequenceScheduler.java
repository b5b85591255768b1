package dev.jeton.scheduler;

import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.SequenceEngine;
import dev.jeton.models.engine.StepResult;
import java.util.Optional;
import java.util.function.LongSupplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Requests over an engine that batches by itself: hands sequences to it in the order of their priority and arrival, as
 * many as it runs at a time, and gives readers what it tells.
 *
 * <p><b>Grants.</b> Such an engine cannot be asked for one token more. So what it tells is kept back until its
 * sequence's allowance grants it, and a sequence whose allowance is exhausted is cancelled. What was computed of it and
 * not delivered, at most what was kept back and {@link SequenceEngine#maxOverrun}, is counted as overrun and never in
 * its usage. Time of iterations after its end is the house's; that of tokens which were told before it is booked as
 * decoding, since nobody could know then that they would not be granted.
 *
 * <p><b>Time.</b> Each iteration's span is divided over its rows by {@link Attribution} as a step's is. Between spans
 * the device is stalled while sequences run and idle otherwise. It is said to step while the engine has sequences, and
 * not while readers only take what was told, or that time would be the next iteration's. Spans that the engine tells
 * late begin where the books end.
 *
 * <p>Owned by the loop's thread.
 */
final class SequenceScheduler implements Turns {

    private static final Logger LOG = LoggerFactory.getLogger(SequenceScheduler.class);

    private final SequenceEngine engine;
    private final EngineInfo info;
    private final SchedulerConfig config;
    private final LongSupplier clock;
    private final SequenceEvents events;
    private final int contextLength;
    private final int most;
    private final IterationBooks books;
    private final StepResult one = new StepResult();
    private final SequenceRuns sequences;
    private long nearestDeadline = Long.MAX_VALUE;
    private DeviceState restState = DeviceState.IDLE;
    private boolean lost;

    SequenceScheduler(
            SequenceEngine engine,
            SchedulerConfig config,
            LongSupplier clock,
            long loadingSince,
            StepListener listener,
            QueuedRequests queued,
            SequenceEvents events) {
        this.engine = engine;
        this.config = config;
        this.clock = clock;
        this.events = events;
        info = engine.info();
        int context = info.contextLength();
        for (LayerGroup group : info.groups()) {
            context = (int) Math.min(context, (long) group.blockCount() * group.blockSize());
        }
        contextLength = context;
        most = Math.min(config.maxSequences(), info.maxSlots());
        sequences = new SequenceRuns(engine, contextLength, clock, queued);
        books = new IterationBooks(loadingSince, listener);
        long now = clock.getAsLong();
        books.book(DeviceState.LOADING, now);
        books.enter(restState, now);
        engine.start(events);
    }

    @Override
    public int contextLength() {
        return contextLength;
    }

    @Override
    public void check(GenerationRequest request) {
        if (request.pooled() || request.promptLogProbabilities() || request.maxTokens() == 0) {
            throw new RejectedException(
                    RejectedException.Reason.UNSUPPORTED,
                    "the engine '%s' generates tokens, and says nothing of prompts".formatted(info.name()));
        }
        if (request.adapter() != 0) {
            throw new RejectedException(
                    RejectedException.Reason.UNSUPPORTED, "the engine '%s' has no adapters".formatted(info.name()));
        }
        GrammarMasks.check(request, info);
        int prompt = request.prompt().length;
        if (prompt + 1 > contextLength) {
            throw new RejectedException(
                    RejectedException.Reason.TOO_LARGE,
                    "the prompt has %d tokens; prompt and completion together have room for %d"
                            .formatted(prompt, contextLength));
        }
        if (request.sequences() > most) {
            throw new RejectedException(
                    RejectedException.Reason.TOO_LARGE,
                    "n is %d: this server runs at most %d sequences at once".formatted(request.sequences(), most));
        }
    }

    @Override
    public void submit(GenerationState generation) {
        sequences.add(generation);
        nearestDeadline = Math.min(nearestDeadline, generation.request().deadlineNanos());
    }

    @Override
    public void obey(GenerationState generation) {
        generation.heard();
        for (int i = 0; i < generation.request().sequences(); i++) {
            if (generation.takeStop(i)) {
                int stopped = i;
                sequences.of(generation).stream()
                        .filter(run -> run.index == stopped)
                        .forEach(run -> sequences.end(run, FinishReason.STOP, -1, ""));
                sequences.publish(generation, clock.getAsLong());
            }
        }
        if (generation.cancelled()) {
            sequences.endAll(generation, FinishReason.CANCELLED, "");
        }
    }

    @Override
    public Quote quote(int[] prompt, long salt, int adapter) {
        return new Quote(
                0, sequences.running(), info.maxTokens(), books.timeModel().coefficients());
    }

    // ---- a turn ----

    @Override
    public boolean turn() {
        long now = clock.getAsLong();
        if (sequences.running() == 0) {
            books.book(restState, now);
        }
        expire(now);
        boolean did = hear();
        // an iteration that was told meanwhile ended after the turn began
        now = clock.getAsLong();
        did |= deliver(now);
        did |= begin(now);
        DeviceState next = nextState();
        if (next != books.state()) {
            long ended = clock.getAsLong();
            books.book(DeviceState.STALLED, ended);
            books.enter(next, ended);
        }
        return did;
    }

    private DeviceState nextState() {
        if (sequences.running() == 0) {
            return restState;
        }
        return sequences.computing() > 0 ? DeviceState.STEP : DeviceState.STALLED;
    }

    private boolean hear() {
        boolean any = false;
        while (events.poll()) {
            any = true;
            switch (events.kind) {
                case ROW -> row();
                case ITERATION -> books.iteration(events.id, events.until);
                case TOKEN -> token();
                case FINISHED -> finished();
                case LOST -> throw new EngineException(events.message);
            }
        }
        return any;
    }

    private void row() {
        SequenceRun run = sequences.remembered(events.id);
        if (run != null) {
            books.row(run, events.a, events.b, events.c);
        }
    }

    private void token() {
        SequenceRun run = sequences.find(events.id);
        if (run == null) {
            return;
        }
        if (run.ended) {
            run.generation.totals.overrunTokens++;
            return;
        }
        GenerationTotals totals = run.generation.totals;
        if (totals.firstTokenAt == Long.MIN_VALUE) {
            totals.firstTokenAt = clock.getAsLong();
        }
        run.told(events.a, Float.intBitsToFloat(events.b));
    }

    private void finished() {
        SequenceRun run = sequences.find(events.id);
        if (run == null) {
            return;
        }
        FinishReason how = switch (SequenceEngine.Finish.values()[events.a]) {
            case STOP -> FinishReason.STOP;
            case LENGTH -> FinishReason.LENGTH;
            case CANCELLED, FAILED -> FinishReason.ERROR;
        };
        sequences.finished(run, how, events.message);
    }

    // ---- delivery ----

    private boolean deliver(long now) {
        boolean any = false;
        for (SequenceRun run : sequences.runs()) {
            int before = run.delivered;
            if (!run.ended) {
                deliver(run, now);
            }
            if (run.delivered > before || run.ended) {
                sequences.publish(run.generation, now);
            }
            any |= run.delivered > before;
        }
        return any;
    }

    private void deliver(SequenceRun run, long now) {
        GenerationState generation = run.generation;
        GenerationRequest request = generation.request();
        while (!run.ended && run.pending() > 0) {
            if (!generation.roomForOneMore(now)) {
                if (generation.stalled(now, config.stallNanos())) {
                    sequences.endAll(generation, FinishReason.STALLED, "the client did not read its stream");
                }
                return;
            }
            if (request.allowance().grant(1) != 1) {
                if (request.allowance().exhausted()) {
                    sequences.end(run, FinishReason.LENGTH, -1, "");
                }
                return;
            }
            give(run);
        }
        if (!run.ended && run.finished) {
            sequences.end(run, run.how, -1, run.message);
        }
    }

    private void give(SequenceRun run) {
        GenerationRequest request = run.generation.request();
        int token = run.token();
        float logProbability = run.logProbability();
        run.take();
        for (int stop : request.stopTokens()) {
            if (stop == token) {
                sequences.end(run, FinishReason.STOP, token, "");
                return;
            }
        }
        one.reset(1);
        one.beginRow(0);
        one.addToken(token, request.sampling().logProbabilities() >= 0 ? logProbability : Float.NaN);
        run.generation.writeToken(run.index, one, 0, 0, (byte) 0);
        if (run.delivered >= request.maxTokens() || request.prompt().length + run.delivered >= contextLength) {
            sequences.end(run, FinishReason.LENGTH, -1, "");
        }
    }

    // ---- beginning, and end in time ----

    private boolean begin(long now) {
        boolean any = false;
        for (Optional<GenerationState> next = sequences.next(); next.isPresent(); next = sequences.next()) {
            GenerationState generation = next.get();
            if (sequences.running() + generation.request().sequences() > most) {
                break;
            }
            sequences.takeNext();
            any = true;
            if (generation.request().allowance().exhausted()) {
                sequences.endUnstarted(generation, FinishReason.LENGTH, "", now);
                continue;
            }
            if (sequences.computing() == 0) {
                books.enter(DeviceState.STEP, now);
            }
            sequences.begin(generation, now);
        }
        return any;
    }

    private void expire(long now) {
        if (now < nearestDeadline) {
            return;
        }
        nearestDeadline = Long.MAX_VALUE;
        for (GenerationState generation : sequences.generations()) {
            long deadline = generation.request().deadlineNanos();
            if (deadline <= now) {
                sequences.endAll(generation, FinishReason.DEADLINE, "the request's deadline passed");
            } else {
                nearestDeadline = Math.min(nearestDeadline, deadline);
            }
        }
    }

    @Override
    public void endEverything(FinishReason reason, String message) {
        sequences.generations().forEach(generation -> sequences.endAll(generation, reason, message));
        sequences.leaveRunning();
    }

    @Override
    public void loseEverything(String message) {
        long now = clock.getAsLong();
        sequences.lose(message, now);
        lost = true;
        events.close();
        books.book(DeviceState.STALLED, now);
        restState = DeviceState.DOWN;
        books.enter(DeviceState.DOWN, now);
    }

    @Override
    public boolean idle() {
        return sequences.isEmpty();
    }

    // ---- the device's books ----

    @Override
    public void restState(DeviceState next) {
        long now = clock.getAsLong();
        if (sequences.running() == 0) {
            books.book(restState, now);
            books.enter(next, now);
        }
        restState = next;
    }

    @Override
    public DispatcherStats stats() {
        long[] states = new long[DeviceState.values().length];
        books.timeline().copyTo(states);
        return new DispatcherStats(
                sequences.running(),
                sequences.waiting(),
                config.maxWaiting(),
                sequences.waitingTokens(),
                0,
                0,
                0,
                0,
                0,
                books.counters().steps,
                books.counters().rows,
                books.counters().prefillTokens,
                books.counters().decodeTokens,
                0,
                books.counters().overrunTokens,
                0,
                0,
                0,
                0,
                0,
                0,
                0,
                HostTierStats.NONE,
                states);
    }

    /** The device's books. */
    DeviceTimeline timeline() {
        return books.timeline();
    }

    /** Closes the engine, and books what it did until then. */
    @Override
    public void close() {
        events.close();
        engine.close();
        if (!lost) {
            try {
                hear();
            } catch (EngineException e) {
                LOG.warn("the engine was lost while it was closed: {}", e.getMessage());
            }
        }
        long now = clock.getAsLong();
        books.book(books.state() == DeviceState.STEP ? DeviceState.STALLED : books.state(), now);
        // or whoever hears of states waits for a step that never lands
        books.enter(restState, now);
    }
}
