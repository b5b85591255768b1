package dev.jeton.natives;

/** Types of elements that ranks exchange. */
public enum NcclType {
    /** IEEE 754 binary16. */
    F16(6),
    /** IEEE 754 binary32. */
    F32(7),
    /** The upper half of a binary32. */
    BF16(9);

    /** {@code ncclDataType_t}. */
    final int code;

    NcclType(int code) {
        this.code = code;
    }
}
