package dev.jeton.models.cuda;

import dev.jeton.models.CheckpointQuantization;
import dev.jeton.models.ModelException;
import dev.jeton.models.Tensor;
import dev.jeton.models.TensorType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Comparator;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * A matrix of a checkpoint as its files have it: what tensors say of it, read and checked on the host.
 *
 * @param name without what tensors' names end with
 * @param rows outputs
 * @param columns inputs
 */
record StoredMatrix(ShardFiles files, CheckpointQuantization checkpoint, String name, int rows, int columns) {

    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
    private static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;

    /** Values of eight bits in a word. */
    private static final int BYTES = 4;

    /**
     * The least scale of a block that is kept, since kernels divide by scales; blocks whose scale is less, or nothing,
     * have values below 1e-15.
     */
    private static final float LEAST_SCALE = 1e-18f;

    private static final float MOST_SCALE = 1e18f;

    /** The format in which it comes to the device without being quantised there. */
    WeightFormat format() {
        return switch (checkpoint) {
            case CheckpointQuantization.None none -> asTensor();
            case CheckpointQuantization.Mxfp4 mxfp4 -> asTensor();
            case CheckpointQuantization.Awq awq -> has(".qweight") ? inGroups(4, ".scales") : WeightFormat.SIXTEEN;
            case CheckpointQuantization.Gptq gptq ->
                has(".qweight") ? inGroups(gptq.bits(), ".scales") : WeightFormat.SIXTEEN;
            case CheckpointQuantization.Scaled scaled -> scaled(scaled.blocks());
            case CheckpointQuantization.Packed packed -> {
                if (!has(".weight_packed")) {
                    yield WeightFormat.SIXTEEN;
                }
                yield packed.bits() == 8 && ofWholeRows()
                        ? WeightFormat.INT8
                        : inGroups(packed.bits(), ".weight_scale");
            }
        };
    }

    private WeightFormat asTensor() {
        return files.type(name + ".weight").orElse("").equals(TensorType.MXFP4.name())
                ? WeightFormat.MXFP4
                : WeightFormat.SIXTEEN;
    }

    /**
     * Its blocks of MXFP4.
     *
     * @throws ModelException where a part of it would begin or end within a block
     */
    Tensor blocks() {
        Tensor tensor = files.tensor(name + ".weight", rows, columns);
        if (tensor.type() != TensorType.MXFP4) {
            throw new ModelException(
                    "%s would have %d inputs on each of %d GPUs, and has scales of %d in MXFP4; fewer GPUs may do"
                            .formatted(name, columns, files.ranks(), TensorType.MXFP4.blockElements()));
        }
        return tensor;
    }

    private WeightFormat inGroups(int bits, String scales) {
        return WeightFormat.ofGroups(bits, group(scales));
    }

    /** Whether packed values have one scale for a row, or for all rows, and neither zeros nor an order. */
    private boolean ofWholeRows() {
        return files.elements(name + ".weight_scale").orElse(0L) <= rows
                && !has(".weight_g_idx")
                && zeros(columns, BYTES).isEmpty();
    }

    private boolean has(String tensor) {
        return files.type(name + tensor).isPresent();
    }

    private WeightFormat scaled(boolean blocks) {
        return switch (files.type(name + ".weight").orElse("")) {
            case "F8_E4M3" -> blocks ? WeightFormat.FP8_BLOCK : WeightFormat.FP8;
            case "I8" -> WeightFormat.INT8;
            default -> WeightFormat.SIXTEEN;
        };
    }

    // ---- values of eight bits --------------------------------------------------------------------------------------

    /** The bytes {@code [rows][columns]} of e4m3 or of integers to 127, valid as long as the arena. */
    MemorySegment eightBits(WeightFormat format, Arena arena) {
        if (format != WeightFormat.INT8) {
            return files.bytes(name + ".weight", "F8_E4M3", rows, columns);
        }
        if (!(checkpoint instanceof CheckpointQuantization.Packed)) {
            return files.bytes(name + ".weight", "I8", rows, columns);
        }
        if (columns % BYTES != 0) {
            throw new ModelException(
                    "%s has %d inputs; packed into words, multiples of %d are read".formatted(name, columns, BYTES));
        }
        MemorySegment packed = files.bytes(name + ".weight_packed", "I32", rows, columns / BYTES);
        // 128 less, which changes the highest bit alone
        MemorySegment values = arena.allocate(packed.byteSize(), Long.BYTES);
        long whole = packed.byteSize() / Long.BYTES * Long.BYTES;
        for (long i = 0; i < whole; i += Long.BYTES) {
            values.set(LONG, i, packed.get(LONG, i) ^ 0x8080808080808080L);
        }
        for (long i = whole; i < packed.byteSize(); i++) {
            values.set(BYTE, i, (byte) (packed.get(BYTE, i) ^ 0x80));
        }
        return values;
    }

