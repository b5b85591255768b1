package dev.jeton.server;

import dev.jeton.accounting.EnergyCounter;
import dev.jeton.natives.NativeException;
import dev.jeton.natives.Nvml;
import dev.jeton.natives.NvmlDevice;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The energy of the GPU that the CUDA engine runs on, by NVML's counter since the driver was loaded. NVML is opened
 * when it is first asked, which only an engine on a GPU causes; where it cannot be, energy is modelled.
 *
 * <p>Owned by the thread that reads it.
 */
final class GpuEnergy implements EnergyCounter {

    private static final Logger LOG = LoggerFactory.getLogger(GpuEnergy.class);
    private static final long MICRO_PER_MILLI = 1_000;

    private final Optional<Path> nvml;
    private final Supplier<String> uuid;
    private Optional<NvmlDevice> device = Optional.empty();
    private boolean opened;
    private boolean failing;

    /**
     * @param nvml its file; empty to search the usual places
     * @param uuid of the GPU, as the CUDA driver and NVML write it; asked once
     */
    GpuEnergy(Optional<Path> nvml, Supplier<String> uuid) {
        this.nvml = nvml;
        this.uuid = uuid;
    }

    @Override
    public OptionalLong microjoules() {
        try {
            if (!opened) {
                opened = true;
                device = find();
            }
            if (device.isEmpty()) {
                return OptionalLong.empty();
            }
            OptionalLong millijoules = device.get().millijoules();
            failing = false;
            return millijoules.isPresent()
                    ? OptionalLong.of(Math.multiplyExact(millijoules.getAsLong(), MICRO_PER_MILLI))
                    : OptionalLong.empty();
        } catch (NativeException e) {
            if (!failing) {
                failing = true;
                LOG.warn("the GPU's energy cannot be read, so it is modelled: {}", e.getMessage());
            }
            return OptionalLong.empty();
        }
    }

    private Optional<NvmlDevice> find() {
        String wanted = uuid.get();
        Optional<NvmlDevice> found = Nvml.open(nvml).devices().stream()
                .filter(candidate -> candidate.uuid().equals(wanted))
                .findFirst();
        if (found.isEmpty()) {
            LOG.warn("NVML shows no GPU {}, so its energy is modelled", wanted);
        }
        return found;
    }
}
