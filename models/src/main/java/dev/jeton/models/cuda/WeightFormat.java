package dev.jeton.models.cuda;

import dev.jeton.models.CheckpointQuantization;
import dev.jeton.models.ModelException;
import java.util.List;
import java.util.Optional;

/** How a matrix of weights lies on the device. */
enum WeightFormat {
    /** bf16 or fp16, as activations. */
    SIXTEEN(0, 16, 8),
    /** Integers to 127 and a float for each row. */
    INT8(1, 8, 16),
    /** Integers to 15 with a scale and a zero for each row and 128 values. */
    INT4(2, 4, 128),
    /** The same for 64 values. */
    INT4_64(2, 4, 64),
    /** The same for 32 values. */
    INT4_32(2, 4, 32),
    /** Integers to 255 with a scale and a zero for each row and 128 values. */
    INT8_128(5, 8, 128),
    /** The same for 64 values. */
    INT8_64(5, 8, 64),
    /** The same for 32 values. */
    INT8_32(5, 8, 32),
    /** e4m3 and a float for each row. */
    FP8(3, 8, 16),
    /** e4m3 and a float for each eight rows and 128 values, those of a block of the files having one. */
    FP8_BLOCK(4, 8, 16),
    /** e2m1 and a power of two for each row and 32 values. */
    MXFP4(6, 4, 32);

    /** Those of integers in groups, of each number of bits the longest groups first. */
    private static final List<WeightFormat> IN_GROUPS = List.of(INT4, INT4_64, INT4_32, INT8_128, INT8_64, INT8_32);

    /** Values along a row that share a scale of {@link #FP8_BLOCK}. */
    private static final int BLOCK = 128;

    /** Rows that share the scales of {@link #FP8_BLOCK}. */
    static final int SCALE_ROWS = 8;

    /** Scales of {@link #MXFP4} are bytes, of each row a multiple of so many. */
    private static final int SCALES_OF_WORD = 4;

    /** Bits of a row that a warp of the product of few rows takes at once. */
    private static final int TURN = 512;

    private final int number;
    private final int bits;
    private final int step;

    WeightFormat(int number, int bits, int step) {
        this.number = number;
        this.bits = bits;
        this.step = step;
    }

    /** What {@code --quantize} asks for. */
    static WeightFormat of(String quantize) {
        return switch (quantize) {
            case "none" -> SIXTEEN;
            case "int8" -> INT8;
            case "fp8" -> FP8;
            default ->
                throw new ModelException(
                        "quantize \"%s\" is not known to the cuda engine; none, int8 and fp8 are".formatted(quantize));
        };
    }

    /**
     * That of the matrices that a checkpoint has quantised, or {@code wanted} where it has none; of one that has only
     * experts quantised that of the others.
     */
    static WeightFormat of(CheckpointQuantization checkpoint, WeightFormat wanted) {
        return switch (checkpoint) {
            case CheckpointQuantization.None none -> wanted;
            case CheckpointQuantization.Mxfp4 mxfp4 -> SIXTEEN;
            case CheckpointQuantization.Awq awq -> ofGroups(4, awq.group());
            case CheckpointQuantization.Gptq gptq -> ofGroups(gptq.bits(), gptq.group());
            case CheckpointQuantization.Scaled scaled -> scaled.blocks() ? FP8_BLOCK : FP8;
            case CheckpointQuantization.Packed packed ->
                packed.bits() == 8 && packed.group() == 0 ? INT8 : ofGroups(packed.bits(), packed.group());
        };
    }

    /**
     * Integers with the longest groups that divide those of the files.
     *
     * @param bits of a value, 4 or 8
     * @param group a multiple of {@value CheckpointQuantization#LEAST_GROUP}, or 0 for whole rows
     */
    static WeightFormat ofGroups(int bits, int group) {
        return IN_GROUPS.stream()
                .filter(format -> format.bits == bits && group % format.step == 0)
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("%d bits in groups of %d".formatted(bits, group)));
    }

    /**
     * That in which matrices of these formats are multiplied together: their own where they have one, of integers in
     * groups of several lengths that with the shortest, of MXFP4 beside sixteen bits those; empty where there is none.
     */
    static Optional<WeightFormat> common(List<WeightFormat> formats) {
        if (formats.contains(SIXTEEN) && List.of(SIXTEEN, MXFP4).containsAll(formats)) {
            return Optional.of(SIXTEEN);
        }
        boolean alike = formats.stream().map(format -> format.number).distinct().count() == 1;
        return alike ? formats.stream().max(WeightFormat::compareTo) : Optional.empty();
    }

    /** Whether a byte holds two values. */
    boolean fourBits() {
        return bits == 4;
    }

    /** Whether values are integers that have a scale and a zero for each group of a row. */
    boolean inGroups() {
        return IN_GROUPS.contains(this);
    }

    /** The macros with which kernels are compiled for it. */
    List<String> macros() {
        String weights = "-DWEIGHTS=" + number;
        return inGroups() ? List.of(weights, "-DSCALE_GROUP=" + step) : List.of(weights);
    }

    /** Bits of a value. */
    int bits() {
        return bits;
    }

    /** Columns are multiples of so much where rows are multiplied without being written out. */
    int step() {
        return step;
    }

    /** Columns are multiples of so much where few rows are multiplied by a kernel for these. */
    int fewStep() {
        return this == MXFP4 ? step : Math.max(TURN / bits, step);
    }

    /** Bytes that values take. */
    long valueBytes(long rows, long columns) {
        return rows * columns * bits / Byte.SIZE;
    }

    /** Bytes that what they are multiplied by takes. */
    long scaleBytes(long rows, long columns) {
        return switch (this) {
            case SIXTEEN -> 0;
            case INT8, FP8 -> 4 * rows;
            case INT4, INT4_64, INT4_32, INT8_128, INT8_64, INT8_32 -> 4 * rows * ((columns + step - 1) / step);
            case MXFP4 -> rows * ((columns + step * SCALES_OF_WORD - 1) / (step * SCALES_OF_WORD)) * SCALES_OF_WORD;
            case FP8_BLOCK -> (rows + SCALE_ROWS - 1) / SCALE_ROWS * 4 * ((columns + BLOCK - 1) / BLOCK);
        };
    }
}
