package dev.jeton.models;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * A tensor of a weights file, mapped and read-only; valid until its {@link WeightFiles} are closed.
 *
 * <p>Elements are in row-major order. The rows of a file may lie in another order than the tensor's, which
 * {@link #row}, {@link #copyTo} and {@link #data} undo.
 */
public final class Tensor {

    private final String name;
    private final TensorType type;
    private final List<Long> shape;
    private final MemorySegment stored;
    private final int pairedRows;
    private final long width;

    /**
     * A tensor whose rows lie in order.
     *
     * @param name in the words of a Hugging Face folder
     * @param type of the elements
     * @param shape sizes of the dimensions, outermost first
     * @param data the elements, row-major, little-endian, of exactly the shape's size
     */
    public Tensor(String name, TensorType type, List<Long> shape, MemorySegment data) {
        this(name, type, shape, data, 0);
    }

    private Tensor(String name, TensorType type, List<Long> shape, MemorySegment data, int pairedRows) {
        this.name = name;
        this.type = type;
        this.shape = List.copyOf(shape);
        this.stored = data;
        this.pairedRows = pairedRows;
        this.width = this.shape.stream().skip(1).reduce(1L, Math::multiplyExact);
    }

    /**
     * The same elements, read from rows that lie pair by pair within each head of {@code head} rows: row {@code i} of a
     * head's first half and row {@code i} of its second half are one after the other. So files have the rows of queries
     * and keys whose rotary embedding turns neighbours.
     */
    Tensor fromPairedRows(int head) {
        if (head % 2 != 0 || shape.getFirst() % head != 0) {
            throw new ModelException("tensor \"%s\" of shape %s has no heads of %d rows".formatted(name, shape, head));
        }
        return new Tensor(name, type, shape, stored, head);
    }

    /**
     * Rows [from, from + count) of the outermost dimension: of whole heads, where rows of a head lie in another order.
     */
    public Tensor rows(long from, long count) {
        if (pairedRows != 0 && (from % pairedRows != 0 || count % pairedRows != 0)) {
            throw new IllegalStateException("rows of \"" + name + "\" lie in another order");
        }
        List<Long> part = new ArrayList<>(shape);
        part.set(0, count);
        MemorySegment rows = stored.asSlice(bytes(width) * from, bytes(width) * count);
        return new Tensor(name, type, part, rows, pairedRows);
    }

    /** The same without an outermost dimension of one. */
    Tensor withoutFirst() {
        return new Tensor(name, type, shape.subList(1, shape.size()), stored);
    }

    /** In the words of a Hugging Face folder. */
    public String name() {
        return name;
    }

    /** Of the elements. */
    public TensorType type() {
        return type;
    }

    /** Sizes of the dimensions, outermost first. */
    public List<Long> shape() {
        return shape;
    }

    /**
     * The elements as stored, in the tensor's order: the mapped file, or a copy where its rows lie in another order.
     */
    public MemorySegment data() {
        if (pairedRows == 0) {
            return stored;
        }
        MemorySegment copy = java.lang.foreign.Arena.ofAuto().allocate(stored.byteSize(), 64);
        long bytes = bytes(width);
        for (long row = 0; row < shape.getFirst(); row++) {
            MemorySegment.copy(stored, bytes * storedRow(row), copy, bytes * row, bytes);
        }
        return copy.asReadOnly();
    }

    /** The elements of a row of the outermost dimension as stored. */
    public MemorySegment row(long row) {
        long bytes = bytes(width);
        return stored.asSlice(bytes * storedRow(row), bytes);
    }

    /** Reads a block of a row of a quantised tensor. */
    public void block(long row, long number, QuantizedBlock target) {
        target.read(type, stored, bytes(width) * storedRow(row) + number * type.blockBytes());
    }

    /** Number of elements. */
    public long elements() {
        return stored.byteSize() / type.blockBytes() * type.blockElements();
    }

    /** Element {@code index} in row-major order. */
    public float at(long index) {
        float[] one = new float[1];
        copyTo(index, one, 0, 1);
        return one[0];
    }

    /** Copies {@code count} elements from {@code index} on to {@code target[offset]} as floats. */
    public void copyTo(long index, float[] target, int offset, int count) {
        if (pairedRows == 0) {
            copyStored(index, target, offset, count);
            return;
        }
        for (int done = 0; done < count; ) {
            long at = index + done;
            int run = (int) Math.min(width - at % width, count - done);
            copyStored(width * storedRow(at / width) + at % width, target, offset + done, run);
            done += run;
        }
    }

    /** All elements as floats; for vectors such as norms and biases. */
    public float[] toFloats() {
        float[] values = new float[Math.toIntExact(elements())];
        copyTo(0, values, 0, values.length);
        return values;
    }

    private long bytes(long elements) {
        return elements / type.blockElements() * type.blockBytes();
    }

    private long storedRow(long row) {
        if (pairedRows == 0) {
            return row;
        }
        long inHead = row % pairedRows;
        long half = pairedRows / 2;
        return row - inHead + 2 * (inHead % half) + inHead / half;
    }

    private void copyStored(long index, float[] target, int offset, int count) {
        if (type.quantized()) {
            copyBlocks(index, target, offset, count);
        } else {
            type.floats(stored, index, target, offset, count);
        }
    }

    private void copyBlocks(long index, float[] target, int offset, int count) {
        QuantizedBlock block = new QuantizedBlock();
        int size = type.blockElements();
        for (int done = 0; done < count; ) {
            long at = index + done;
            int first = (int) (at % size);
            int run = Math.min(size - first, count - done);
            block.read(type, stored, at / size * type.blockBytes());
            block.copyTo(first, target, offset + done, run);
            done += run;
        }
    }
}
