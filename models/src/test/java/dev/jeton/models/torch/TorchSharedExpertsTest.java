package dev.jeton.models.torch;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.reference.SharedExpertsContract;
import java.nio.file.Path;
import org.junit.jupiter.api.extension.ExtendWith;

/** Experts beside what all tokens go through, against the float64 reference. */
@ExtendWith(NeedsTorch.class)
class TorchSharedExpertsTest extends SharedExpertsContract {

    @Override
    protected Engine load(Path model, EngineOptions options) {
        return TorchEngine.load(model, options, TorchDevice.PROCESSORS);
    }

    /** As {@link TorchFamilyTest} has the others. */
    @Override
    protected double tolerance(TensorType weights) {
        return weights == TensorType.BF16 ? 1 : super.tolerance(weights);
    }

    @Override
    protected boolean roundsInputs(TensorType weights) {
        return weights == TensorType.BF16;
    }
}
