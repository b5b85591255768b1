package dev.jeton.scheduler;

import dev.jeton.kvcache.KvCache;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.engine.StepTicket;
import dev.jeton.models.engine.StepTimeModel;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * What a finished step means: its time is booked and attributed, its K and V become part of the cache, its tokens go to
 * their readers, and sequences that reached an end are ended.
 *
 * <p>Keeps the steps in flight, at most two. Owned by the loop's thread; nothing is allocated per row.
 */
final class StepApplier {

    private static final StepTicket NO_TICKET = new StepTicket(-1);

    /** A step between launch and await: its batch and whose its rows are. */
    static final class Flight {
        final StepBatch batch;

        @Nullable
        Sequence[] sequences = new Sequence[16];

        long kvTokens;
        /** Positions whose sampling waits for grammar masks. */
        int masked;

        StepTicket ticket = NO_TICKET;

        Flight(int groups) {
            batch = new StepBatch(groups);
        }

        void clear() {
            Arrays.fill(sequences, 0, batch.rows(), null);
            batch.clear();
            kvTokens = 0;
            masked = 0;
        }

        /** Names the owner of the newest row. */
        void add(Sequence sequence, int rowKvTokens) {
            int row = batch.rows() - 1;
            if (row == sequences.length) {
                sequences = Arrays.copyOf(sequences, 2 * row);
            }
            sequences[row] = sequence;
            kvTokens += rowKvTokens;
            masked += batch.has(row, StepBatch.MASKED) ? 1 + batch.drafts[row] : 0;
        }

        Sequence sequence(int row) {
            Sequence sequence = sequences[row];
            if (sequence == null) {
                throw new IllegalStateException("row " + row + " has no sequence");
            }
            return sequence;
        }
    }

    private final Sequences sequences;
    private final KvCache kv;
    private final StepTimeModel timeModel;
    private final DeviceTimeline timeline;
    private final StepListener listener;
    private final Scheduler.Counters counters;
    private final Bounds bounds;
    private final Attribution attribution = new Attribution();
    private final StepRecord record = new StepRecord();
    private final Flight[] flights;
    private int inFlight;
    private int next;
    private long bookedTo;

    StepApplier(
            Sequences sequences,
            KvCache kv,
            StepTimeModel timeModel,
            DeviceTimeline timeline,
            StepListener listener,
            Scheduler.Counters counters,
            Bounds bounds) {
        this.sequences = sequences;
        this.kv = kv;
        this.timeModel = timeModel;
        this.timeline = timeline;
        this.listener = listener;
        this.counters = counters;
        this.bounds = bounds;
        flights = new Flight[] {new Flight(kv.groups()), new Flight(kv.groups())};
        bookedTo = timeline.start();
    }

    int inFlight() {
        return inFlight;
    }

    /** The flight to fill for the next launch. */
    Flight nextFlight() {
        assert inFlight < 2;
        return flights[next];
    }

    /** The flight that was filled is under way. */
    void launched() {
        Flight flight = flights[next];
        for (int row = 0; row < flight.batch.rows(); row++) {
            flight.sequence(row).generation.totals.given = true;
        }
        next = 1 - next;
        inFlight++;
    }

    Flight oldest() {
        return inFlight == 2 ? flights[next] : flights[1 - next];
    }

    /** Books everything since the last span; nothing of it is booked yet. */
    void book(DeviceState state, long until) {
        if (until > bookedTo) {
            timeline.record(state, bookedTo, until);
            bookedTo = until;
        }
    }

    void apply(Flight flight, StepResult result) {
        inFlight--;
        book(DeviceState.STALLED, result.startNanos);
        record.startNanos = bookedTo;
        book(DeviceState.STEP, result.endNanos);
        record.endNanos = bookedTo;
        attribute(flight, result);
        for (int row = 0; row < flight.batch.rows(); row++) {
            applyRow(flight, row, result);
        }
        for (int row = 0; row < flight.batch.rows(); row++) {
            sequences.publish(flight.sequence(row).generation, bookedTo);
        }
    }

