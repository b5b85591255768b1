package dev.jeton.models.cuda;

/**
 * A matrix of weights on the device, {@code [rows][columns]} in the engine's sixteen bits.
 *
 * @param address of the first element
 * @param rows outputs
 * @param columns inputs
 */
record Matrix(long address, int rows, int columns) {

    /** Bytes that it takes. */
    long bytes() {
        return 2L * rows * columns;
    }
}
