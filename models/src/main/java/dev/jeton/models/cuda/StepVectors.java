package dev.jeton.models.cuda;

import dev.jeton.models.TensorType;
import dev.jeton.models.VectorHead;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import java.lang.foreign.MemorySegment;

/**
 * What a step of a model that gives vectors leaves on the device, and what the host makes of it: the normalised states
 * of rows' last tokens, one after the other, in the sixteen bits of activations. A state is {@code 2 * hidden} bytes;
 * all that follows it is done on the host.
 *
 * <p>Owned by the engine's thread.
 */
final class StepVectors {

    private final VectorHead head;
    private final TensorType type;
    private final int hidden;
    private final int width;
    private final float[] state;

    /** @param width elements of a vector */
    StepVectors(VectorHead head, DeviceShape.Type type, int hidden, int width) {
        this.head = head;
        this.type = type == DeviceShape.Type.FP16 ? TensorType.F16 : TensorType.BF16;
        this.hidden = hidden;
        this.width = width;
        state = new float[hidden];
    }

    /** Bytes of so many states. */
    static long bytes(int states, int hidden) {
        return 2L * states * hidden;
    }

    /** The same of this model. */
    long bytes(int states) {
        return bytes(states, hidden);
    }

    /**
     * Reads a step's result.
     *
     * @param memory states, copied from the device
     * @param epochs by slot: which use of it is current; rows of earlier uses are passed over
     */
    void read(MemorySegment memory, StepInputs step, long[] epochs, StepResult result) {
        result.reservePooled(width);
        for (int row = 0; row < step.rows; row++) {
            result.beginRow(row);
            if (step.has(row, StepBatch.POOLED) && step.epoch[row] == epochs[step.slot[row]]) {
                type.floats(memory, (long) step.logitStart[row] * hidden, state, 0, hidden);
                if (!head.write(state, 0, hidden, result.pooled, row * width)) {
                    result.fail(row, VectorHead.DAMAGED);
                }
            }
        }
    }
}