    /** The oldest flight will never land: its device is lost. */
    void lose() {
        inFlight = 0;
    }

    private void attribute(Flight flight, StepResult result) {
        StepBatch batch = flight.batch;
        record.clear();
        record.step = counters.steps++;
        counters.rows += batch.rows();
        for (int row = 0; row < batch.rows(); row++) {
            Sequence sequence = flight.sequence(row);
            int tokens = batch.inputs(row);
            int end = batch.position[row] + tokens;
            byte kind = kind(sequence, batch.position[row], result.accepted[row] < 0);
            record.add(sequence.generation.request(), sequence.index, kind, tokens, end);
            // found while another computed it, who left before it was done, or lost again before it was used
            int missed = Math.min(end, sequence.cached) - Math.max(batch.position[row], sequence.everComputed);
            if (missed > 0) {
                sequence.generation.totals.notCached(missed);
            }
            switch (kind) {
                case StepRecord.DECODE -> {
                    counters.decodeTokens += tokens;
                    counters.draftTokens += batch.drafts[row];
                    counters.acceptedDraftTokens += Math.max(0, result.accepted[row] - 1);
                }
                case StepRecord.OVERRUN, StepRecord.CANCELLED -> counters.overrunTokens += tokens;
                default -> {
                    int again = Math.max(0, Math.min(end, sequence.everComputed) - batch.position[row]);
                    counters.prefillTokens += tokens;
                    counters.recomputedTokens += again;
                    sequence.generation.totals.recomputedTokens += again;
                }
            }
        }
        attribution.attribute(record, timeModel);
        timeModel.observe(batch.tokenCount(), flight.kvTokens, record.endNanos - record.startNanos);
        for (int row = 0; row < batch.rows(); row++) {
            GenerationTotals totals = flight.sequence(row).generation.totals;
            totals.device(record.kind[row], record.nanos[row]);
            if (totals.firstStepAt == Long.MIN_VALUE) {
                totals.firstStepAt = record.startNanos;
            }
        }
        listener.onStep(record);
    }

    private static byte kind(Sequence sequence, int position, boolean failed) {
        if (sequence.phase == Sequence.Phase.ENDING) {
            return sequence.abandoned() ? StepRecord.CANCELLED : StepRecord.OVERRUN;
        }
        if (failed) {
            return StepRecord.FAILED;
        }
        if (position < sequence.everComputed) {
            return StepRecord.RECOMPUTE;
        }
        return position < sequence.promptLength() ? StepRecord.PREFILL : StepRecord.DECODE;
    }

    private void applyRow(Flight flight, int row, StepResult result) {
        StepBatch batch = flight.batch;
        Sequence sequence = flight.sequence(row);
        boolean sampled = batch.has(row, StepBatch.SAMPLE);
        int drafts = batch.drafts[row];
        sequence.rowsInFlight--;
        if (sampled) {
            sequence.samplesInFlight--;
            sequence.generation.samplesLanded(1 + drafts);
        }
        int wrong = drafts > 0 ? land(sequence, drafts, result.accepted[row]) : 0;
        if (sequence.phase == Sequence.Phase.ENDING) {
            sequence.generation.totals.overrunTokens += sampled ? Math.max(1, result.accepted[row]) : 0;
            return;
        }
        if (result.accepted[row] < 0) {
            sequences.end(sequence, FinishReason.ERROR, -1, result.failure(row).orElse("the engine failed the row"));
            return;
        }
        int computed = batch.position[row] + batch.inputs(row) - wrong;
        sequence.planned -= wrong;
        kv.commit(sequence.kv, sequence.tokens, computed, sequence.usesPrefix(), bookedTo);
        sequence.everComputed = Math.max(sequence.everComputed, computed);
        if (batch.has(row, StepBatch.PROMPT_LOG_PROBABILITIES)) {
            keepPromptLogProbabilities(sequence, batch, row, result);
        }
        if (batch.has(row, StepBatch.POOLED)) {
            int from = row * result.pooledWidth;
            sequence.generation.pooled(Arrays.copyOfRange(result.pooled, from, from + result.pooledWidth));
        }
        sequences.forkIfReady(sequence, bookedTo);
        if (sampled) {
            for (int i = 0; i < result.accepted[row]; i++) {
                if (sequence.phase == Sequence.Phase.RUNNING) {
                    applyToken(sequence, result, row, result.tokenStart[row] + i);
                } else {
                    sequence.generation.totals.overrunTokens++;
                }
            }
        } else if (computed == sequence.promptLength()
                && sequence.generation.request().maxTokens() == 0) {
            sequences.end(sequence, FinishReason.LENGTH, -1, "");
        }
    }

