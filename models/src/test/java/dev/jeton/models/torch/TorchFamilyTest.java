package dev.jeton.models.torch;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.reference.FamilyContract;
import java.nio.file.Path;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(NeedsTorch.class)
class TorchFamilyTest extends FamilyContract {

    @Override
    protected Engine load(Path model, EngineOptions options) {
        return TorchEngine.load(model, options, TorchDevice.PROCESSORS);
    }

    /** Products of bf16 round their results to eight bits; float32 and fp16 are computed in float32. */
    @Override
    protected double tolerance(double ofFloat32, TensorType weights) {
        return weights == TensorType.BF16 ? 1 : ofFloat32;
    }
}
