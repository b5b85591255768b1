package dev.jeton.models.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.ExpertFamiliesContract;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** The same with the kernels in C, as {@link NativeFamilyTest} has the others. */
class NativeFurtherFamiliesTest extends ExpertFamiliesContract {

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

    @Override
    protected boolean roundsInputs(TensorType weights) {
        return weights == TensorType.BF16;
    }

    /** Rounded there as well, more tokens would go to other experts. */
    @Test
    void leavesTheRouterToAProductThatDoesNotRound() throws IOException {
        TinyModel model = model(Configs.mixtral(""), "BF16");
        try (NativeMemory memory = new NativeMemory();
                ComputeTeam team = new ComputeTeam(1);
                DecoderWeights weights = DecoderWeights.load(model.folder, model.spec, false, true, memory, team)) {
            DecoderWeights.Sparse layer = weights.sparse(0);
            assertThat(layer.experts().getFirst().down().format(0)).isEqualTo(PackedMatrix.Format.BF16_PAIRS);
            assertThat(NativeKernels.reads(layer.router().format(0))).isFalse();
        }
    }
}
