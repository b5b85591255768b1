package dev.jeton.scheduler;

import dev.jeton.kvcache.BlockTable;
import dev.jeton.kvcache.KvCache;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepTimeModel;
import dev.jeton.models.engine.TokenGrammar;

/**
 * Decides what the next step computes.
 *
 * <p>Waiting sequences are admitted first, since that may preempt. Then comes the next token of every running sequence,
 * in their order; then as much prefill as the token budget leaves, in the same order, with one exception: prompts that
 * are short beside the budget may claim up to half of it even where long ones are before them, so that a long prompt
 * does not make everybody wait. A sequence is left out while its reader has no room, its allowance no grant, or its
 * next block is being computed by another or loaded.
 *
 * <p>A next token may come with drafts of those after it, as {@link DraftPlanner} says.
 *
 * <p>Prompts that must stay whole are taken in their order as long as the budget has room for them; one that has not
 * goes first in the next step, since a step has room for any.
 *
 * <p>Where a running sequence needs a block and none is left, the sequence served last is preempted, which may be
 * itself; while a step is in flight, or a block is only being copied to the other tier, it is left out instead, and
 * planned after that has landed.
 *
 * <p>Owned by the loop's thread. Cost: one pass over the running sequences, no allocation once the batch has grown.
 */
final class StepPlanner {

    private static final int LEAST_CHUNK = 16;

    private final Sequences sequences;
    private final Admission admission;
    private final DraftPlanner drafts;
    private final Timeouts timeouts;
    private final KvCache kv;
    private final StepTimeModel timeModel;
    private final Bounds bounds;
    private final long stepTargetNanos;
    private boolean inFlight;

    /**
     * Plans for one engine.
     *
     * @param stepTargetNanos while sequences decode, prefill is cut so that a predicted step stays below this; 0 is off
     */
    StepPlanner(
            Sequences sequences,
            Admission admission,
            DraftPlanner drafts,
            Timeouts timeouts,
            KvCache kv,
            StepTimeModel timeModel,
            Bounds bounds,
            long stepTargetNanos) {
        this.sequences = sequences;
        this.admission = admission;
        this.drafts = drafts;
        this.timeouts = timeouts;
        this.kv = kv;
        this.timeModel = timeModel;
        this.bounds = bounds;
        this.stepTargetNanos = stepTargetNanos;
    }

    /**
     * Fills a flight with rows.
     *
     * @param inFlight whether an earlier step is in flight still, so that nobody can be preempted
     * @return false if no sequence can do anything now
     */
    boolean plan(StepApplier.Flight flight, boolean inFlight, long now) {
        this.inFlight = inFlight;
        flight.clear();
        if (!admission.admit(!inFlight, now)) {
            return false;
        }
        planDecodes(flight, now);
        int budget = Math.min(bounds.maxTokens() - flight.batch.tokenCount(), prefillBudget(flight));
        planPrefills(flight, budget, now);
        timeouts.endStalled(now);
        return flight.batch.rows() > 0;
    }

    // ---- decodes ----

    private void planDecodes(StepApplier.Flight flight, long now) {
        SequenceQueue running = sequences.running();
        drafts.begin(running);
        // each row is one token; there may be more of them than the budget where readers that were slow read again
        int most = Math.min(bounds.maxSequences(), bounds.maxTokens());
        for (int i = 0; i < running.size() && flight.batch.rows() < most; i++) {
            Sequence sequence = running.get(i);
            if (sequence.prefilling() || !mayDecode(sequence, now) || !findBlock(sequence, now)) {
                continue;
            }
            if (spend(sequence)) {
                addDecode(flight, sequence, now);
            } else if (endIfExhausted(sequence, now)) {
                i--;
            }
        }
    }

    private boolean mayDecode(Sequence sequence, long now) {
        int promised = sequence.promised();
        return sequence.draftsInFlight() == 0
                && sequence.planned == promised - 1
                && promised - sequence.promptLength()
                        < sequence.generation.request().maxTokens()
                && promised < bounds.contextLength()
                && !drafts.waits(sequence)
                && sequence.generation.roomForOneMore(now);
    }

    private boolean findBlock(Sequence sequence, long now) {
        while (!kv.extend(sequence.kv, sequence.planned + 1, now)) {
            if (inFlight || kv.extendableLater(sequence.kv, sequence.planned + 1)) {
                return false;
            }
            SequenceQueue running = sequences.running();
            Sequence victim = running.last();
            sequences.preempt(victim, now);
            if (victim == sequence) {
                return false;
            }
        }
        return true;
    }

    /** A sequence whose allowance will never grant again has reached its length. */
    private boolean endIfExhausted(Sequence sequence, long now) {
        if (sequence.rowsInFlight > 0
                || !sequence.generation.request().allowance().exhausted()) {
            return false;
        }
        sequences.end(sequence, FinishReason.LENGTH, -1, "");
        sequences.publish(sequence.generation, now);
        return true;
    }

    private static boolean spend(Sequence sequence) {
        return sequence.generation.request().allowance().grant(1) == 1;
    }

    private void addDecode(StepApplier.Flight flight, Sequence sequence, long now) {
        StepBatch batch = flight.batch;
        int flags = sampling(sequence);
        int drafted = 0;
        if (sequence.samplesInFlight > 0) {
            batch.addLastTokenRow(sequence.slot, flags, sequence.planned);
        } else {
            drafted = draft(sequence, now);
            flags |= drafted > 0 && sequence.cursor != null ? StepBatch.MASKED : 0;
            int row = batch.addRow(
                    sequence.slot, flags, sequence.planned, sequence.tokens, sequence.planned, 1 + drafted);
            batch.drafts[row] = drafted;
        }
        finishRow(flight, sequence, 1 + drafted, 1 + drafted);
    }