    /** Drafts have been verified; returns how many of them were wrong, of which nothing is left. */
    private static int land(Sequence sequence, int drafts, int accepted) {
        int right = Math.max(0, accepted - 1);
        int wanted = sequence.phase == Sequence.Phase.ENDING ? 0 : right;
        sequence.draftsLanded(right, wanted);
        sequence.generation.request().allowance().settle(drafts, wanted);
        return drafts - right;
    }

    private void applyToken(Sequence sequence, StepResult result, int row, int index) {
        GenerationState generation = sequence.generation;
        int token = result.tokens[index];
        if (result.accepted[row] == 1) {
            sequence.sampledPlainly(token);
        }
        sequence.append(token);
        if (generation.totals.firstTokenAt == Long.MIN_VALUE) {
            generation.totals.firstTokenAt = bookedTo;
        }
        for (int stop : generation.request().stopTokens()) {
            if (stop == token) {
                sequences.end(sequence, FinishReason.STOP, token, "");
                return;
            }
        }
        if (sequence.cursor != null && !sequence.cursor.accept(token)) {
            sequences.end(
                    sequence, FinishReason.ERROR, -1, "the engine sampled a token that the grammar does not allow");
            return;
        }
        generation.writeToken(
                sequence.index,
                result,
                index,
                record.kind[row] == StepRecord.DECODE ? record.nanos[row] / result.accepted[row] : 0,
                index < result.tokenStart[row] + result.accepted[row] - 1 ? sequence.draftKind() : 0);
        if (sequence.cursor != null && sequence.cursor.mustEnd()) {
            sequences.end(sequence, FinishReason.STOP, -1, "");
        } else if (sequence.generated() >= generation.request().maxTokens()
                || sequence.length >= bounds.contextLength()) {
            sequences.end(sequence, FinishReason.LENGTH, -1, "");
        }
    }

    private static void keepPromptLogProbabilities(Sequence sequence, StepBatch batch, int row, StepResult result) {
        int length = sequence.promptLength();
        GenerationState generation = sequence.generation;
        PromptLogProbabilities kept = generation.promptLogProbabilities();
        int top = Math.max(0, generation.request().sampling().logProbabilities());
        if (kept.chosen().length == 0) {
            kept = new PromptLogProbabilities(new float[length], top, new int[top * length], new float[top * length]);
            Arrays.fill(kept.chosen(), Float.NaN);
            generation.promptLogProbabilities(kept);
        }
        int places = SamplingParameters.MAX_LOG_PROBABILITIES;
        for (int i = 0; i < batch.inputs(row); i++) {
            int target = batch.position[row] + i + 1;
            int input = batch.inputStart[row] + i;
            if (target < length) {
                kept.chosen()[target] = result.promptLogProbabilities[input];
                if (top > 0 && result.promptTopTokens.length >= (input + 1) * places) {
                    System.arraycopy(result.promptTopTokens, input * places, kept.topTokens(), target * top, top);
                    System.arraycopy(
                            result.promptTopLogProbabilities,
                            input * places,
                            kept.topLogProbabilities(),
                            target * top,
                            top);
                }
            }
        }
    }
}
