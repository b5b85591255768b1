package dev.jeton.models.cuda;

import dev.jeton.models.TensorType;
import dev.jeton.models.reference.VectorContract;

/** Vectors of texts by activations in fp16, wherever kernels run. */
abstract class SixteenBitVectors extends VectorContract {

    @Override
    protected TensorType type() {
        return TensorType.F16;
    }

    /** Eleven bits of fraction through three layers, and a logit that sums 96 of them. */
    @Override
    protected double tolerance() {
        return 0.01;
    }
}
