package dev.jeton.models.cuda;

import dev.jeton.models.CheckpointQuantization;
import dev.jeton.models.ModelException;

/** How a matrix of weights lies on the device. The numbers are those of {@code WEIGHTS} in {@code jeton.cuh}. */
enum WeightFormat {
    /** bf16 or fp16, as activations. */
    SIXTEEN(16, 8),
    /** Integers to 127 and a float for each row. */
    INT8(8, 16),
    /** Integers to 15 with a scale and a zero for each row and 128 values. */
    INT4(4, 128),
    /** e4m3 and a float for each row. */
    FP8(8, 16),
    /** e4m3 and a float for each eight rows and 128 values, those of a block of the files having one. */
    FP8_BLOCK(8, 16);

    /** Values along a row that share a scale, where not all do. */
    static final int GROUP = 128;

    /** Rows that share the scales of {@link #FP8_BLOCK}. */
    static final int SCALE_ROWS = 8;

    private final int bits;
    private final int step;

    WeightFormat(int bits, int step) {
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

    /** That of the matrices that a checkpoint has quantised, or {@code wanted} where it has none. */
    static WeightFormat of(CheckpointQuantization checkpoint, WeightFormat wanted) {
        return switch (checkpoint) {
            case CheckpointQuantization.None none -> wanted;
            case CheckpointQuantization.Awq awq -> INT4;
            case CheckpointQuantization.Gptq gptq -> INT4;
            case CheckpointQuantization.Scaled scaled -> scaled.blocks() ? FP8_BLOCK : FP8;
            case CheckpointQuantization.Packed packed -> packed.bits() == 4 ? INT4 : INT8;
        };
    }

    /** Bits of a value. */
    int bits() {
        return bits;
    }

    /** Columns are multiples of so much where rows are multiplied without being written out. */
    int step() {
        return step;
    }

    /** Bytes that values take. */
    long valueBytes(long rows, long columns) {
        return rows * columns * bits / Byte.SIZE;
    }

    /** Bytes that what they are multiplied by takes. */
    long scaleBytes(long rows, long columns) {
        long groups = (columns + GROUP - 1) / GROUP;
        return switch (this) {
            case SIXTEEN -> 0;
            case INT8, FP8 -> 4 * rows;
            case INT4 -> 4 * rows * groups;
            case FP8_BLOCK -> (rows + SCALE_ROWS - 1) / SCALE_ROWS * 4 * groups;
        };
    }
}
