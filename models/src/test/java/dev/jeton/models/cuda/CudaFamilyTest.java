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

    /** Half of the families in fp16, whose eleven bits show more than bf16's eight. */
    @Override
    protected TensorType exactly(TensorType type) {
        return type == TensorType.F32 ? TensorType.F16 : type;
    }

    @Override
    protected double tolerance(double ofFloat32) {
        return 0.4;
    }
}
