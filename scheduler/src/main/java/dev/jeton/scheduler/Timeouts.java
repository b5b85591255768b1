package dev.jeton.scheduler;

import java.util.ArrayList;
import java.util.List;

/**
 * Ends requests that have had their time: their deadline has passed, or their reader does not read.
 *
 * <p>Owned by the loop's thread. Looks at requests only when the nearest deadline has passed.
 */
final class Timeouts {

    private final Sequences sequences;
    private final long stallNanos;
    private long nearestDeadline = Long.MAX_VALUE;

    /**
     * No deadlines yet.
     *
     * @param stallNanos how long a reader may leave its buffer full
     */
    Timeouts(Sequences sequences, long stallNanos) {
        this.sequences = sequences;
        this.stallNanos = stallNanos;
    }

    /** Another request has a deadline, or {@link Long#MAX_VALUE} for none. */
    void watch(long deadline) {
        nearestDeadline = Math.min(nearestDeadline, deadline);
    }

    /** Ends requests whose deadline has passed. */
    void expire(long now) {
        if (now < nearestDeadline) {
            return;
        }
        nearestDeadline = Long.MAX_VALUE;
        expireIn(sequences.running(), now);
        expireIn(sequences.waiting(), now);
    }

    private void expireIn(Iterable<Sequence> queue, long now) {
        List<GenerationState> late = new ArrayList<>();
        for (Sequence sequence : queue) {
            long deadline = sequence.generation.request().deadlineNanos();
            if (deadline <= now) {
                late.add(sequence.generation);
            } else {
                watch(deadline);
            }
        }
        for (GenerationState generation : late) {
            sequences.endAll(generation, FinishReason.DEADLINE, "the request's deadline passed");
        }
    }

    /** Cancels requests whose readers have taken nothing from a full buffer for too long. */
    void endStalled(long now) {
        SequenceQueue running = sequences.running();
        for (int i = running.size() - 1; i >= 0; i--) {
            GenerationState generation = running.get(i).generation;
            if (generation.stalled(now, stallNanos)) {
                sequences.endAll(generation, FinishReason.STALLED, "the client did not read its stream");
                i = running.size();
            }
        }
    }
}
