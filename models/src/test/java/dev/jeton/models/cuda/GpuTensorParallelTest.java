package dev.jeton.models.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.jeton.models.DeviceOptions;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.FamilyContract;
import dev.jeton.models.reference.ReferenceCheck;
import dev.jeton.models.reference.ReferenceDecoder;
import dev.jeton.models.reference.TinyModel;
import dev.jeton.natives.CudaDriver;
import dev.jeton.natives.LibraryMissingException;
import dev.jeton.natives.Nccl;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** NCCL on the GPUs at hand: one of them by itself, and as many as there are; skipped where something is missing. */
@Tag("gpu")
class GpuTensorParallelTest {

    private static final long SEED = 20_260_108;

    private final DeviceLibraries libraries = DeviceLibraries.of(System.getenv());
    private final CudaEngineProvider provider = new CudaEngineProvider(libraries);

    @TempDir
    Path folder;

    @BeforeEach
    void needsAGpuAndNccl() {
        String missing = provider.missing();
        assumeTrue(missing.isEmpty(), missing);
        try {
            Nccl.open(libraries.nccl());
        } catch (LibraryMissingException e) {
            abort(String.valueOf(e.getMessage()));
        }
    }

    private double error(DeviceLibraries with, int ranks) throws IOException {
        String biases = "\"attention_bias\": true, \"tie_word_embeddings\": true";
        String config = Configs.config("LlamaForCausalLM", 256, 16, 8, 64, 1024, biases);
        TinyModel model = new TinyModel(folder, config, TensorType.F16, SEED);
        EngineOptions options = new EngineOptions(0, 1 << 24, 4, 64, 16, 2, "none")
                .with(new DeviceOptions("", false, "auto", Duration.ofSeconds(5), ranks));
        ReferenceDecoder reference = new ReferenceDecoder(model.spec, model.weights, FamilyContract.plain(64), 1);
        return ReferenceCheck.errors(
                        (path, chosen) -> CudaEngine.load(path, chosen, with), model, reference, options, SEED, 70, 23)
                .getAverage();
    }

    @Test
    void oneRankComputesTheSameThroughNccl() throws IOException {
        double alone = error(libraries, 1);
        assertThat(error(libraries.joiningOne(), 1)).isLessThan(2 * alone + 1e-3);
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 4, 8})
    void severalRanksAreAsNearToTheReferenceAsOne(int ranks) throws IOException {
        int there = CudaDriver.open(libraries.driver()).devices().size();
        assumeTrue(there >= ranks, "there are %d GPUs".formatted(there));
        assertThat(error(libraries, ranks)).isLessThan(2 * error(libraries, 1) + 1e-3);
    }
}
