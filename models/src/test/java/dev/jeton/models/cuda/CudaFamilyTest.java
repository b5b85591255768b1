package dev.jeton.models.cuda;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.reference.FamilyContract;
import java.nio.file.Path;
import org.junit.jupiter.api.extension.RegisterExtension;

class CudaFamilyTest extends FamilyContract {

    @RegisterExtension
    static final StandInMachine MACHINE = new StandInMachine();

    @Override
    protected Engine load(Path model, EngineOptions options) {
        return CudaEngine.load(model, options, MACHINE.libraries());
    }

    /** What the engine would round is tested with weights of eleven bits; bf16 stays as it is. */
    @Override
    protected TensorType exactly(TensorType type) {
        return type == TensorType.F32 ? TensorType.F16 : type;
    }

    /**
     * Errors grow with the unit of rounding: of fp16 2^13 times float32's, of bf16 2^16 times. Where float32 is off by
     * 0.00006 at most (FamilyReferenceTest), that is 0.5 and 4; most of it averages out.
     */
    @Override
    protected double tolerance(double ofFloat32, TensorType weights) {
        return weights == TensorType.BF16 ? 1 : 0.15;
    }
}
