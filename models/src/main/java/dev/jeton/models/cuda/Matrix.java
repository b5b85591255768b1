package dev.jeton.models.cuda;

/**
 * A matrix of weights on the device, {@code [rows][columns]}.
 *
 * @param format of its values
 * @param address of the first value
 * @param scales address of what values are multiplied by; 0 for sixteen bits
 * @param rows outputs
 * @param columns inputs
 * @param order address of {@code int[columns]}, of experts {@code int[experts][columns]}: the input that each column is
 *     of; 0 where they are in order
 */
record Matrix(WeightFormat format, long address, long scales, int rows, int columns, long order) {

    /** One of sixteen bits. */
    Matrix(long address, int rows, int columns) {
        this(WeightFormat.SIXTEEN, address, 0, rows, columns, 0);
    }

    /** Bytes that its values take. */
    long bytes() {
        return format.valueBytes(rows, columns);
    }

    /** The same for inputs that come in its order. */
    Matrix inOrder() {
        return new Matrix(format, address, scales, rows, columns, 0);
    }

    /** Where a row's scales are. */
    long scales(int row) {
        return scales + format.scaleBytes(row, columns);
    }
}
