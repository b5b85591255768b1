package dev.jeton.natives;

/** Types of elements that ranks exchange. */
public enum NcclType {
    /** IEEE 754 binary16. */
    F16(6, 2),
    /** IEEE 754 binary32. */
    F32(7, 4),
    /** The upper half of a binary32. */
    BF16(9, 2);

    /** {@code ncclDataType_t}. */
    final int code;

    private final int bytes;

    NcclType(int code, int bytes) {
        this.code = code;
        this.bytes = bytes;
    }

    /** Bytes of an element. */
    public int bytes() {
        return bytes;
    }
}
