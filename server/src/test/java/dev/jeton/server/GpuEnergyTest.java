package dev.jeton.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.natives.testing.NvmlStandIn;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** On a machine whose NVML is a library compiled by the test. */
class GpuEnergyTest {

    @TempDir
    private Path folder;

    @BeforeAll
    static void needsACompiler() {
        Assumptions.assumeTrue(NvmlStandIn.possible(), "there is no C compiler (cc) to make NVML's stand-in");
    }

    @Test
    void readsTheCounterOfTheGpuThatIsNamed() throws IOException {
        NvmlStandIn library = NvmlStandIn.compile(folder);
        GpuEnergy energy = new GpuEnergy(Optional.of(library.file()), () -> List.of("GPU-11111111-standin"));
        library.energy(1_000);
        long before = energy.microjoules().orElseThrow();
        library.energy(4_500);
        assertThat(energy.microjoules().orElseThrow() - before).isEqualTo(2 * 3_500_000);
    }

    /** The second of the stand-in's GPUs counts twice as fast as the first. */
    @Test
    void sumsTheCountersOfAllThatAreNamed() throws IOException {
        NvmlStandIn library = NvmlStandIn.compile(folder);
        List<String> both = List.of("GPU-11111111-standin", "GPU-00000000-standin");
        GpuEnergy energy = new GpuEnergy(Optional.of(library.file()), () -> both);
        library.energy(1_000);
        long before = energy.microjoules().orElseThrow();
        library.energy(4_500);
        assertThat(energy.microjoules().orElseThrow() - before).isEqualTo(3 * 3_500_000);
        assertThat(new GpuEnergy(Optional.of(library.file()), () -> List.of(both.getFirst(), "GPU-gone")).microjoules())
                .isEmpty();
    }

    @Test
    void hasNothingToSayOfAGpuThatNvmlDoesNotShow() throws IOException {
        NvmlStandIn library = NvmlStandIn.compile(folder);
        assertThat(new GpuEnergy(Optional.of(library.file()), () -> List.of("GPU-of-another-machine")).microjoules())
                .isEmpty();
    }

    @Test
    void hasNothingToSayWhereThereIsNoNvml() {
        assertThat(new GpuEnergy(Optional.of(folder.resolve("missing.so")), () -> List.of("GPU-1")).microjoules())
                .isEmpty();
    }

    @Test
    void goesOnWhenTheGpuAnswersAgain() throws IOException {
        NvmlStandIn library = NvmlStandIn.compile(folder);
        GpuEnergy energy = new GpuEnergy(Optional.of(library.file()), () -> List.of("GPU-00000000-standin"));
        assertThat(energy.microjoules()).isPresent();
        library.result(15);
        assertThat(energy.microjoules()).isEmpty();
        library.result(0);
        assertThat(energy.microjoules()).isPresent();
    }
}
