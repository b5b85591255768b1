package dev.jeton.models.cuda;

/**
 * A matrix of weights on the device, {@code [rows][columns]}.
 *
 * @param format of its values
 * @param address of the first value
 * @param scales address of what values are multiplied by; 0 for sixteen bits
 * @param rows outputs
 * @param columns inputs
 */
record Matrix(WeightFormat format, long address, long scales, int rows, int columns) {

    /** One of sixteen bits. */
    Matrix(long address, int rows, int columns) {
        this(WeightFormat.SIXTEEN, address, 0, rows, columns);
    }

    /** Bytes that its values take. */
    long bytes() {
        return (long) rows * columns * format.bits() / Byte.SIZE;
    }
}
