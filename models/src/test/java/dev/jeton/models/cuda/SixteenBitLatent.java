package dev.jeton.models.cuda;

import dev.jeton.models.TensorType;
import dev.jeton.models.reference.LatentContract;

/** Latent attention in sixteen bits, wherever kernels run. */
abstract class SixteenBitLatent extends LatentContract {

    @Override
    protected TensorType exactly(TensorType type) {
        return type == TensorType.F32 ? TensorType.F16 : type;
    }

    @Override
    protected double tolerance(TensorType weights) {
        return weights == TensorType.BF16 ? 1 : 0.15;
    }

    @Override
    protected boolean roundsInputs(TensorType weights) {
        return true;
    }
}
