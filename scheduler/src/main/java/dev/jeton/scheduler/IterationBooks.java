package dev.jeton.scheduler;

import dev.jeton.models.engine.StepTimeModel;
import java.util.ArrayList;
import java.util.List;

/**
 * Where the time of an engine went that batches by itself: its spans as it tells them, each divided over its rows by
 * {@link Attribution}, and the states between them. A span that is told late begins where the books end, so that no
 * instant is booked twice.
 *
 * <p>Owned by the loop's thread.
 */
final class IterationBooks {

    private final StepListener listener;
    private final DeviceTimeline timeline;
    private final StepTimeModel timeModel = new StepTimeModel(new StepTimeModel.Coefficients(1e6, 1e4, 10));
    private final Attribution attribution = new Attribution();
    private final StepRecord record = new StepRecord();
    private final List<SequenceRun> runs = new ArrayList<>();
    private final Scheduler.Counters counters = new Scheduler.Counters();
    private long bookedTo;
    private DeviceState state = DeviceState.LOADING;

    IterationBooks(long loadingSince, StepListener listener) {
        this.listener = listener;
        timeline = new DeviceTimeline(loadingSince);
        bookedTo = loadingSince;
        listener.onState(DeviceState.LOADING, loadingSince);
    }

    DeviceTimeline timeline() {
        return timeline;
    }

    StepTimeModel timeModel() {
        return timeModel;
    }

    /** Counts that only grow. */
    Scheduler.Counters counters() {
        return counters;
    }

    /** What listeners were told last. */
    DeviceState state() {
        return state;
    }

    /** Books everything since the last span; nothing of it is booked yet. */
    void book(DeviceState as, long until) {
        if (until > bookedTo) {
            timeline.record(as, bookedTo, until);
            bookedTo = until;
        }
    }

    /** Tells listeners that the device does something else from now on. */
    void enter(DeviceState next, long now) {
        if (next != state) {
            state = next;
            listener.onState(next, now);
        }
    }

    /** A row of the iteration that is told next. */
    void row(SequenceRun run, int prefill, int generated, int context) {
        int tokens = Math.max(1, prefill > 0 ? prefill : generated);
        byte kind = run.kind(prefill);
        record.add(run.generation.request(), run.index, kind, tokens, context);
        runs.add(run);
        run.attributed += generated;
        counters.rows++;
        switch (kind) {
            case StepRecord.PREFILL -> counters.prefillTokens += tokens;
            case StepRecord.DECODE -> counters.decodeTokens += tokens;
            default -> counters.overrunTokens += tokens;
        }
        if (!run.stepped) {
            run.stepped = true;
            // the first sequence of a request finds its prompt in the cache or not; the others find what that one
            // computed
            int prompt = run.generation.request().prompt().length;
            int found = run.index == 0 ? Math.clamp(context - prefill, 0, prompt) : 0;
            run.generation.totals.cachedTokens += found;
            run.generation.totals.savedNanos += Math.round(found * timeModel.perToken());
        }
    }

    /** The iteration of the rows that were told since the one before. */
    void iteration(long start, long end) {
        book(DeviceState.STALLED, start);
        record.startNanos = bookedTo;
        book(DeviceState.STEP, end);
        record.endNanos = bookedTo;
        record.step = counters.steps++;
        attribution.attribute(record, timeModel);
        int tokens = 0;
        long kvTokens = 0;
        for (int row = 0; row < record.rows(); row++) {
            tokens += record.tokens[row];
            kvTokens += record.kvTokens[row];
            GenerationTotals totals = runs.get(row).generation.totals;
            totals.device(record.kind[row], record.nanos[row]);
            if (totals.firstStepAt == Long.MIN_VALUE) {
                totals.firstStepAt = Math.max(record.startNanos, totals.submittedAt);
            }
        }
        if (tokens > 0 && record.endNanos > record.startNanos) {
            timeModel.observe(tokens, kvTokens, record.endNanos - record.startNanos);
        }
        listener.onStep(record);
        record.clear();
        runs.clear();
    }
}
