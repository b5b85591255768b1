package dev.jeton.scheduler;

import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.SequenceEngine;
import dev.jeton.models.engine.SequenceSpec;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * Requests to an engine that batches by itself, and their sequences: those that wait, those that the engine has, and
 * those that have ended and of which it may still tell something. {@link SequenceScheduler} says when something becomes
 * of one; this does it, and keeps queues and counts true together.
 *
 * <p>Owned by the loop's thread.
 */
final class SequenceRuns {

    /** Sequences that have ended and of which an iteration may still be told. */
    private static final int REMEMBERED = 4_096;

    private record Waiting(GenerationState generation, long arrival) {
        static final Comparator<Waiting> ORDER = Comparator.<Waiting>comparingInt(
                        waiting -> waiting.generation().request().priority())
                .thenComparingLong(Waiting::arrival);
    }

    private final SequenceEngine engine;
    private final int contextLength;
    private final LongSupplier clock;
    private final QueuedRequests queued;
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
    /** Sequences that the engine has not ended; others of {@link #running} wait for their readers alone. */
    private int computing;

    /**
     * Without any.
     *
     * @param contextLength tokens of prompt and completion together
     * @param queued requests that wait, counted up by who submits them
     */
    SequenceRuns(SequenceEngine engine, int contextLength, LongSupplier clock, QueuedRequests queued) {
        this.engine = engine;
        this.contextLength = contextLength;
        this.clock = clock;
        this.queued = queued;
    }

    // ---- what there is ----

    /** The request that is next; empty where none waits. */
    Optional<GenerationState> next() {
        return waiting.isEmpty()
                ? Optional.empty()
                : Optional.of(waiting.first().generation());
    }

    int waiting() {
        return waiting.size();
    }

    /** Sequences that were begun, and are not at the end with both the engine and their readers. */
    int running() {
        return running.size();
    }

    /** Sequences that the engine has not ended. */
    int computing() {
        return computing;
    }

    boolean isEmpty() {
        return waiting.isEmpty() && running.isEmpty();
    }

    /** Requests that have not ended. */
    List<GenerationState> generations() {
        return List.copyOf(live.keySet());
    }

    /** The sequences that are running, in the order of their beginning. */
    List<SequenceRun> runs() {
        return List.copyOf(running.values());
    }

    /** The sequences of a request that were begun. */
    List<SequenceRun> of(GenerationState generation) {
        return live.getOrDefault(generation, List.of());
    }

    /** A running sequence; null where there is none of that id. */
    @Nullable
    SequenceRun find(long id) {
        return running.get(id);
    }

    /** One that is running or remembered; null where there is neither. */
    @Nullable
    SequenceRun remembered(long id) {
        return running.getOrDefault(id, gone.get(id));
    }

    // ---- beginning ----

    /** A request waits from now on. */
    void add(GenerationState generation) {
        waiting.add(new Waiting(generation, arrivals++));
        live.put(generation, new ArrayList<>());
    }

    /** Tokens of the prompts that wait. */
    long waitingTokens() {
        return queued.tokens();
    }

    /** The next request waits no more. */
    void takeNext() {
        queued.remove(waiting.removeFirst().generation().request());
    }

    /** Gives a request's sequences to the engine. */
    void begin(GenerationState generation, long now) {
        for (int i = 0; i < generation.request().sequences(); i++) {
            begin(generation, i, now);
        }
        publish(generation, now);
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
        of(generation).add(run);
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

    // ---- end ----

    /** The engine has ended a sequence: what it told may still wait for the reader. */
    void finished(SequenceRun run, FinishReason how, String message) {
        run.finished = true;
        computing--;
        run.message = message;
        run.how = how;
        if (run.ended) {
            forget(run);
        }
    }

    /** Tells the reader that a sequence has ended, and the engine where it has not ended it. */
    void end(SequenceRun run, FinishReason reason, int stopToken, String message) {
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

    private void forget(SequenceRun run) {
        running.remove(run.id);
        gone.put(run.id, run);
    }

    /** Ends a request, whether it waits or runs. */
    void endAll(GenerationState generation, FinishReason reason, String message) {
        long now = clock.getAsLong();
        boolean waited = waiting.removeIf(each -> each.generation() == generation);
        if (waited) {
            queued.remove(generation.request());
            endUnstarted(generation, reason, message, now);
            return;
        }
        for (SequenceRun run : of(generation)) {
            end(run, reason, -1, message);
        }
        publish(generation, now);
    }

    /** Ends a request of which no sequence was begun. */
    void endUnstarted(GenerationState generation, FinishReason reason, String message, long now) {
        generation.endUnstarted(reason, message, now);
        live.remove(generation);
    }

    /** Shows a request's reader what was written for it. */
    void publish(GenerationState generation, long now) {
        generation.publish(now);
        if (generation.ended()) {
            live.remove(generation);
        }
    }

    /** Nobody waits for what the engine will still say of those that run: closing it ends them. */
    void leaveRunning() {
        running.values().forEach(run -> gone.put(run.id, run));
        running.clear();
        computing = 0;
    }

    /** The engine is gone, and all with it. */
    void lose(String message, long now) {
        for (GenerationState generation : generations()) {
            generation.endUnstarted(FinishReason.ERROR, message, now);
        }
        waiting.forEach(each -> queued.remove(each.generation().request()));
        waiting.clear();
        live.clear();
        running.clear();
    }
}
