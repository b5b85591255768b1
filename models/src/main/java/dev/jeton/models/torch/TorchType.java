package dev.jeton.models.torch;

import dev.jeton.models.TensorType;
import java.util.Optional;

/**
 * Element types by libtorch's numbers (c10/core/ScalarType.h). DJL's own names are not used: its BFLOAT16 aborts the
 * process in the JNI layer of this version.
 */
enum TorchType {
    /** IEEE 754 binary16. */
    HALF(5, 2),
    /** IEEE 754 binary32. */
    FLOAT(6, 4),
    /** The upper half of a binary32. */
    BFLOAT16(15, 2);

    private final int code;
    private final int bytes;

    TorchType(int code, int bytes) {
        this.code = code;
        this.bytes = bytes;
    }

    /** As scripts name it. */
    int code() {
        return code;
    }

    /** Bytes of an element. */
    int bytes() {
        return bytes;
    }

    /** The type that holds elements of a weights file as they are; empty for blocks of quantised ones. */
    static Optional<TorchType> of(TensorType type) {
        return switch (type) {
            case F32 -> Optional.of(FLOAT);
            case F16 -> Optional.of(HALF);
            case BF16 -> Optional.of(BFLOAT16);
            case Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q4_K, Q5_K, Q6_K, MXFP4 -> Optional.empty();
        };
    }
}
