package dev.jeton.server.metrics;

import dev.jeton.natives.GpuClock;
import dev.jeton.natives.GpuMemory;
import dev.jeton.natives.GpuUtilization;
import dev.jeton.natives.NvmlDevice;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalInt;
import java.util.OptionalLong;

/**
 * What was known of a GPU at one moment; empty is what it has no figure for.
 *
 * @param gpu which
 * @param lost whether it did not answer: nothing else is known then
 * @param utilization of its last sampling period
 * @param memory bytes
 * @param watts power drawn
 * @param wattsLimit power that it may draw
 * @param millijoules energy drawn since the driver was loaded
 * @param celsius the chip's temperature
 * @param smMegahertz the multiprocessors' clock
 * @param memoryMegahertz the memory's clock
 */
public record GpuSample(
        Gpu gpu,
        boolean lost,
        Optional<GpuUtilization> utilization,
        Optional<GpuMemory> memory,
        OptionalDouble watts,
        OptionalDouble wattsLimit,
        OptionalLong millijoules,
        OptionalInt celsius,
        OptionalInt smMegahertz,
        OptionalInt memoryMegahertz) {

    /**
     * A GPU's names.
     *
     * @param index among those that this process may see
     * @param uuid for ever
     * @param name of the product
     * @param pciBusId its place; empty where it is not known
     */
    public record Gpu(int index, String uuid, String name, String pciBusId) {

        /** Of a device. */
        public static Gpu of(NvmlDevice device) {
            return new Gpu(
                    device.index(),
                    device.uuid(),
                    device.name(),
                    device.pciBusId().orElse(""));
        }
    }

    /** Asks a device for everything. */
    public static GpuSample of(Gpu gpu, NvmlDevice device) {
        return new GpuSample(
                gpu,
                false,
                device.utilization(),
                device.memory(),
                device.watts(),
                device.wattsLimit(),
                device.millijoules(),
                device.celsius(),
                device.megahertz(GpuClock.SM),
                device.megahertz(GpuClock.MEMORY));
    }

    /** Of a device that does not answer. */
    public static GpuSample lost(Gpu gpu) {
        return new GpuSample(
                gpu,
                true,
                Optional.empty(),
                Optional.empty(),
                OptionalDouble.empty(),
                OptionalDouble.empty(),
                OptionalLong.empty(),
                OptionalInt.empty(),
                OptionalInt.empty(),
                OptionalInt.empty());
    }
}
