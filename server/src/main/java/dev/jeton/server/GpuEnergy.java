package dev.jeton.server;

import dev.jeton.accounting.EnergyCounter;
import dev.jeton.natives.NativeException;
import dev.jeton.natives.Nvml;
import dev.jeton.natives.NvmlDevice;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The energy of the GPUs that a CUDA engine runs on, by NVML's counters since the driver was loaded: the sum of all, or
 * nothing where one cannot be read. NVML is opened when it is first asked, which only an engine on a GPU causes; where
 * it cannot be, energy is modelled.
 *
 * <p>Owned by the thread that reads it.
 */
final class GpuEnergy implements EnergyCounter {

    private static final Logger LOG = LoggerFactory.getLogger(GpuEnergy.class);
    private static final long MICRO_PER_MILLI = 1_000;

    private final Optional<Path> nvml;
    private final Supplier<List<String>> uuids;
    private List<NvmlDevice> devices = List.of();
    private boolean opened;
    private boolean failing;

    /**
     * @param nvml its file; empty to search the usual places
     * @param uuids of the GPUs, as the CUDA driver and NVML write them; asked once
     */
    GpuEnergy(Optional<Path> nvml, Supplier<List<String>> uuids) {
        this.nvml = nvml;
        this.uuids = uuids;
    }

    @Override
    public OptionalLong microjoules() {
        try {
            if (!opened) {
                opened = true;
                devices = find();
            }
            long sum = 0;
            for (NvmlDevice device : devices) {
                OptionalLong millijoules = device.millijoules();
                if (millijoules.isEmpty()) {
                    return OptionalLong.empty();
                }
                sum = Math.addExact(sum, Math.multiplyExact(millijoules.getAsLong(), MICRO_PER_MILLI));
            }
            failing = false;
            return devices.isEmpty() ? OptionalLong.empty() : OptionalLong.of(sum);
        } catch (NativeException e) {
            if (!failing) {
                failing = true;
                LOG.warn("the GPU's energy cannot be read, so it is modelled: {}", e.getMessage());
            }
            return OptionalLong.empty();
        }
    }

    private List<NvmlDevice> find() {
        List<String> wanted = uuids.get();
        List<NvmlDevice> found = Nvml.open(nvml).devices().stream()
                .filter(candidate -> wanted.contains(candidate.uuid()))
                .toList();
        if (found.size() != wanted.size()) {
            LOG.warn("NVML shows {} of the GPUs {}, so their energy is modelled", found.size(), wanted);
            return List.of();
        }
        return found;
    }
}
