package dev.jeton.models;

import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * How the matrices of a checkpoint are quantised, as {@code quantization_config} of config.json says. Tables, norms and
 * biases are not; matrices that the files have in sixteen bits stay so, whatever the configuration leaves out. How many
 * values share a scale is seen by the scales' shapes.
 *
 * <p>Sources: the formats as AutoAWQ (gemm), AutoGPTQ and GPTQModel, transformers (fp8, fbgemm_fp8), modelopt (FP8) and
 * compressed-tensors (float-quantized, int-quantized, naive-quantized, pack-quantized) write them.
 */
public sealed interface CheckpointQuantization {

    /** Rows and columns of a block of e4m3 that shares a scale. */
    int BLOCK = 128;

    /** What configurations call {@link Mxfp4}. */
    String MXFP4 = "mxfp4";

    /** Groups of inputs that share a scale are multiples of so many. */
    int LEAST_GROUP = 32;

    /** Matrices in sixteen or thirty-two bits. */
    record None() implements CheckpointQuantization {}

    /**
     * Experts in {@link TensorType#MXFP4}, as gpt-oss has them: {@code gate_up_proj_blocks} {@code [e][2 i][h /
     * 32][16]}, gates and ups of an expert by turns, the element of even index in the low half of a byte, and
     * {@code gate_up_proj_scales} {@code [e][2 i][h / 32]}, powers of two by which they are multiplied;
     * {@code down_proj} likewise. What is not of experts is in sixteen bits. {@link WeightFiles} give them as any other
     * tensors, too.
     */
    record Mxfp4() implements CheckpointQuantization {}

    /**
     * Four bits with a scale and a zero for each group of {@code g} inputs: {@code qweight} {@code [k][n / 8]}, columns
     * 0, 2, 4, 6, 1, 3, 5, 7 from the lowest four bits of a word, {@code qzeros} {@code [k / g][n / 8]} likewise,
     * {@code scales} {@code [k / g][n]}.
     *
     * @param group {@code g} of most matrices; 0 for all inputs
     */
    record Awq(int group) implements CheckpointQuantization {}

    /**
     * The same with {@code qweight} {@code [k * bits / 32][n]}, k from the lowest bits, and {@code qzeros} {@code [k /
     * g][n * bits / 32]} in order of n. {@code g_idx} {@code [k]} may name the group of each input.
     *
     * @param bits of a value, 4 or 8
     * @param group {@code g} of most matrices; 0 for all inputs
     * @param zerosLessOne whether zeros are stored less one, as in the first version of the format
     */
    record Gptq(int bits, int group, boolean zerosLessOne) implements CheckpointQuantization {}

    /**
     * {@code weight} of e4m3 or of integers to 127, with {@code weight_scale} or {@code weight_scale_inv}, by which
     * values are multiplied. Inputs, which some of these formats round, too, are not rounded for it.
     *
     * @param blocks whether there is a scale for each {@value #BLOCK} by {@value #BLOCK} values, those at the ends
     *     being fewer; else one for each row or for the matrix
     */
    record Scaled(boolean blocks) implements CheckpointQuantization {}

    /**
     * Integers packed into words along the inputs, each with half of its range added: {@code weight_packed}
     * {@code [n][k * bits / 32]}, {@code weight_scale} {@code [n][k / g]}, {@code weight_zero_point} {@code [n * bits /
     * 32][k / g]}, packed along n, where there are zeros; {@code weight_g_idx} as in {@link Gptq}.
     *
     * @param bits of a value, 4 or 8
     * @param group {@code g} of most matrices; 0 for all inputs
     */
    record Packed(int bits, int group) implements CheckpointQuantization {}

    /**
     * Reads config.json of a model folder; GGUF files have none of these formats.
     *
     * @throws ModelException naming what of the format is not supported
     */
    static CheckpointQuantization read(Path model) {
        JsonObject config = ModelFiles.config(model);
        Optional<JsonObject> found = config.object("quantization_config");
        if (found.isEmpty()) {
            return new None();
        }
        JsonObject quantization = found.get();
        String method = quantization.string("quant_method").orElse("");
        return switch (method) {
            case "awq" -> awq(quantization);
            case "gptq" -> gptq(quantization);
            case "fp8" -> fp8(quantization);
            case "fbgemm_fp8" -> new Scaled(false);
            case "modelopt" -> {
                if (!quantization.string("quant_algo").orElse("").equals("FP8")) {
                    throw refused(quantization, "quant_algo", "FP8");
                }
                yield new Scaled(false);
            }
            case "compressed-tensors" -> compressed(quantization);
            case MXFP4 -> new Mxfp4();
            default ->
                throw refused(
                        quantization,
                        "quant_method",
                        "awq, gptq, fp8, fbgemm_fp8, modelopt, compressed-tensors or mxfp4");
        };
    }

    /** Whether all of a checkpoint is given as tensors that any engine reads: not quantised, or {@link Mxfp4}. */
    static boolean isOfTensors(JsonObject config) {
        return config.object("quantization_config")
                .map(quantization ->
                        quantization.string("quant_method").orElse("").equals(MXFP4))
                .orElse(true);
    }

