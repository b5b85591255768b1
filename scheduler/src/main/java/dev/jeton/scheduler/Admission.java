package dev.jeton.scheduler;

import dev.jeton.kvcache.KvCache;

/**
 * Who comes in next, and who has to make room for it.
 *
 * <p>Waiting sequences come in by their order, each whole: with a slot and all blocks that its known tokens need, and
 * with its forks. Where there is no room for the first of them, sequences of worse priority that run are preempted, the
 * one served last first.
 *
 * <p>Owned by the loop's thread.
 */
final class Admission {

    private final Sequences sequences;
    private final KvCache kv;
    private final Bounds bounds;

    Admission(Sequences sequences, KvCache kv, Bounds bounds) {
        this.sequences = sequences;
        this.kv = kv;
        this.bounds = bounds;
    }

    /**
     * Admits sequences in their order while slots and blocks allow, until there is prefill for the next four steps.
     *
     * @param mayPreempt whether no step is in flight
     * @return false where a running sequence must be preempted for one of better priority once no step is in flight:
     *     nothing should be launched until then
     */
    boolean admit(boolean mayPreempt, long now) {
        SequenceQueue running = sequences.running();
        SequenceQueue waiting = sequences.waiting();
        int maxTokens = bounds.maxTokens();
        long backlog = 0;
        for (int i = 0; i < running.size(); i++) {
            Sequence s = running.get(i);
            int left = s.length - 1 - Math.max(s.planned, s.kv.found());
            backlog += Math.clamp(left, 0, maxTokens);
        }
        while (!waiting.isEmpty() && backlog < 4L * maxTokens) {
            Sequence head = waiting.first();
            if (!take(head, now)) {
                if (!outranksLast(head)) {
                    return true;
                }
                if (!mayPreempt) {
                    return false;
                }
                sequences.preempt(running.last(), now);
            } else if (sequences.start(head, now)) {
                backlog += Math.clamp(head.length - head.kv.found(), 1, maxTokens);
            }
        }
        return true;
    }

    /** Gives a sequence and its forks their blocks, if there are slots and blocks for all of them. */
    private boolean take(Sequence head, long now) {
        int unit = 1 + head.forks.size();
        // one block in hand for every running sequence, so that admitting does not mean preempting a step later
        int spare = sequences.withBlocks();
        return spare + unit <= bounds.maxSequences()
                && sequences.unclaimedSlots() >= unit
                && kv.admit(head.kv, head.tokens, head.length, head.usesPrefix(), head.forkKvs(), spare, now);
    }

    /** Whether a head of better priority takes the place of the running sequence served last. */
    private boolean outranksLast(Sequence head) {
        SequenceQueue running = sequences.running();
        return !running.isEmpty() && head.priority() < running.last().priority();
    }
}