    /**
     * Drafts that stand behind the sequence's tokens, have blocks and were granted. Nobody is preempted for them, now
     * or a step later: they leave a block for every running sequence.
     */
    private int draft(Sequence sequence, long now) {
        int drafted = drafts.draft(sequence);
        int spare = sequences.withBlocks();
        if (drafted > 0 && !kv.extend(sequence.kv, sequence.planned + 1 + drafted, spare, now)) {
            drafted = kv.room(sequence.kv) - sequence.planned - 1;
        }
        if (drafted > 0) {
            drafted = sequence.generation.request().allowance().lend(drafted);
        }
        if (drafted > 0) {
            drafts.took(sequence, drafted);
        }
        return drafted;
    }

    /** Where its text stands is not known while a sample of it is in flight: then its mask may turn out to be none. */
    private static int sampling(Sequence sequence) {
        TokenGrammar.Cursor cursor = sequence.cursor;
        boolean free = cursor == null || sequence.samplesInFlight == 0 && cursor.free();
        return free ? StepBatch.SAMPLE : StepBatch.SAMPLE | StepBatch.MASKED;
    }

    // ---- prefills ----

    /** Tokens that prefill may take of this step without making those who decode wait past the target. */
    private int prefillBudget(StepApplier.Flight flight) {
        if (stepTargetNanos == 0 || flight.batch.rows() == 0 || timeModel.perToken() <= 0) {
            return Integer.MAX_VALUE;
        }
        double left = stepTargetNanos - timeModel.base() - timeModel.perKvToken() * flight.kvTokens;
        double tokens = left / timeModel.perToken() - flight.batch.tokenCount();
        return (int) Math.max(LEAST_CHUNK, Math.min(tokens, bounds.maxTokens()));
    }

    private void planPrefills(StepApplier.Flight flight, int budget, long now) {
        SequenceQueue running = sequences.running();
        int shortDemand = 0;
        for (int i = 0; i < running.size(); i++) {
            Sequence sequence = running.get(i);
            if (sequence.prefilling()) {
                catchUp(sequence, now);
                int want = want(sequence);
                shortDemand += want <= budget / 4 ? want : 0;
            }
        }
        int left = budget;
        int reserved = Math.min(shortDemand, budget / 2);
        for (int i = 0; i < running.size() && left > 0 && flight.batch.rows() < bounds.maxSequences(); i++) {
            Sequence sequence = running.get(i);
            if (!sequence.prefilling()) {
                continue;
            }
            if (endIfExhausted(sequence, now)) {
                i--;
                continue;
            }
            int want = want(sequence);
            boolean isShort = want <= budget / 4;
            int count = Math.min(want, isShort ? left : left - reserved);
            if (bounds.wholePrompts()) {
                count = want <= left ? want : 0;
            }
            if (isShort) {
                reserved = Math.max(0, reserved - want);
            }
            left -= addPrefill(flight, sequence, count, now);
        }
    }

    /** Takes over what others have computed of its prefix since. */
    private void catchUp(Sequence sequence, long now) {
        if (sequence.rowsInFlight == 0) {
            kv.advance(sequence.kv);
            sequence.planned = Math.max(sequence.planned, sequence.kv.computed());
            sequences.forkIfReady(sequence, now);
        }
    }

    private int want(Sequence sequence) {
        int left = sequence.prefillEnd() - sequence.planned;
        return left <= 0 ? 0 : kv.computable(sequence.kv, sequence.planned, left);
    }

    private int addPrefill(StepApplier.Flight flight, Sequence sequence, int most, long now) {
        int count = most;
        GenerationRequest request = sequence.generation.request();
        boolean sample = sequence.planned + count == sequence.length && request.maxTokens() > 0;
        if (sample && !(sequence.generation.roomForOneMore(now) && spend(sequence))) {
            sample = false;
            count--;
        }
        if (count <= 0) {
            return 0;
        }
        int flags = sample ? sampling(sequence) : 0;
        boolean scored = request.promptLogProbabilities() && sequence.planned < sequence.promptLength();
        flags |= request.pooled() && sequence.planned + count == sequence.length ? StepBatch.POOLED : 0;
        flags |= scored ? StepBatch.PROMPT_LOG_PROBABILITIES : 0;
        int row = flight.batch.addRow(sequence.slot, flags, sequence.planned, sequence.tokens, sequence.planned, count);
        if (scored && sequence.planned + count < sequence.length) {
            flight.batch.following[row] = sequence.tokens[sequence.planned + count];
        }
        finishRow(flight, sequence, count, sample ? 1 : 0);
        return count;
    }

    private void finishRow(StepApplier.Flight flight, Sequence sequence, int count, int samples) {
        flight.batch.useAdapter(sequence.generation.request().adapter());
        for (int g = 0; g < kv.groups(); g++) {
            BlockTable table = sequence.kv.table(g);
            int entries = (sequence.planned + count + kv.blockSize() - 1) / kv.blockSize();
            flight.batch.addBlocks(g, table.blocks(), 0, entries);
        }
        sequence.planned += count;
        sequence.rowsInFlight++;
        if (samples > 0) {
            sequence.samplesInFlight++;
            sequence.generation.expectSamples(samples);
        }
        flight.add(sequence, sequence.planned);
    }
}
