package dev.jeton.scheduler;

import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.SequenceEngine;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepResult;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicInteger;
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
    /** Sequences that have ended and of which an iteration may still be told. */
    private static final int REMEMBERED = 4_096;

    private record Waiting(GenerationState generation, long arrival) {
        static final Comparator<Waiting> ORDER = Comparator.<Waiting>comparingInt(
                        waiting -> waiting.generation().request().priority())
                .thenComparingLong(Waiting::arrival);
    }

    private final SequenceEngine engine;
    private final EngineInfo info;
    private final SchedulerConfig config;
    private final LongSupplier clock;
    private final SequenceEvents events;
    private final AtomicInteger queued;
    private final int contextLength;
    private final int most;
    private final IterationBooks books;
    private final StepResult one = new StepResult();
    private final TreeSet<Waiting> waiting = new TreeSet<>(Waiting.ORDER);
    private final Map<Long, SequenceRun> running = new LinkedHashMap<>();
    private final Map<Long, SequenceRun> gone = new LinkedHashMap<>() {
        @Override
        protected boolean removeEldestEntry(Map.Entry<Long, SequenceRun> eldest) {
            return size() > REMEMBERED;
        }
    };
    private final Map<GenerationState, List<SequenceRun>> live = new HashMap<>();
    private long arrivals;
    private long ids;
    private long nearestDeadline = Long.MAX_VALUE;
    private DeviceState restState = DeviceState.IDLE;
    private boolean lost;
    /** Sequences that the engine has not ended; others of {@link #running} wait for their readers alone. */
    private int computing;

    SequenceScheduler(
            SequenceEngine engine,
            SchedulerConfig config,
            LongSupplier clock,
            long loadingSince,
            StepListener listener,
            AtomicInteger queued,
            SequenceEvents events) {
        this.engine = engine;
        this.config = config;
        this.clock = clock;
        this.queued = queued;
        this.events = events;
        info = engine.info();
        int context = info.contextLength();
        for (LayerGroup group : info.groups()) {
            context = (int) Math.min(context, (long) group.blockCount() * group.blockSize());
        }
        contextLength = context;
        most = Math.min(config.maxSequences(), info.maxSlots());
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
        waiting.add(new Waiting(generation, arrivals++));
        live.put(generation, new ArrayList<>());
        nearestDeadline = Math.min(nearestDeadline, generation.request().deadlineNanos());
    }

    @Override
    public void obey(GenerationState generation) {
        generation.heard();
        for (int i = 0; i < generation.request().sequences(); i++) {
            if (generation.takeStop(i)) {
                int stopped = i;
                runs(generation).stream()
                        .filter(run -> run.index == stopped)
                        .forEach(run -> end(run, FinishReason.STOP, -1, ""));
                publish(generation, clock.getAsLong());
            }
        }
        if (generation.cancelled()) {
            endAll(generation, FinishReason.CANCELLED, "");
        }
    }

    @Override
    public Quote quote(int[] prompt, long salt) {
        return new Quote(0, running.size(), info.maxTokens(), books.timeModel().coefficients());
    }

    // ---- a turn ----

    @Override
    public boolean turn() {
        long now = clock.getAsLong();
        if (running.isEmpty()) {
            books.book(restState, now);
        }
        expire(now);
        boolean did = hear();
        // an iteration that was told meanwhile ended after the turn began
        now = clock.getAsLong();
        did |= deliver(now);
        did |= begin(now);
        DeviceState next = running.isEmpty() ? restState : computing > 0 ? DeviceState.STEP : DeviceState.STALLED;
        if (next != books.state()) {
            long ended = clock.getAsLong();
            books.book(DeviceState.STALLED, ended);
            books.enter(next, ended);
        }
        return did;
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
        SequenceRun run = running.getOrDefault(events.id, gone.get(events.id));
        if (run != null) {
            books.row(run, events.a, events.b, events.c);
        }
    }

    private void token() {
        SequenceRun run = running.get(events.id);
        if (run == null) {
            return;
        }
        if (run.ended) {
            run.generation.totals.overrunTokens++;
            return;
        }
        GenerationState.Totals totals = run.generation.totals;
        if (totals.firstTokenAt == Long.MIN_VALUE) {
            totals.firstTokenAt = clock.getAsLong();
        }
        run.told(events.a, Float.intBitsToFloat(events.b));
    }

    private void finished() {
        SequenceRun run = running.get(events.id);
        if (run == null) {
            return;
        }
        run.finished = true;
        computing--;
        run.message = events.message;
        run.how = switch (SequenceEngine.Finish.values()[events.a]) {
            case STOP -> FinishReason.STOP;
            case LENGTH -> FinishReason.LENGTH;
            case CANCELLED, FAILED -> FinishReason.ERROR;
        };
        if (run.ended) {
            forget(run);
        }
    }

    private void forget(SequenceRun run) {
        running.remove(run.id);
        gone.put(run.id, run);
    }

    // ---- delivery ----

    private boolean deliver(long now) {
        boolean any = false;
        for (SequenceRun run : List.copyOf(running.values())) {
            int before = run.delivered;
            if (!run.ended) {
                deliver(run, now);
            }
            if (run.delivered > before || run.ended) {
                publish(run.generation, now);
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
                    endAll(generation, FinishReason.STALLED, "the client did not read its stream");
                }
                return;
            }
            if (request.allowance().grant(1) != 1) {
                if (request.allowance().exhausted()) {
                    end(run, FinishReason.LENGTH, -1, "");
                }
                return;
            }
            give(run);
        }
        if (!run.ended && run.finished) {
            end(run, run.how, -1, run.message);
        }
    }

    private void give(SequenceRun run) {
        GenerationRequest request = run.generation.request();
        int token = run.token();
        float logProbability = run.logProbability();
        run.take();
        for (int stop : request.stopTokens()) {
            if (stop == token) {
                end(run, FinishReason.STOP, token, "");
                return;
            }
        }
        one.reset(1);
        one.beginRow(0);
        one.addToken(token, request.sampling().logProbabilities() >= 0 ? logProbability : Float.NaN);
        run.generation.writeToken(run.index, one, 0);
        if (run.delivered >= request.maxTokens() || request.prompt().length + run.delivered >= contextLength) {
            end(run, FinishReason.LENGTH, -1, "");
        }
    }

    // ---- beginning and end ----

    private boolean begin(long now) {
        boolean any = false;
        while (!waiting.isEmpty()) {
            GenerationState generation = waiting.first().generation();
            if (running.size() + generation.request().sequences() > most) {
                break;
            }
            waiting.removeFirst();
            queued.decrementAndGet();
            any = true;
            if (generation.request().allowance().exhausted()) {
                generation.endUnstarted(FinishReason.LENGTH, "", now);
                live.remove(generation);
                continue;
            }
            if (computing == 0) {
                books.enter(DeviceState.STEP, now);
            }
            for (int i = 0; i < generation.request().sequences(); i++) {
                begin(generation, i, now);
            }
            publish(generation, now);
        }
        return any;
    }

    private void begin(GenerationState generation, int index, long now) {
        GenerationRequest request = generation.request();
        SequenceRun run = new SequenceRun(generation, index, ids++);
        SamplingParameters sampling = request.sampling();
        if (index > 0) {
            sampling = sampling.withSeed(sampling.seed() + index * 0x9e3779b97f4a7c15L);
        }
        int[] prompt = request.prompt();
        int tokens = Math.min(request.maxTokens(), contextLength - prompt.length);
        runs(generation).add(run);
        running.put(run.id, run);
        computing++;
        try {
            engine.submit(
                    run.id,
                    new SequenceSpec(
                            sampling.withStopTokens(request.stopTokens()), prompt, prompt.length, prompt.length),
                    tokens,
                    request.priority());
            generation.totals.given = true;
        } catch (EngineException e) {
            run.finished = true;
            computing--;
            end(run, FinishReason.ERROR, -1, String.valueOf(e.getMessage()));
            publish(generation, now);
        }
    }

    private List<SequenceRun> runs(GenerationState generation) {
        return live.getOrDefault(generation, List.of());
    }

    private void end(SequenceRun run, FinishReason reason, int stopToken, String message) {
        if (run.ended) {
            return;
        }
        run.ended = true;
        run.reason = reason;
        run.generation.totals.overrunTokens += run.pending();
        run.generation.writeEnd(run.index, reason, stopToken, message);
        if (run.finished) {
            forget(run);
        } else {
            engine.cancel(run.id);
        }
    }

    private void endAll(GenerationState generation, FinishReason reason, String message) {
        long now = clock.getAsLong();
        boolean waited = waiting.removeIf(each -> each.generation() == generation);
        if (waited) {
            queued.decrementAndGet();
            generation.endUnstarted(reason, message, now);
            live.remove(generation);
            return;
        }
        for (SequenceRun run : runs(generation)) {
            end(run, reason, -1, message);
        }
        publish(generation, now);
    }

    private void publish(GenerationState generation, long now) {
        generation.publish(now);
        if (generation.ended()) {
            live.remove(generation);
        }
    }

    private void expire(long now) {
        if (now < nearestDeadline) {
            return;
        }
        nearestDeadline = Long.MAX_VALUE;
        for (GenerationState generation : List.copyOf(live.keySet())) {
            long deadline = generation.request().deadlineNanos();
            if (deadline <= now) {
                endAll(generation, FinishReason.DEADLINE, "the request's deadline passed");
            } else {
                nearestDeadline = Math.min(nearestDeadline, deadline);
            }
        }
    }

    @Override
    public void endEverything(FinishReason reason, String message) {
        List.copyOf(live.keySet()).forEach(generation -> endAll(generation, reason, message));
        // nobody waits for what the engine will still say of them: closing it ends them
        running.values().forEach(run -> gone.put(run.id, run));
        running.clear();
        computing = 0;
    }

    @Override
    public void loseEverything(String message) {
        long now = clock.getAsLong();
        for (GenerationState generation : List.copyOf(live.keySet())) {
            generation.endUnstarted(FinishReason.ERROR, message, now);
        }
        queued.addAndGet(-waiting.size());
        waiting.clear();
        live.clear();
        running.clear();
        lost = true;
        events.close();
        books.book(DeviceState.STALLED, now);
        restState = DeviceState.DOWN;
        books.enter(DeviceState.DOWN, now);
    }

    @Override
    public boolean idle() {
        return waiting.isEmpty() && running.isEmpty();
    }

    // ---- the device's books ----

    @Override
    public void restState(DeviceState next) {
        long now = clock.getAsLong();
        if (running.isEmpty()) {
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
                running.size(),
                waiting.size(),
                config.maxWaiting(),
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
