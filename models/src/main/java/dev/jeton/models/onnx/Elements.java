package dev.jeton.models.onnx;

import ai.onnxruntime.OnnxJavaType;
import dev.jeton.models.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Elements of ONNX Runtime's types in memory. */
final class Elements {

    private Elements() {}

    /** Writes a whole number of a type that is INT64 or INT32. */
    static void put(MemorySegment memory, OnnxJavaType type, long index, long value) {
        if (type == OnnxJavaType.INT64) {
            memory.setAtIndex(ValueLayout.JAVA_LONG, index, value);
        } else {
            memory.setAtIndex(ValueLayout.JAVA_INT, index, (int) value);
        }
    }

    /** A type that is FLOAT, FLOAT16 or BFLOAT16 as Jeton names it. */
    static TensorType of(OnnxJavaType type) {
        return switch (type) {
            case FLOAT -> TensorType.F32;
            case FLOAT16 -> TensorType.F16;
            default -> TensorType.BF16;
        };
    }
}
