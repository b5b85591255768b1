package dev.jeton.models;

import java.nio.file.Path;
import java.util.Optional;

/**
 * How the matrices of a checkpoint are quantised, as {@code quantization_config} of config.json says. Tables, norms and
 * biases are not; matrices that the files have in sixteen bits stay so.
 *
 * <p>Sources: the formats as AutoAWQ (gemm), AutoGPTQ and GPTQModel, and compressed-tensors (float-quantized) write them.
 */
public sealed interface CheckpointQuantization {

    /** Values of a group that share a scale. */
    int GROUP = 128;

    /** Matrices in sixteen or thirty-two bits. */
    record None() implements CheckpointQuantization {}

    /**
     * Four bits with a scale and a zero for each group: {@code qweight} {@code [k][n / 8]}, columns 0, 2, 4, 6, 1, 3, 5,
     * 7 from the lowest four bits of a word, {@code qzeros} {@code [k / 128][n / 8]} likewise, {@code scales} {@code [k /
     * 128][n]}.
     */
    record Awq() implements CheckpointQuantization {}

    /**
     * The same with {@code qweight} {@code [k / 8][n]}, k from the lowest four bits, and {@code qzeros} in order of n.
     *
     * @param zerosLessOne whether zeros are stored less one, as in the first version of the format
     */
    record Gptq(boolean zerosLessOne) implements CheckpointQuantization {}

    /** e4m3, with {@code weight_scale} for the matrix or for each row of it; inputs are quantised as they come. */
    record Fp8() implements CheckpointQuantization {}

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
            case "fp8" -> {
                if (quantization.has("weight_block_size")) {
                    throw refused(quantization, "weight_block_size", "scales of a row or of the whole matrix");
                }
                yield new Fp8();
            }
            case "compressed-tensors" -> compressed(quantization);
            default -> throw refused(quantization, "quant_method", "awq, gptq, fp8 or compressed-tensors");
        };
    }

    private static CheckpointQuantization awq(JsonObject quantization) {
        fourBitsInGroups(quantization);
        if (!quantization.string("version").orElse("gemm").equalsIgnoreCase("gemm")) {
            throw refused(quantization, "version", "gemm");
        }
        if (!quantization.flag("zero_point", true)) {
            throw refused(quantization, "zero_point", "true");
        }
        return new Awq();
    }

    private static CheckpointQuantization gptq(JsonObject quantization) {
        fourBitsInGroups(quantization);
        if (quantization.flag("desc_act", false)) {
            throw refused(quantization, "desc_act", "false");
        }
        return switch (quantization.string("checkpoint_format").orElse("gptq")) {
            case "gptq" -> new Gptq(true);
            case "gptq_v2" -> new Gptq(false);
            default -> throw refused(quantization, "checkpoint_format", "gptq or gptq_v2");
        };
    }

    private static void fourBitsInGroups(JsonObject quantization) {
        if (quantization.number("bits", 4) != 4) {
            throw refused(quantization, "bits", "4");
        }
        if (quantization.number("group_size", GROUP) != GROUP) {
            throw refused(quantization, "group_size", Integer.toString(GROUP));
        }
    }

    private static CheckpointQuantization compressed(JsonObject quantization) {
        if (!quantization.string("format").orElse("").equals("float-quantized")) {
            throw refused(quantization, "format", "float-quantized");
        }
        JsonObject groups = quantization
                .object("config_groups")
                .orElseThrow(() -> refused(quantization, "config_groups", "a description of the weights"));
        for (String name : groups.keys()) {
            JsonObject weights = groups.object(name)
                    .flatMap(group -> group.object("weights"))
                    .orElseThrow(() -> refused(groups, name, "a group with weights"));
            if (weights.number("num_bits", 0) != 8) {
                throw refused(weights, "num_bits", "8");
            }
            if (!weights.string("type").orElse("").equals("float")) {
                throw refused(weights, "type", "float");
            }
            String strategy = weights.string("strategy").orElse("");
            if (!strategy.equals("channel") && !strategy.equals("tensor")) {
                throw refused(weights, "strategy", "channel or tensor");
            }
        }
        return new Fp8();
    }

    private static ModelException refused(JsonObject in, String key, String supported) {
        return new ModelException("%s: \"%s\" of the quantised weights is %s; %s is supported"
                .formatted(in.source(), key, in.value(key).map(String::valueOf).orElse("missing"), supported));
    }
}