    /** What they are multiplied by: a float for each row. */
    float[] rowScales() {
        Tensor tensor = scaleTensor();
        if (tensor.elements() != 1 && tensor.elements() != rows) {
            throw new ModelException("tensor \"%s\" has shape %s; one scale, or one for each of %d rows is expected"
                    .formatted(tensor.name(), tensor.shape(), rows));
        }
        float[] found = tensor.toFloats();
        float[] scales = new float[rows];
        for (int i = 0; i < rows; i++) {
            scales[i] = found[found.length == 1 ? 0 : i];
            if (!(scales[i] > 0 && scales[i] < Float.POSITIVE_INFINITY)) {
                throw wrongScale(tensor, scales[i]);
            }
        }
        return scales;
    }

    /**
     * The same of blocks, for each {@value WeightFormat#SCALE_ROWS} rows and {@value CheckpointQuantization#BLOCK}
     * inputs.
     */
    float[] blockScales() {
        int block = CheckpointQuantization.BLOCK;
        int down = Kernel.blocks(rows, block);
        int across = Kernel.blocks(columns, block);
        if (rows % WeightFormat.SCALE_ROWS != 0) {
            throw new ModelException("%s has %d outputs; with scales of blocks, multiples of %d are read"
                    .formatted(name, rows, WeightFormat.SCALE_ROWS));
        }
        files.requireWhole(name, rows, columns, block);
        Tensor tensor = scaleTensor();
        if (tensor.elements() != 1 && tensor.elements() != (long) down * across) {
            throw new ModelException("tensor \"%s\" has shape %s; a scale for each of %d by %d blocks is expected"
                    .formatted(tensor.name(), tensor.shape(), down, across));
        }
        float[] found = tensor.toFloats();
        float[] scales = new float[rows / WeightFormat.SCALE_ROWS * across];
        for (int i = 0; i < scales.length; i++) {
            int row = i / across * WeightFormat.SCALE_ROWS;
            float scale = found[found.length == 1 ? 0 : row / block * across + i % across];
            if (!(scale >= 0 && scale <= MOST_SCALE)) {
                throw wrongScale(tensor, scale);
            }
            scales[i] = Math.max(scale, LEAST_SCALE);
        }
        return scales;
    }

    private Tensor scaleTensor() {
        return files.find(name + ".weight_scale")
                .or(() -> files.find(name + ".weight_scale_inv"))
                .orElseThrow(() -> new ModelException("tensor \"%s.weight_scale\" is missing".formatted(name)));
    }

    private static ModelException wrongScale(Tensor tensor, float scale) {
        return new ModelException(
                "tensor \"%s\" has the scale %s; scales are positive and finite".formatted(tensor.name(), scale));
    }

    // ---- integers in groups ----------------------------------------------------------------------------------------

    /**
     * Integers in groups as the files have them.
     *
     * @param kernel that brings them to the device's layout
     * @param words of values
     * @param zeros packed likewise; empty where all are half of the range
     * @param scales in the files' order: of four bits as fp16, of eight as float
     * @param group inputs that share a scale, a multiple of {@value CheckpointQuantization#LEAST_GROUP}
     * @param order the input that each column is to be of, so that those of a group lie beside each other; empty where
     *     they do
     */
    record Grouped(
            String kernel,
            MemorySegment words,
            Optional<MemorySegment> zeros,
            MemorySegment scales,
            int group,
            Optional<int[]> order) {}

    /** Its integers in groups. */
    Grouped grouped() {
        int bits = format().bits();
        int each = Integer.SIZE / bits;
        if (rows % each != 0) {
            throw new ModelException(
                    "%s has %d outputs; of %d bits each, multiples of %d are read".formatted(name, rows, bits, each));
        }
        return switch (checkpoint) {
            case CheckpointQuantization.Awq awq -> {
                int group = group(".scales");
                yield new Grouped(
                        "repack_awq",
                        files.bytes(name + ".qweight", "I32", columns, rows / each),
                        Optional.of(files.bytes(name + ".qzeros", "I32", columns / group, rows / each)),
                        scales(bits, files.tensor(name + ".scales", columns / group, rows)),
                        group,
                        Optional.empty());
            }
            case CheckpointQuantization.Gptq gptq -> {
                int group = group(".scales");
                yield new Grouped(
                        "repack_gptq",
                        files.bytes(name + ".qweight", "I32", columns / each, rows),
                        Optional.of(files.bytes(name + ".qzeros", "I32", columns / group, rows / each)),
                        scales(bits, files.tensor(name + ".scales", columns / group, rows)),
                        group,
                        order());
            }
            case CheckpointQuantization.Packed packed -> {
                int group = group(".weight_scale");
                yield new Grouped(
                        "repack_packed",
                        files.bytes(name + ".weight_packed", "I32", rows, columns / each),
                        zeros(group, each),
                        scales(bits, files.tensor(name + ".weight_scale", rows, columns / group)),
                        group,
                        order());
            }
            default -> throw new IllegalStateException(checkpoint + " has no integers in groups");
        };
    }

