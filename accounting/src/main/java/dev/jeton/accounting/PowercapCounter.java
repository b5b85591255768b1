package dev.jeton.accounting;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The energy of this machine's processors and their memory, as Linux's power capping framework has it (RAPL; both
 * Intel's and AMD's processors are under {@code intel-rapl}). It is the whole machine's: of whatever else runs on it,
 * too.
 *
 * <p>Each processor package is a zone, {@code intel-rapl:0}; its memory is a zone in it, {@code intel-rapl:0:2}, that
 * the package does not count. Zones of the cores are in the package's already, and {@code psys} is the whole board. A
 * zone counts in {@code energy_uj} up to {@code max_energy_range_uj} and then from 0 again: within the minutes between
 * two readings at most once. Source: the kernel's documentation, power/powercap.
 */
public final class PowercapCounter implements EnergyCounter {

    /** Where Linux has it. */
    public static final Path SYSTEM = Path.of("/sys/class/powercap");

    private static final Logger LOG = LoggerFactory.getLogger(PowercapCounter.class);
    private static final String ZONE = "intel-rapl:[0-9]+";
    private static final String MEMORY = ZONE + ":[0-9]+";

    private static final class Zone {
        final Path energy;
        final long range;
        long last;

        Zone(Path folder) throws IOException {
            energy = folder.resolve("energy_uj");
            range = number(folder.resolve("max_energy_range_uj"));
            last = number(energy);
        }

        /** Microjoules since the last call. */
        long advance() throws IOException {
            long now = number(energy);
            long drawn = now >= last ? now - last : Math.addExact(range - last, now);
            last = now;
            return drawn;
        }
    }

    private final List<Zone> zones;
    private long sum;
    private boolean failing;

    private PowercapCounter(List<Zone> zones) {
        this.zones = zones;
    }

    /**
     * Finds the counters of a machine.
     *
     * @param root {@link #SYSTEM}
     * @return empty where there are none, or this process may not read them, which is logged
     */
    public static Optional<PowercapCounter> find(Path root) {
        List<Zone> zones = new ArrayList<>();
        try (Stream<Path> folders = Files.list(root)) {
            for (Path folder : folders.sorted().toList()) {
                if (counts(folder)) {
                    zones.add(new Zone(folder));
                }
            }
        } catch (NoSuchFileException e) {
            return Optional.empty();
        } catch (IOException | UncheckedIOException e) {
            LOG.info(
                    "the processors' energy counters in {} cannot be read ({}), so joules are modelled; let this user read"
                            + " energy_uj there to have them measured",
                    root,
                    e.toString());
            return Optional.empty();
        }
        return zones.isEmpty() ? Optional.empty() : Optional.of(new PowercapCounter(zones));
    }

    private static boolean counts(Path folder) throws IOException {
        String zone = String.valueOf(folder.getFileName());
        if (!zone.matches(ZONE) && !zone.matches(MEMORY)) {
            return false;
        }
        String name = Files.readString(folder.resolve("name")).strip();
        return zone.matches(ZONE) ? name.startsWith("package") : name.equals("dram");
    }

    @Override
    public OptionalLong microjoules() {
        try {
            long drawn = 0;
            for (Zone zone : zones) {
                drawn += zone.advance();
            }
            sum += drawn;
            failing = false;
            return OptionalLong.of(sum);
        } catch (IOException e) {
            if (!failing) {
                LOG.warn("the processors' energy counters cannot be read just now; joules are modelled meanwhile", e);
            }
            failing = true;
            return OptionalLong.empty();
        }
    }

    private static long number(Path file) throws IOException {
        String text = Files.readString(file).strip();
        try {
            return Long.parseLong(text);
        } catch (NumberFormatException e) {
            throw new IOException("%s holds '%s', which is no number".formatted(file, text), e);
        }
    }
}