    private static CheckpointQuantization awq(JsonObject quantization) {
        if (quantization.number("bits", 4) != 4) {
            throw refused(quantization, "bits", "4");
        }
        int group = group(quantization);
        if (!quantization.string("version").orElse("gemm").equalsIgnoreCase("gemm")) {
            throw refused(quantization, "version", "gemm");
        }
        if (!quantization.flag("zero_point", true)) {
            throw refused(quantization, "zero_point", "true");
        }
        return new Awq(group);
    }

    private static CheckpointQuantization gptq(JsonObject quantization) {
        int bits = fourOrEight(quantization, "bits", 4);
        int group = group(quantization);
        return switch (quantization.string("checkpoint_format").orElse("gptq")) {
            case "gptq" -> new Gptq(bits, group, true);
            case "gptq_v2" -> new Gptq(bits, group, false);
            default -> throw refused(quantization, "checkpoint_format", "gptq or gptq_v2");
        };
    }

    private static int fourOrEight(JsonObject quantization, String key, int unsaid) {
        double bits = quantization.number(key, unsaid);
        if (bits != 4 && bits != 8) {
            throw refused(quantization, key, "4 or 8");
        }
        return (int) bits;
    }

    /** Kernels have a scale for each 32, 64 or 128 values, so scales of more are given to each of these. */
    private static int group(JsonObject quantization) {
        double size = quantization.number("group_size", BLOCK);
        if (size == -1) {
            return 0;
        }
        if (size <= 0 || size > Integer.MAX_VALUE || size % LEAST_GROUP != 0) {
            throw refused(quantization, "group_size", "a multiple of %d, or -1 for whole rows".formatted(LEAST_GROUP));
        }
        return (int) size;
    }

    private static CheckpointQuantization fp8(JsonObject quantization) {
        boolean blocks = quantization.has("weight_block_size");
        if (blocks) {
            requireBlock(quantization, "weight_block_size");
        }
        return new Scaled(blocks);
    }

    private static void requireBlock(JsonObject in, String key) {
        List<Long> sizes = in.list(key).stream()
                .map(size -> in.checked(key, size, 1, Integer.MAX_VALUE))
                .toList();
        if (!sizes.equals(List.of((long) BLOCK, (long) BLOCK))) {
            throw refused(in, key, "[%d, %d]".formatted(BLOCK, BLOCK));
        }
    }

    private static CheckpointQuantization compressed(JsonObject quantization) {
        String format = quantization.string("format").orElse("");
        boolean packed = switch (format) {
            case "float-quantized", "int-quantized", "naive-quantized" -> false;
            case "pack-quantized" -> true;
            default ->
                throw refused(
                        quantization, "format", "float-quantized, int-quantized, naive-quantized or pack-quantized");
        };
        Optional<JsonObject> sparsity = quantization.object("sparsity_config");
        if (sparsity.isPresent()
                && !sparsity.get().string("format").orElse("dense").equals("dense")) {
            throw refused(sparsity.get(), "format", "dense");
        }
        JsonObject groups = quantization
                .object("config_groups")
                .orElseThrow(() -> refused(quantization, "config_groups", "a description of the weights"));
        int bits = 0;
        int group = 0;
        boolean blocks = false;
        for (String name : groups.keys()) {
            JsonObject weights = groups.object(name)
                    .flatMap(each -> each.object("weights"))
                    .orElseThrow(() -> refused(groups, name, "a group with weights"));
            int own = packed ? packedBits(weights) : scaledBits(weights);
            if (bits != 0 && bits != own) {
                throw refused(weights, "num_bits", "one number for all matrices");
            }
            bits = own;
            String strategy = weights.string("strategy").orElse("");
            group = strategy.equals("group") ? group(weights) : group;
            blocks |= strategy.equals("block");
        }
        if (bits == 0) {
            throw refused(quantization, "config_groups", "a description of the weights");
        }
        return packed ? new Packed(bits, group) : new Scaled(blocks);
    }

    private static int scaledBits(JsonObject weights) {
        if (weights.number("num_bits", 0) != 8) {
            throw refused(weights, "num_bits", "8");
        }
        String type = weights.string("type").orElse("");
        if (!type.equals("float") && !type.equals("int")) {
            throw refused(weights, "type", "float or int");
        }
        requireSymmetric(weights);
        switch (weights.string("strategy").orElse("")) {
            case "channel", "tensor" -> {
                return 8;
            }
            case "block" -> {
                if (type.equals("int")) {
                    throw refused(weights, "strategy", "channel or tensor of integers");
                }
                requireBlock(weights, "block_structure");
                return 8;
            }
            default -> throw refused(weights, "strategy", "channel, tensor or block");
        }
    }

    private static int packedBits(JsonObject weights) {
        int bits = fourOrEight(weights, "num_bits", 0);
        if (!weights.string("type").orElse("int").equals("int")) {
            throw refused(weights, "type", "int");
        }
        String strategy = weights.string("strategy").orElse("");
        if (!strategy.equals("channel") && !strategy.equals("group")) {
            throw refused(weights, "strategy", "channel or group");
        }
        return bits;
    }

    private static void requireSymmetric(JsonObject weights) {
        if (!weights.flag("symmetric", true)) {
            throw refused(weights, "symmetric", "true of values that are not packed");
        }
    }

    private static ModelException refused(JsonObject in, String key, String supported) {
        return new ModelException("%s: \"%s\" of the quantised weights is %s; %s is supported"
                .formatted(in.source(), key, in.value(key).map(String::valueOf).orElse("missing"), supported));
    }
}
