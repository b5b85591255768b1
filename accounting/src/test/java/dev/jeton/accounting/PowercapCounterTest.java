package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PowercapCounterTest {

    private static final long RANGE = 262_143_328_850L;

    @TempDir
    private Path root;

    private void zone(String folder, String name, long microjoules) throws IOException {
        Path zone = Files.createDirectories(root.resolve(folder));
        Files.writeString(zone.resolve("name"), name + "\n");
        Files.writeString(zone.resolve("max_energy_range_uj"), RANGE + "\n");
        count(folder, microjoules);
    }

    private void count(String folder, long microjoules) throws IOException {
        Files.writeString(root.resolve(folder).resolve("energy_uj"), microjoules + "\n");
    }

    private PowercapCounter counter() {
        return PowercapCounter.find(root).orElseThrow();
    }

    @Test
    void addsPackagesAndTheirMemoryAndNothingTwice() throws IOException {
        zone("intel-rapl:0", "package-0", 10);
        zone("intel-rapl:0:0", "core", 10);
        zone("intel-rapl:0:1", "dram", 10);
        zone("intel-rapl:1", "package-1", 10);
        zone("intel-rapl:2", "psys", 10);
        zone("intel-rapl-mmio:0", "package-0", 10);
        Files.createDirectories(root.resolve("intel-rapl"));
        PowercapCounter counter = counter();
        count("intel-rapl:0", 11);
        count("intel-rapl:0:0", 5_000);
        count("intel-rapl:0:1", 30);
        count("intel-rapl:1", 310);
        count("intel-rapl:2", 7_000);
        count("intel-rapl-mmio:0", 9_000);
        assertThat(counter.microjoules()).hasValue(321);
    }

    @Test
    void goesOnWhereAZoneBeginsAgain() throws IOException {
        zone("intel-rapl:0", "package-0", RANGE - 7);
        PowercapCounter counter = counter();
        count("intel-rapl:0", 5);
        assertThat(counter.microjoules()).hasValue(12);
    }

    @Test
    void saysNothingWhileItCannotBeReadAndThenGoesOn() throws IOException {
        zone("intel-rapl:0", "package-0", 10);
        PowercapCounter counter = counter();
        Files.delete(root.resolve("intel-rapl:0").resolve("energy_uj"));
        assertThat(counter.microjoules()).isEmpty();
        count("intel-rapl:0", 25);
        assertThat(counter.microjoules()).hasValue(15);
    }

    @Test
    void aMachineWithoutCountersHasNone() {
        assertThat(PowercapCounter.find(root)).isEmpty();
        assertThat(PowercapCounter.find(root.resolve("missing"))).isEmpty();
    }

    @Test
    void aCounterThatHoldsNoNumberIsNone() throws IOException {
        zone("intel-rapl:0", "package-0", 1);
        Files.writeString(root.resolve("intel-rapl:0").resolve("energy_uj"), "much");
        assertThat(PowercapCounter.find(root)).isEmpty();
    }
}
