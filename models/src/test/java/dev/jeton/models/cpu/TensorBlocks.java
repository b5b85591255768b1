package dev.jeton.models.cpu;

import dev.jeton.models.QuantizedBlock;
import dev.jeton.models.Tensor;

/** The rows of a tensor, and padding after them. */
record TensorBlocks(Tensor tensor) implements PackedMatrix.RowSource {
    @Override
    public void read(int output, int first, int count, float[] target, int offset) {
        throw new AssertionError("blocks are not to be read as floats");
    }

    @Override
    public boolean blocks(int panel) {
        return true;
    }

    @Override
    public boolean block(int output, int number, QuantizedBlock target) {
        if (output >= tensor.shape().getFirst()) {
            return false;
        }
        tensor.block(output, number, target);
        return true;
    }
}
