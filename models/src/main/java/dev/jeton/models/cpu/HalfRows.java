package dev.jeton.models.cpu;

import java.lang.foreign.SegmentAllocator;

/**
 * Rows of inputs rounded to BF16, as {@link NativeKernels} multiplies them. They are rounded once and read for every
 * panel of a matrix: rounding them anew for each took a tenth of a product.
 *
 * <p>A row begins on a line of the first cache, an odd number of lines after the one before, so that rows of a power of
 * two of inputs do not fall on the same sets. Written before a product's tiles, or by the thread whose it is.
 */
final class HalfRows {

    /** What a matrix wants of its inputs. */
    enum Order {
        /** They are read as floats. */
        FLOATS,
        /** As they come. */
        PLAIN,
        /** Of each eight the first beside the fifth, the second beside the sixth and so on; then sums of each 32. */
        HALVES_OF_EIGHT
    }

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

    /** Numbers from one row to the next. */
    static int stride(int columns, Order order) {
        int lines = (columns + LINE - 1) / LINE;
        int sums = order == Order.HALVES_OF_EIGHT ? (2 * lines + LINE - 1) / LINE : 0;
        return (lines + sums | 1) * LINE;
    }

    /** Numbers from one row of a matrix's inputs to the next; 0 where it reads floats. */
    static int stride(PackedMatrix w) {
        return w.order() == Order.FLOATS ? 0 : stride(w.columns(), w.order());
    }

    /** Where a row of a matrix's inputs is. */
    long row(int row, PackedMatrix w) {
        return address + (long) Short.BYTES * row * stride(w);
    }

    /**
     * Rounds rows of a matrix's inputs.
     *
     * @param x the inputs, the first row's at {@code from}, {@code stride} apart
     * @param first which of the rows here the first becomes
     */
    void round(float[] x, int from, int stride, PackedMatrix w, int first, int rows) {
        assert (long) (first + rows) * stride(w) <= size : first + rows + " rows of " + w.columns();
        NativeKernels.round(w.order(), x, from, stride, w.columns(), rows, row(first, w));
    }

    /** Whether what is here is what the key names; if not, it is from now on, and the caller must see to it. */
    boolean holds(long key) {
        boolean same = held == key;
        held = key;
        return same;
    }
}
