package dev.jeton.server.metrics;

import dev.jeton.natives.GpuMemory;
import dev.jeton.natives.GpuUtilization;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tags;
import java.util.OptionalInt;
import java.util.function.Supplier;
import java.util.function.ToDoubleFunction;

/**
 * A GPU in Prometheus, under Jeton's names and, where asked for, under dcgm-exporter's. Figures that are missing are
 * NaN.
 */
final class GpuMetrics {

    private static final double PERCENT = 100;
    private static final double MEGA = 1e6;
    private static final double MILLI = 1e-3;
    private static final double MEBI = 1 << 20;

    private final MeterRegistry registry;
    private final Supplier<GpuSample> latest;

    /** @param latest the newest sample; any thread asks */
    GpuMetrics(MeterRegistry registry, Supplier<GpuSample> latest) {
        this.registry = registry;
        this.latest = latest;
    }

    /** Adds it under Jeton's names, with the labels {@code gpu}, {@code uuid} and {@code name}. */
    void jetonNames() {
        GpuSample.Gpu gpu = latest.get().gpu();
        Tags tags = Tags.of("gpu", String.valueOf(gpu.index()), "uuid", gpu.uuid(), "name", gpu.name());
        gauge("jeton.gpu.lost", "1 while the GPU does not answer", tags, sample -> sample.lost() ? 1 : 0);
        gauge(
                "jeton.gpu.utilization.ratio",
                "Part of the time in which at least one kernel ran; not how much of the GPU it used",
                tags,
                sample -> utilization(sample, GpuUtilization::gpu) / PERCENT);
        gauge(
                "jeton.gpu.memory.utilization.ratio",
                "Part of the time in which memory was read or written",
                tags,
                sample -> utilization(sample, GpuUtilization::memory) / PERCENT);
        memory(tags, "used", GpuMemory::used);
        memory(tags, "free", GpuMemory::free);
        memory(tags, "reserved", GpuMemory::reserved);
        gauge(
                "jeton.gpu.power.watts",
                "Power drawn",
                tags,
                sample -> sample.watts().orElse(Double.NaN));
        gauge(
                "jeton.gpu.power.limit.watts",
                "Power that it may draw",
                tags,
                sample -> sample.wattsLimit().orElse(Double.NaN));
        FunctionCounter.builder("jeton.gpu.energy.joules", latest, from -> millijoules(from.get()) * MILLI)
                .description("Energy drawn since the driver was loaded")
                .tags(tags)
                .register(registry);
        gauge("jeton.gpu.temperature.celsius", "Temperature of the chip", tags, sample -> number(sample.celsius()));
        gauge(
                "jeton.gpu.clock.hertz",
                "Clock frequency",
                tags.and("clock", "sm"),
                sample -> number(sample.smMegahertz()) * MEGA);
        gauge(
                "jeton.gpu.clock.hertz",
                "Clock frequency",
                tags.and("clock", "memory"),
                sample -> number(sample.memoryMegahertz()) * MEGA);
    }

    private void memory(Tags tags, String state, ToDoubleFunction<GpuMemory> bytes) {
        gauge("jeton.gpu.memory.bytes", "Memory by state", tags.and("state", state), sample -> memory(sample, bytes));
    }

    /**
     * Adds it under the names that dashboards for dcgm-exporter know. Beside a real dcgm-exporter they would double
     * every sum.
     *
     * @param host this machine's name
     */
    void dcgmNames(String host) {
        GpuSample.Gpu gpu = latest.get().gpu();
        Tags tags = Tags.of("gpu", String.valueOf(gpu.index()), "UUID", gpu.uuid(), "pci_bus_id", gpu.pciBusId())
                .and("device", "nvidia" + gpu.index(), "modelName", gpu.name(), "Hostname", host);
        dcgm("GPU_UTIL", "GPU utilization (in %).", tags, sample -> utilization(sample, GpuUtilization::gpu));
        dcgm(
                "MEM_COPY_UTIL",
                "Memory utilization (in %).",
                tags,
                sample -> utilization(sample, GpuUtilization::memory));
        dcgm("SM_CLOCK", "SM clock frequency (in MHz).", tags, sample -> number(sample.smMegahertz()));
        dcgm("MEM_CLOCK", "Memory clock frequency (in MHz).", tags, sample -> number(sample.memoryMegahertz()));
        dcgm("GPU_TEMP", "GPU temperature (in C).", tags, sample -> number(sample.celsius()));
        dcgm("POWER_USAGE", "Power draw (in W).", tags, sample -> sample.watts().orElse(Double.NaN));
        dcgm("TOTAL_ENERGY_CONSUMPTION", "Total energy since boot (in mJ).", tags, GpuMetrics::millijoules);
        dcgm("FB_USED", "Framebuffer memory used (in MiB).", tags, sample -> memory(sample, GpuMemory::used) / MEBI);
        dcgm("FB_FREE", "Framebuffer memory free (in MiB).", tags, sample -> memory(sample, GpuMemory::free) / MEBI);
    }

    /** All are gauges: as a counter, Prometheus's client would give a name another end. */
    private void dcgm(String name, String meaning, Tags tags, ToDoubleFunction<GpuSample> value) {
        gauge("DCGM_FI_DEV_" + name, meaning, tags, value);
    }

    private void gauge(String name, String meaning, Tags tags, ToDoubleFunction<GpuSample> value) {
        Gauge.builder(name, latest, from -> value.applyAsDouble(from.get()))
                .description(meaning)
                .tags(tags)
                .register(registry);
    }

    private static double utilization(GpuSample sample, ToDoubleFunction<GpuUtilization> percent) {
        return sample.utilization().map(percent::applyAsDouble).orElse(Double.NaN);
    }

    private static double memory(GpuSample sample, ToDoubleFunction<GpuMemory> bytes) {
        return sample.memory().map(bytes::applyAsDouble).orElse(Double.NaN);
    }

    private static double number(OptionalInt figure) {
        return figure.isPresent() ? figure.getAsInt() : Double.NaN;
    }

    private static double millijoules(GpuSample sample) {
        return sample.millijoules().isPresent() ? sample.millijoules().getAsLong() : Double.NaN;
    }
}
