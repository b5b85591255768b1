package dev.jeton.models.cpu;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.DenseFamiliesContract;
import dev.jeton.models.reference.FamilyContract;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The same with the kernels in C, as {@link NativeFamilyTest} has the others. */
class NativeDenseFamiliesTest extends DenseFamiliesContract {

    @BeforeAll
    static void available() {
        assumeTrue(NativeKernels.AVAILABLE, "no C compiler in the build, or no AVX-512 with BF16");
    }

    @Override
    protected Engine load(Path model, EngineOptions options) {
        return CpuEngine.load(model, options, true);
    }

    @Override
    protected double tolerance(double ofFloat32, TensorType weights) {
        return weights == TensorType.F32 ? ofFloat32 : 0.8;
    }

    /**
     * The kernels round the inputs of BF16 weights, so a token whose router's logits are nearly equal may go to another
     * expert than in float64, which no tolerance describes; here every token goes to all of them.
     */
    @Test
    void shouldMatchTheReferenceForExpertsWhereNoneIsLeftOut() throws IOException {
        String all = Configs.mixtral("").replace("\"num_experts_per_tok\": 2", "\"num_experts_per_tok\": 5");
        check(model(all, "BF16"), FamilyContract.plain(16));
    }
}
