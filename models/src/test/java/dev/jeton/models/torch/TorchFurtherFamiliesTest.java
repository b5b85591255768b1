package dev.jeton.models.torch;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.reference.ExpertFamiliesContract;
import java.nio.file.Path;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(NeedsTorch.class)
class TorchFurtherFamiliesTest extends ExpertFamiliesContract {

    @Override
    protected Engine load(Path model, EngineOptions options) {
        return TorchEngine.load(model, options, TorchDevice.PROCESSORS);
    }

    /** As {@link TorchFamilyTest} has the others. */
    @Override
    protected double tolerance(double ofFloat32, TensorType weights) {
        return weights == TensorType.BF16 ? 1 : ofFloat32;
    }

    @Override
    protected boolean roundsInputs(TensorType weights) {
        return weights == TensorType.BF16;
    }
}
