package dev.jeton.models.cpu;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.reference.FamilyContract;
import dev.jeton.models.reference.GgufModel;
import dev.jeton.models.reference.ReferenceCheck;
import dev.jeton.models.reference.ReferenceDecoder;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Quantised weights by inputs in BF16: as near to float64 over the same weights as those of BF16, which are beside
 * them.
 */
class NativeGgufTest {

    private static final long SEED = 20261128;
    private static final double TOLERANCE = 1.2;
    private static final EngineOptions OPTIONS = KvTypes.precise(new EngineOptions(0, 1 << 22, 4, 64, 16, 2, "none"));

    @TempDir
    Path folder;

    @BeforeAll
    static void available() {
        assumeTrue(NativeKernels.halves(PackedMatrix.Format.Q8_0), "no C compiler in the build, or no AVX-512 for it");
    }

    @ParameterizedTest
    @ValueSource(strings = {"Q8_0", "Q4_0", "Q4_K_M", "Q5_K_M", "Q6_K", "MXFP4", "BF16"})
    void matchesTheReferenceOverTheWeightsOfTheFile(String types) throws IOException {
        TinyModel tiny =
                new TinyModel(folder.resolve("hf"), GgufReferenceTest.config("llama", 8), TensorType.F32, SEED);
        GgufModel model = new GgufModel("llama", tiny.spec, tiny.weights, GgufReferenceTest.type(types));
        Path file = model.write(folder.resolve("m.gguf"));
        ReferenceDecoder reference =
                new ReferenceDecoder(tiny.spec, model.weights, FamilyContract.plain(tiny.spec.headDim()), 1);
        ReferenceCheck.check((path, o) -> CpuEngine.load(file, o, true), tiny, reference, TOLERANCE, OPTIONS, SEED);
    }
}
