package dev.jeton.scheduler;

import dev.jeton.kvcache.KvCache;
import dev.jeton.kvcache.KvSequence;
import java.util.ArrayList;
import java.util.List;

/**
 * Who comes in next, and who has to make room for it.
 *
 * <p>Waiting sequences come in by their order, each whole: with a slot and all blocks that its known tokens need, and
 * with its forks. Where there is no room for the first of them, sequences of worse priority that run are preempted, the
 * one served last first; but nobody is while even all of them together would not make room.
 *
 * <p>Owned by the loop's thread.
 */
final class Admission {

    private final Sequences sequences;
    private final KvCache kv;
    private final Bounds bounds;
    private final List<KvSequence> leavers = new ArrayList<>();

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
        WaitingQueue waiting = sequences.waiting();
        int maxTokens = bounds.maxTokens();
        long backlog = 0;
        for (int i = 0; i < running.size(); i++) {
            Sequence s = running.get(i);
            int left = s.length - 1 - Math.max(s.planned, s.kv.found());
            backlog += Math.clamp(left, 0, maxTokens);
        }
        while (!waiting.isEmpty() && backlog < 4L * maxTokens) {
            Sequence head = waiting.first();
            if (head.generation.request().allowance().exhausted()) {
                // nothing of it may be computed any more, so nothing is begun
                sequences.end(head, FinishReason.LENGTH, -1, "");
                sequences.publish(head.generation, now);
                continue;
            }
            boolean taken = take(head, now);
            if (!taken && outranksLast(head) && fitsWithoutWorse(head)) {
                if (!mayPreempt) {
                    return false;
                }
                while (!taken && outranksLast(head)) {
                    sequences.preempt(running.last(), now);
                    taken = take(head, now);
                }
            }
            if (!taken) {
                return true;
            }
            if (sequences.start(head, now)) {
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

    /**
     * Whether a head would come in if every running sequence of worse priority made room, and all who have ended had
     * let go of theirs: nobody is preempted for one who does not come in then either. {@link KvCache#admissibleWithout}
     * may be too hopeful where there are several layer groups or windows; otherwise it is exact.
     */
    private boolean fitsWithoutWorse(Sequence head) {
        SequenceQueue running = sequences.running();
        leavers.clear();
        int staying = sequences.withBlocks();
        int slots = sequences.unclaimedSlots() + sequences.retiring().size();
        for (int i = running.size() - 1;
                i >= 0 && head.priority() < running.get(i).priority();
                i--) {
            Sequence worse = running.get(i);
            leavers.add(worse.kv);
            worse.forks.forEach(fork -> leavers.add(fork.kv));
            staying -= 1 + worse.forks.size();
            slots += 1 + worse.forks.size();
        }
        sequences.retiring().forEach(ended -> leavers.add(ended.kv));
        int unit = 1 + head.forks.size();
        boolean fits = staying + unit <= bounds.maxSequences()
                && slots >= unit
                && kv.admissibleWithout(
                        leavers, head.kv, head.tokens, head.length, head.usesPrefix(), head.forks.size(), staying);
        leavers.clear();
        return fits;
    }
}
