package dev.jeton.models;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** How the rows and columns of a {@link Tensor} lie in what is stored. */
sealed interface TensorLayout {

    /** Row by row. */
    record InOrder() implements TensorLayout {}

    /**
     * Row by row, but that, among the first {@code turned} rows of a head, row {@code i} of their first half and row
     * {@code i} of their second half are one after the other.
     *
     * @param head rows of a head
     * @param turned even, and no more than those
     */
    record PairedRows(int head, int turned) implements TensorLayout {

        /** Which stored row a row is. */
        long place(long row) {
            long inHead = row % head;
            long half = turned / 2;
            return inHead < turned ? row - inHead + 2 * (inHead % half) + inHead / half : row;
        }
    }

    /**
     * Row by row, but {@code height} of each {@code every} stored rows, from the {@code first} of these on.
     *
     * @param height rows that are one after the other
     * @param every stored rows from the first of them to the first of the next
     * @param first stored rows before all
     */
    record Strips(int height, int every, int first) implements TensorLayout {

        /** Which stored row a row is. */
        long place(long row) {
            return row / height * every + first + row % height;
        }
    }

    /**
     * Column by column, of a plain type: each stored row holds an element of every row of the tensor, and of others.
     *
     * @param stride elements of a stored row
     * @param first place of the tensor's first row among them
     * @param step from a row to the next
     */
    record Columns(long stride, long first, long step) implements TensorLayout {

        private static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;

        /** That of a tensor which begins with a row of this one. */
        Columns from(long row) {
            return new Columns(stride, first + row * step, step);
        }

        private long place(long row, long column) {
            return column * stride + first + row * step;
        }

        MemorySegment row(MemorySegment stored, TensorType type, long row, long width) {
            int bytes = type.bytes();
            MemorySegment copy = MemorySegment.ofArray(new byte[Math.toIntExact(width * bytes)]);
            for (long column = 0; column < width; column++) {
                long from = place(row, column) * bytes;
                if (bytes == Short.BYTES) {
                    copy.set(SHORT, column * bytes, stored.get(SHORT, from));
                } else {
                    MemorySegment.copy(stored, from, copy, column * bytes, bytes);
                }
            }
            return copy;
        }

        void copy(MemorySegment stored, TensorType type, long row, long column, float[] target, int offset, int count) {
            for (int i = 0; i < count; i++) {
                type.floats(stored, place(row, column + i), target, offset + i, 1);
            }
        }
    }

    /**
     * Blocks of MXFP4 whose powers of two are stored apart, and whose neighbouring elements share a byte.
     *
     * @param powers a byte for each block, in the order of the blocks
     * @param first stored row of the tensor's first row
     * @param step from a row to the next
     */
    record PairedHalves(MemorySegment powers, long first, long step) implements TensorLayout {

        /** That of a tensor which begins with a row of this one. */
        PairedHalves from(long row) {
            return new PairedHalves(powers, first + row * step, step);
        }

        /** Which stored block a block of a row of so many elements is. */
        long block(long row, long number, long width) {
            return (first + row * step) * (width / TensorType.MXFP4.blockElements()) + number;
        }

        /** A row as ggml has it: the power first, element j in the low half of byte j, element j + 16 in the high. */
        MemorySegment row(MemorySegment stored, long row, long width) {
            int size = TensorType.MXFP4.blockBytes();
            int blocks = (int) (width / TensorType.MXFP4.blockElements());
            byte[] copy = new byte[blocks * size];
            byte[] pairs = new byte[16];
            for (int b = 0; b < blocks; b++) {
                long from = block(row, b, width);
                copy[b * size] = powers.get(ValueLayout.JAVA_BYTE, from);
                MemorySegment.copy(stored, ValueLayout.JAVA_BYTE, 16 * from, pairs, 0, 16);
                for (int e = 0; e < 32; e++) {
                    int half = pairs[e / 2] >> 4 * (e % 2) & 15;
                    copy[b * size + 1 + e % 16] |= (byte) (half << 4 * (e / 16));
                }
            }
            return MemorySegment.ofArray(copy);
        }
    }
}
