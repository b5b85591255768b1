package dev.jeton.natives;

/** Elements of a matrix; the numbers are those of {@code cudaDataType} in library_types.h. */
public enum MatrixType {
    /** 32-bit float. */
    F32(0, 4),
    /** 16-bit float, 5 bits of exponent. */
    F16(2, 2),
    /** 16-bit float, 8 bits of exponent. */
    BF16(14, 2),
    /** 8-bit float, 4 bits of exponent, no infinity, at most 448. */
    F8_E4M3(28, 1);

    private final int code;
    private final int bytes;

    MatrixType(int code, int bytes) {
        this.code = code;
        this.bytes = bytes;
    }

    int code() {
        return code;
    }

    /** Bytes of an element. */
    public int bytes() {
        return bytes;
    }
}
