package dev.jeton.scheduler;

import dev.jeton.kvcache.KvCache;
import dev.jeton.kvcache.KvSequence;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Who comes in next, and who has to make room for it.
 *
 * <p>Waiting sequences come in by their order, each whole: with a slot and all blocks that its known tokens need, and
 * with its forks; short ones past those that only wait until there is less prefill before them. Where there is no room
 * for the first of them, sequences of worse priority that run are preempted, the one served last first; but nobody is
 * while even all of them together would not make room.
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
     * Admits sequences in their order while slots and blocks allow, until there is prefill for the next four steps;
     * then only those that need not wait for it, since they are served before or beside.
     *
     * @param mayPreempt whether no step is in flight
     * @return false where a running sequence must be preempted for one of better priority once no step is in flight:
     *     nothing should be launched until then
     */
    boolean admit(boolean mayPreempt, long now) {
        for (Sequence head = next(); head != null; head = next()) {
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
                    sequences.preempt(sequences.running().last(), now);
                    taken = take(head, now);
                }
            }
            if (!taken) {
                return true;
            }
            sequences.start(head, now);
        }
        return true;
    }

    /**
     * Who comes in next: the first that waits, or, where there is prefill enough before that one, the first of its
     * priority that is short and does not wait for such prefill.
     */
    private @Nullable Sequence next() {
        WaitingQueue waiting = sequences.waiting();
        if (waiting.isEmpty()) {
            return null;
        }
        Sequence first = waiting.first();
        if (isSoon(first)) {
            return first;
        }
        for (Sequence later : waiting) {
            if (later.priority() != first.priority()) {
                return null;
            }
            if (isShort(later.length)) {
                return isSoon(later) ? later : null;
            }
        }
        return null;
    }

    /** Whether there is prefill for less than four steps before a sequence's own. */
    private boolean isSoon(Sequence head) {
        SequenceQueue running = sequences.running();
        int maxTokens = bounds.maxTokens();
        long before = 0;
        for (int i = 0; i < running.size() && running.get(i).before(head); i++) {
            Sequence s = running.get(i);
            int left = Math.clamp(s.length - 1 - Math.max(s.planned, s.kv.found()), 0, maxTokens);
            // steps keep room for short prompts whatever long ones there are
            before += !isShort(head.length) || isShort(left) ? left : 0;
        }
        return before < 4L * maxTokens;
    }

    private boolean isShort(int tokens) {
        return !bounds.wholePrompts() && tokens <= bounds.maxTokens() / 4;
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
