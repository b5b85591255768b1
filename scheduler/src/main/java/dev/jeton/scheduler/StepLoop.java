package dev.jeton.scheduler;

import dev.jeton.models.engine.Engine;
import java.util.function.LongSupplier;

/** The dispatcher of a paged engine: the loop that turns its {@link Scheduler}. */
public final class StepLoop extends DispatchLoop {

    private static final long BLOCKED_NANOS = 1_000_000;

    /**
     * Starts the loop.
     *
     * @param name of the thread and in logs: the served model's name
     * @param engine driven by this loop alone from now on, and closed with it
     * @param clock nanoseconds, monotonic; the engine's stamps must come from the same one
     * @param loadingSince when loading the engine began, on that clock
     */
    public StepLoop(
            String name,
            Engine engine,
            SchedulerConfig config,
            LongSupplier clock,
            long loadingSince,
            StepListener listener) {
        this(name, engine, config, clock, loadingSince, listener, BLOCKED_NANOS);
    }

    /** The same, looking after so many nanoseconds whether a sequence that waits may go on. */
    StepLoop(
            String name,
            Engine engine,
            SchedulerConfig config,
            LongSupplier clock,
            long loadingSince,
            StepListener listener,
            long blockedNanos) {
        this(name, engine, config, clock, loadingSince, listener, blockedNanos, new QueuedRequests());
    }

    private StepLoop(
            String name,
            Engine engine,
            SchedulerConfig config,
            LongSupplier clock,
            long loadingSince,
            StepListener listener,
            long blockedNanos,
            QueuedRequests queued) {
        super(
                "step-loop-" + name,
                engine.info(),
                new Scheduler(engine, config, clock, loadingSince, listener, queued),
                queued,
                config,
                clock,
                blockedNanos);
        begin();
    }
}
