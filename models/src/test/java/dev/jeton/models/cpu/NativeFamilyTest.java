package dev.jeton.models.cpu;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.reference.FamilyContract;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;

/** With the kernels in C, which round the inputs of BF16 weights to BF16: so near are they to those that do not. */
class NativeFamilyTest extends FamilyContract {

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
}
