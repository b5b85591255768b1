package dev.jeton.models.cuda;

import dev.jeton.models.ModelException;

/** How a matrix of weights lies on the device, and which kernels of {@code matmul.cu} read it. */
enum WeightFormat {
    /** bf16 or fp16, as activations. */
    SIXTEEN(16, "skinny_matmul", "", 0, 1),
    /** Integers to 127 and a float for each row. */
    INT8(8, "skinny_matmul_int8", "dequantize_int8", 2, 4),
    /** Integers to 15 with a scale and a zero for each row and 128 values. */
    INT4(4, "skinny_matmul_int4", "dequantize_int4", 4, 8),
    /** e4m3 and a float for each row. */
    FP8(8, "skinny_matmul_fp8", "dequantize_fp8", 6, 4);

    private final int bits;
    private final String product;
    private final String dequantizer;
    private final int constants;
    private final int launches;

    WeightFormat(int bits, String product, String dequantizer, int constants, int launches) {
        this.bits = bits;
        this.product = product;
        this.dequantizer = dequantizer;
        this.constants = constants;
        this.launches = launches;
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

    /** Bits of a value. */
    int bits() {
        return bits;
    }

    /** The kernel for few rows. */
    String product() {
        return product;
    }

    /** The kernel that writes a matrix out in sixteen bits; none for {@link #SIXTEEN}. */
    String dequantizer() {
        return dequantizer;
    }

    /** Where in the source's constants outputs and shared memory of the kernel for few rows are. */
    int constants() {
        return constants;
    }

    /**
     * How often the kernel for few rows may be launched, for sixteen rows each, before it is better to write the matrix
     * out: each launch reads {@code bits / 8} bytes a value, writing out and multiplying {@code bits / 8 + 4}.
     */
    int launches() {
        return launches;
    }
}
