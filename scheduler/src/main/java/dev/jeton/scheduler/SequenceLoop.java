package dev.jeton.scheduler;

import dev.jeton.models.engine.SequenceEngine;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.LongSupplier;

/** The dispatcher of an engine that batches by itself. */
public final class SequenceLoop extends DispatchLoop {

    private static final long BLOCKED_NANOS = 2_000_000;

    /**
     * Starts the loop.
     *
     * @param name of the thread and in logs: the served model's name
     * @param engine driven by this loop alone from now on, and closed with it
     * @param clock nanoseconds, monotonic; the engine's stamps must come from the same one
     * @param loadingSince when loading the engine began, on that clock
     */
    public SequenceLoop(
            String name,
            SequenceEngine engine,
            SchedulerConfig config,
            LongSupplier clock,
            long loadingSince,
            StepListener listener) {
        this(name, engine, config, clock, loadingSince, listener, new QueuedRequests(), new Wake());
    }

    private SequenceLoop(
            String name,
            SequenceEngine engine,
            SchedulerConfig config,
            LongSupplier clock,
            long loadingSince,
            StepListener listener,
            QueuedRequests queued,
            Wake wake) {
        super(
                "sequence-loop-" + name,
                engine.info(),
                new SequenceScheduler(engine, config, clock, loadingSince, listener, queued, new SequenceEvents(wake)),
                queued,
                config,
                clock,
                BLOCKED_NANOS);
        wake.loop.set(this::wake);
        begin();
    }

    /** Wakes a loop that is made after the engine that may already have something to tell. */
    private static final class Wake implements Runnable {
        private final AtomicReference<Runnable> loop = new AtomicReference<>(() -> {});

        @Override
        public void run() {
            loop.get().run();
        }
    }
}
