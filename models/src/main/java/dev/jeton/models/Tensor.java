package dev.jeton.models;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * A tensor of a weights file, mapped and read-only; valid until its {@link WeightFiles} are closed.
 *
 * <p>Elements are in row-major order. A file may have them in another order, which {@link #row}, {@link #copyTo} and
 * {@link #data} undo ({@link TensorLayout}).
 */
public final class Tensor {

    private final String name;
    private final TensorType type;
    private final List<Long> shape;
    private final MemorySegment stored;
    private final TensorLayout layout;
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
        this(name, type, shape, data, new TensorLayout.InOrder());
    }

    /** The same in another layout. */
    Tensor(String name, TensorType type, List<Long> shape, MemorySegment data, TensorLayout layout) {
        this.name = name;
        this.type = type;
        this.shape = List.copyOf(shape);
        this.stored = data;
        this.layout = layout;
        this.width = this.shape.stream().skip(1).reduce(1L, Math::multiplyExact);
    }

    /**
     * The same elements, read from rows that lie pair by pair among the first {@code turned} rows of each head of
     * {@code head}: row {@code i} of their first half and row {@code i} of their second half are one after the other.
     * So files have the rows of queries and keys whose rotary embedding turns neighbours.
     */
    Tensor fromPairedRows(int head, int turned) {
        if (shape.getFirst() % head != 0 || turned % 2 != 0 || turned > head) {
            throw new ModelException("tensor \"%s\" of shape %s has no heads of %d rows, of which %d go in pairs"
                    .formatted(name, shape, head, turned));
        }
        if (!(layout instanceof TensorLayout.InOrder)) {
            throw new IllegalStateException("rows of \"" + name + "\" lie in another order");
        }
        return new Tensor(name, type, shape, stored, new TensorLayout.PairedRows(head, turned));
    }

    /**
     * Of each {@code every} rows the {@code height} from {@code first} on: where a matrix has, head by head, what
     * others have in matrices apart.
     */
    Tensor strips(int height, int every, int first) {
        if (shape.getFirst() % every != 0 || first + height > every) {
            throw new ModelException(
                    "tensor \"%s\" of shape %s has no heads of %d rows each".formatted(name, shape, every));
        }
        if (!(layout instanceof TensorLayout.InOrder)) {
            throw new IllegalStateException("rows of \"" + name + "\" lie in another order");
        }
        List<Long> part = new ArrayList<>(shape);
        part.set(0, shape.getFirst() / every * height);
        return new Tensor(name, type, part, stored, new TensorLayout.Strips(height, every, first));
    }

    /**
     * Rows [from, from + count) of the outermost dimension: of whole heads, where rows of a head lie in another order.
     */
    public Tensor rows(long from, long count) {
        List<Long> part = new ArrayList<>(shape);
        part.set(0, count);
        return switch (layout) {
            case TensorLayout.InOrder _ -> new Tensor(name, type, part, storedRows(from, count), layout);
            case TensorLayout.PairedRows paired -> {
                if (from % paired.head() != 0 || count % paired.head() != 0) {
                    throw new IllegalStateException("rows of \"" + name + "\" lie in another order");
                }
                yield new Tensor(name, type, part, storedRows(from, count), layout);
            }
            case TensorLayout.Strips _ -> throw new IllegalStateException("rows of \"" + name + "\" lie in strips");
            case TensorLayout.Columns columns -> new Tensor(name, type, part, stored, columns.from(from));
            case TensorLayout.PairedHalves halves -> new Tensor(name, type, part, stored, halves.from(from));
        };
    }

    /** A plain matrix whose rows lie in order, column by column. */
    Tensor transposed() {
        if (!(layout instanceof TensorLayout.InOrder) || type.quantized() || shape.size() != 2) {
            throw new IllegalStateException("columns of \"" + name + "\" are not to be had");
        }
        return new Tensor(name, type, shape.reversed(), stored, new TensorLayout.Columns(width, 0, 1));
    }

    private MemorySegment storedRows(long from, long count) {
        return stored.asSlice(bytes(width) * from, bytes(width) * count);
    }

    /** The same without an outermost dimension of one. */
    Tensor withoutFirst() {
        return new Tensor(name, type, shape.subList(1, shape.size()), stored);
    }

    /** The same with an outermost dimension of one. */
    Tensor asRow() {
        List<Long> more = new ArrayList<>(shape);
        more.addFirst(1L);
        return new Tensor(name, type, more, data());
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
        if (layout instanceof TensorLayout.InOrder) {
            return stored;
        }
        long bytes = bytes(width);
        MemorySegment copy = Arena.ofAuto().allocate(bytes * shape.getFirst(), 64);
        for (long row = 0; row < shape.getFirst(); row++) {
            MemorySegment.copy(row(row), 0, copy, bytes * row, bytes);
        }
        return copy.asReadOnly();
    }

    /** Whether {@link #data} is the mapped file, and no copy. */
    public boolean mapped() {
        return layout instanceof TensorLayout.InOrder;
    }

    /**
     * The elements of a row of the outermost dimension as its type has them: as stored, or a copy where they lie in
     * another order.
     */
    public MemorySegment row(long row) {
        long bytes = bytes(width);
        return switch (layout) {
            case TensorLayout.InOrder _ -> stored.asSlice(bytes * row, bytes);
            case TensorLayout.PairedRows paired -> stored.asSlice(bytes * paired.place(row), bytes);
            case TensorLayout.Strips strips -> stored.asSlice(bytes * strips.place(row), bytes);
            case TensorLayout.Columns columns -> columns.row(stored, type, row, width);
            case TensorLayout.PairedHalves halves -> halves.row(stored, row, width);
        };
    }

    /** Reads a block of a row of a quantised tensor. */
    public void block(long row, long number, QuantizedBlock target) {
        switch (layout) {
            case TensorLayout.InOrder _ -> target.read(type, stored, bytes(width) * row + number * type.blockBytes());
            case TensorLayout.PairedRows paired ->
                target.read(type, stored, bytes(width) * paired.place(row) + number * type.blockBytes());
            case TensorLayout.Strips strips ->
                target.read(type, stored, bytes(width) * strips.place(row) + number * type.blockBytes());
            case TensorLayout.PairedHalves halves ->
                target.readPairs(stored, halves.powers(), halves.block(row, number, width));
            case TensorLayout.Columns _ -> throw new IllegalStateException(type + " has no blocks");
        }
    }

    /** Number of elements. */
    public long elements() {
        return shape.stream().reduce(1L, Math::multiplyExact);
    }

    /** Element {@code index} in row-major order. */
    public float at(long index) {
        float[] one = new float[1];
        copyTo(index, one, 0, 1);
        return one[0];
    }

    /** Copies {@code count} elements from {@code index} on to {@code target[offset]} as floats. */
    public void copyTo(long index, float[] target, int offset, int count) {
        if (layout instanceof TensorLayout.InOrder && !type.quantized()) {
            type.floats(stored, index, target, offset, count);
            return;
        }
        for (int done = 0; done < count; ) {
            long at = index + done;
            int run = (int) Math.min(width - at % width, count - done);
            copyOfRow(at / width, at % width, target, offset + done, run);
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

    private void copyOfRow(long row, long column, float[] target, int offset, int count) {
        if (type.quantized()) {
            copyBlocks(row, column, target, offset, count);
        } else if (layout instanceof TensorLayout.Columns columns) {
            columns.copy(stored, type, row, column, target, offset, count);
        } else {
            type.floats(row(row), column, target, offset, count);
        }
    }

    private void copyBlocks(long row, long column, float[] target, int offset, int count) {
        QuantizedBlock block = new QuantizedBlock();
        int size = type.blockElements();
        for (int done = 0; done < count; ) {
            long at = column + done;
            int first = (int) (at % size);
            int run = Math.min(size - first, count - done);
            block(row, at / size, block);
            block.copyTo(first, target, offset + done, run);
            done += run;
        }
    }
}
