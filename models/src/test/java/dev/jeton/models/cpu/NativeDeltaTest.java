package dev.jeton.models.cpu;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.reference.DeltaContract;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;

/** The same with the kernels in C. */
class NativeDeltaTest extends DeltaContract {

    @BeforeAll
    static void available() {
        assumeTrue(NativeKernels.AVAILABLE, "no C compiler in the build, or no AVX-512 with BF16");
    }

    @Override
    protected Engine load(Path model, EngineOptions options) {
        return CpuEngine.load(model, options, true);
    }

    @Override
    protected double tolerance(TensorType weights) {
        return weights == TensorType.F32 ? super.tolerance(weights) : 0.8;
    }

    @Override
    protected boolean roundsInputs(TensorType weights) {
        return weights == TensorType.BF16;
    }
}