    /** Inputs that share a scale, by the number of scales. */
    private int group(String tensor) {
        long scales = files.elements(name + tensor)
                .orElseThrow(() -> new ModelException("tensor \"%s%s\" is missing".formatted(name, tensor)));
        int least = CheckpointQuantization.LEAST_GROUP;
        long groups = scales / rows;
        if (groups == 0 || scales % rows != 0 || columns % groups != 0 || columns / groups % least != 0) {
            throw new ModelException(
                    "tensor \"%s%s\" has %d scales for %d outputs and %d inputs; one for a multiple of %d inputs is read"
                            .formatted(name, tensor, scales, rows, columns, least));
        }
        return (int) (columns / groups);
    }

    /** Some writers keep zeros of a symmetric format, as bytes that are all 0. */
    private Optional<MemorySegment> zeros(int group, int each) {
        String tensor = name + ".weight_zero_point";
        switch (files.type(tensor).orElse("")) {
            case "" -> {
                return Optional.empty();
            }
            case "I32" -> {
                return Optional.of(files.bytes(tensor, "I32", rows / each, columns / group));
            }
            case "I8" -> {
                MemorySegment zeros = files.bytes(tensor, "I8", rows, columns / group);
                for (long i = 0; i < zeros.byteSize(); i++) {
                    if (zeros.get(BYTE, i) != 0) {
                        throw new ModelException(
                                "tensor \"%s\" has zeros in bytes; those packed into words are read".formatted(tensor));
                    }
                }
                return Optional.empty();
            }
            default ->
                throw new ModelException("tensor \"%s\" is of type %s; I32 is read"
                        .formatted(tensor, files.type(tensor).orElseThrow()));
        }
    }

    private static MemorySegment scales(int bits, Tensor tensor) {
        float[] values = tensor.toFloats();
        if (bits == 8) {
            for (float value : values) {
                if (!(Math.abs(value) <= MOST_SCALE)) {
                    throw wrongScale(tensor, value);
                }
            }
            return MemorySegment.ofArray(values);
        }
        short[] halves = new short[values.length];
        for (int i = 0; i < values.length; i++) {
            halves[i] = Float.floatToFloat16(values[i]);
            if (!Float.isFinite(Float.float16ToFloat(halves[i]))) {
                throw wrongScale(tensor, values[i]);
            }
        }
        return MemorySegment.ofArray(halves);
    }

    /**
     * The input that each column of integers in groups is to be, so that those of a group lie beside each other; empty
     * where they do.
     */
    Optional<int[]> order() {
        return switch (checkpoint) {
            case CheckpointQuantization.Gptq gptq -> order(".g_idx", group(".scales"));
            case CheckpointQuantization.Packed packed -> order(".weight_g_idx", group(".weight_scale"));
            default -> Optional.empty();
        };
    }

    /** Inputs sorted by the group that a tensor names for each; empty where it is missing or they are in order. */
    private Optional<int[]> order(String suffix, int group) {
        String tensor = name + suffix;
        if (files.type(tensor).isEmpty()) {
            return Optional.empty();
        }
        MemorySegment index = files.bytes(tensor, "I32", columns);
        int[] of = IntStream.range(0, columns).map(i -> index.get(INT, 4L * i)).toArray();
        if (Arrays.stream(of).allMatch(g -> g == -1)) {
            return Optional.empty();
        }
        int[] order = IntStream.range(0, columns)
                .boxed()
                .sorted(Comparator.comparingInt(i -> of[i]))
                .mapToInt(Integer::intValue)
                .toArray();
        if (!files.inOrder(name, of, group)) {
            throw new ModelException(
                    "tensor \"%s\" reorders inputs, which cannot be divided among %d GPUs; quantise with desc_act false"
                            .formatted(tensor, files.ranks()));
        }
        int first = files.firstGroup(name, columns, group);
        boolean sorted = true;
        for (int i = 0; i < columns; i++) {
            if (of[order[i]] != first + i / group) {
                throw new ModelException("tensor \"%s\" does not put %d inputs into each group: input %d is in group %d"
                        .formatted(tensor, group, order[i], of[order[i]]));
            }
            sorted &= order[i] == i;
        }
        return sorted ? Optional.empty() : Optional.of(order);
    }
}
