package dev.jeton.server;

import dev.jeton.natives.LibraryMissingException;
import dev.jeton.natives.NativeException;
import dev.jeton.natives.Nvml;
import dev.jeton.natives.NvmlDevice;
import dev.jeton.server.config.Configuration.MetricsSettings;
import dev.jeton.server.metrics.GpuSample;
import dev.jeton.server.metrics.ServerMetrics;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.LockSupport;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks at the GPUs once a second, on a thread of its own: opening NVML takes up to a second, and a GPU that hangs
 * keeps whoever asks it. Where there is no NVML there is no telemetry, and the thread ends.
 */
final class GpuTelemetry implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(GpuTelemetry.class);
    private static final long PERIOD_NANOS = 1_000_000_000;
    private static final long CLOSE_MILLIS = 2_000;

    /** A GPU and what was last seen of it. Written by the telemetry's thread, read by any. */
    private static final class Watched {
        private final NvmlDevice device;
        private volatile GpuSample latest;

        Watched(NvmlDevice device) {
            this.device = device;
            latest = GpuSample.of(GpuSample.Gpu.of(device), device);
        }

        GpuSample latest() {
            return latest;
        }

        void look() {
            GpuSample.Gpu gpu = latest.gpu();
            try {
                latest = GpuSample.of(gpu, device);
            } catch (NativeException e) {
                if (!latest.lost()) {
                    LOG.error("a GPU does not answer: {}", e.getMessage());
                }
                latest = GpuSample.lost(gpu);
            }
        }
    }

    private final MetricsSettings settings;
    private final ServerMetrics metrics;
    private final Thread thread;
    private volatile boolean closing;

    private GpuTelemetry(MetricsSettings settings, ServerMetrics metrics) {
        this.settings = settings;
        this.metrics = metrics;
        thread = Thread.ofPlatform().name("gpu-telemetry").daemon(true).unstarted(this::run);
    }

    /** Begins to look; empty where it is turned off. */
    static Optional<GpuTelemetry> start(MetricsSettings settings, ServerMetrics metrics) {
        if (!settings.gpu()) {
            return Optional.empty();
        }
        GpuTelemetry telemetry = new GpuTelemetry(settings, metrics);
        telemetry.thread.start();
        return Optional.of(telemetry);
    }

    private void run() {
        Optional<Path> configured =
                settings.nvml().isEmpty() ? Optional.empty() : Optional.of(Path.of(settings.nvml()));
        try (Nvml nvml = Nvml.open(configured)) {
            LOG.info(
                    "GPUs are watched through {}, driver {}: {}",
                    nvml.place(),
                    nvml.driver(),
                    nvml.devices().stream().map(NvmlDevice::toString).toList());
            watch(nvml.devices());
        } catch (LibraryMissingException e) {
            if (configured.isPresent()) {
                LOG.warn("GPUs are not watched: {}", e.getMessage());
            } else {
                LOG.debug("GPUs are not watched: {}", e.getMessage());
            }
        } catch (NativeException e) {
            LOG.warn("GPUs are not watched: {}", e.getMessage());
        }
    }

    private void watch(List<NvmlDevice> devices) {
        List<Watched> watched = new ArrayList<>();
        for (NvmlDevice device : devices) {
            try {
                watched.add(new Watched(device));
            } catch (NativeException e) {
                LOG.error("a GPU is not watched, it does not answer: {}", e.getMessage());
            }
        }
        watched.forEach(gpu -> metrics.gpu(gpu::latest, settings.dcgmNames()));
        while (!closing) {
            LockSupport.parkNanos(this, PERIOD_NANOS);
            watched.forEach(Watched::look);
        }
    }

    /** Ends it; a GPU that hangs is not waited for longer than two seconds. */
    @Override
    public void close() {
        closing = true;
        LockSupport.unpark(thread);
        try {
            thread.join(CLOSE_MILLIS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
