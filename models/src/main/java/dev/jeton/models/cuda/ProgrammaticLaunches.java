package dev.jeton.models.cuda;

import dev.jeton.models.ModelException;
import dev.jeton.natives.CudaDeviceLostException;
import dev.jeton.natives.CudaException;
import dev.jeton.natives.CudaFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Whether a device's kernels may come onto it while the kernel before ends: then what a launch costs, about a
 * microsecond each, passes while that one still runs, and products have their first weights under way. Off while a
 * model is loaded, whose kernels write those weights.
 *
 * <p>Two kernels are on a multiprocessor together only where it has divided its memory alike for both, so all prefer
 * the division that products need.
 *
 * <p>A kernel's blocks may be there before kernels further back have ended, but each thread of every kernel waits for
 * the one before (jeton.cuh), so that what a kernel does behind its wait comes after all of them.
 *
 * <p>Owned by the device's thread.
 */
final class ProgrammaticLaunches {

    private static final Logger LOG = LoggerFactory.getLogger(ProgrammaticLaunches.class);

    private final boolean possible;
    private boolean on;

    /**
     * @param wanted whether the configuration asks for them
     * @param able whether the device can
     */
    ProgrammaticLaunches(boolean wanted, boolean able) {
        possible = wanted && able;
    }

    /** Prepares a kernel that may be launched so. */
    void prepare(CudaFunction function) {
        if (possible) {
            function.preferShared();
        }
    }

    /** Whether the next kernel is launched so. */
    boolean on() {
        return on;
    }

    /**
     * From now on, if they are wanted and possible, and if work that has run without them runs with them: queued, and
     * captured. A driver that refuses them costs speed alone.
     *
     * <p>A graph takes memory, for which a driver may wait until others are through with exchanges that they have
     * begun. So of devices that are joined each only queues the work, and {@link #record} is what is captured first.
     *
     * @throws ModelException where a driver refuses them and other devices wait for this one's part of the work
     */
    void begin(Device device, Runnable work) {
        if (!possible) {
            return;
        }
        on = true;
        try {
            work.run();
            device.await();
            if (!device.joined()) {
                capture(device, work);
            }
        } catch (CudaDeviceLostException e) {
            throw e;
        } catch (CudaException e) {
            on = false;
            if (device.joined()) {
                throw refused(device, e);
            }
            device.await();
            LOG.warn("{} does without programmatic launches: {}", device.name(), e.getMessage());
        }
    }

    private static void capture(Device device, Runnable work) {
        try (Graph graph = device.capture(work)) {
            graph.launch();
            device.await();
        }
    }

    /**
     * Captures the graphs of all steps, while no device runs any.
     *
     * @throws ModelException where devices are joined and a driver refuses to capture such launches
     */
    void record(Device device, Runnable capture) {
        try {
            capture.run();
        } catch (CudaDeviceLostException e) {
            throw e;
        } catch (CudaException e) {
            throw on && device.joined() && !e.outOfMemory() ? refused(device, e) : e;
        }
    }

    private static ModelException refused(Device device, CudaException e) {
        return new ModelException(
                "programmatic launches failed on %s; set engine.programmatic-launches: false (%s)"
                        .formatted(device.name(), e.getMessage()),
                e);
    }
}
