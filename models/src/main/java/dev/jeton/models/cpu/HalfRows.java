package dev.jeton.models.cpu;

import java.lang.foreign.SegmentAllocator;

/**
 * Rows of inputs rounded to BF16, as {@link NativeKernels#bf16} multiplies them. They are rounded once and read for
 * every panel of a matrix: rounding them anew for each took a tenth of a product.
 *
 * <p>A row begins on a line of the first cache, an odd number of lines after the one before, so that rows of a power of
 * two of inputs do not fall on the same sets. Written before a product's tiles, or by the thread whose it is.
 */
final class HalfRows {

    /** Numbers of a line. */
    private static final int LINE = 32;

    private final long address;
    private final long size;
    private long held = -1;

    /** Room for so many numbers. */
    HalfRows(long size, SegmentAllocator memory) {
        this.size = size;
        address = memory.allocate(Math.max(LINE, size) * Short.BYTES, 2 * LINE).address();
    }

    /** From one row of so many inputs to the next. */
    static int stride(int columns) {
        return ((columns + LINE - 1) / LINE | 1) * LINE;
    }

    /** Numbers that rows take. */
    static long size(int rows, int columns) {
        return (long) rows * stride(columns);
    }

    /** Where a row of so many inputs is. */
    long row(int row, int columns) {
        return address + Short.BYTES * size(row, columns);
    }

    /**
     * Rounds rows.
     *
     * @param x their inputs, the first row's at {@code from}, {@code stride} apart
     * @param first which of the rows here the first becomes
     */
    void round(float[] x, int from, int stride, int columns, int first, int rows) {
        assert size(first + rows, columns) <= size : first + rows + " rows of " + columns;
        NativeKernels.round(x, from, stride, columns, rows, row(first, columns), stride(columns));
    }

    /** Whether what is here is what the key names; if not, it is from now on, and the caller must see to it. */
    boolean holds(long key) {
        boolean same = held == key;
        held = key;
        return same;
    }
}
