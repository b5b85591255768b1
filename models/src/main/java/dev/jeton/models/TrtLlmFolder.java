package dev.jeton.models;

import java.nio.file.Files;
import java.nio.file.Path;

/**
 * What a folder of TensorRT-LLM, as trtllm-build writes it, says of its engine.
 *
 * @param version of the library that built it
 * @param architecture of the model
 * @param vocabulary token ids are 0 until this
 * @param context most tokens of a sequence
 * @param maxBatchSize most sequences at a time
 * @param maxBatchedTokens most tokens of an iteration
 * @param ranks processes that it runs on
 * @param tokensPerBlock tokens of a KV block
 * @param bytesPerToken bytes of K and V of a token on one rank, in 16 bits
 */
public record TrtLlmFolder(
        String version,
        String architecture,
        int vocabulary,
        int context,
        int maxBatchSize,
        int maxBatchedTokens,
        int ranks,
        int tokensPerBlock,
        long bytesPerToken) {

    private static final String CONFIG = "config.json";

    /** Why a folder holds no engine; empty where it does. */
    public static String refusal(Path folder) {
        if (!Files.isRegularFile(folder.resolve(CONFIG))) {
            return "there is no config.json";
        }
        try {
            JsonObject config = JsonObject.read(folder.resolve(CONFIG));
            if (config.object("build_config").isEmpty()
                    || config.object("pretrained_config").isEmpty()) {
                return "its config.json is none of trtllm-build (no pretrained_config and build_config)";
            }
            if (!Files.isRegularFile(folder.resolve("rank0.engine"))) {
                return "there is no rank0.engine";
            }
            read(folder);
            return "";
        } catch (ModelException e) {
            return String.valueOf(e.getMessage());
        }
    }

    /**
     * Reads config.json.
     *
     * @throws ModelException naming what is missing or wrong
     */
    public static TrtLlmFolder read(Path folder) {
        JsonObject config = JsonObject.read(folder.resolve(CONFIG));
        JsonObject model = config.object("pretrained_config").orElseThrow(() -> missing(config, "pretrained_config"));
        JsonObject build = config.object("build_config").orElseThrow(() -> missing(config, "build_config"));
        int ranks = model.object("mapping")
                .map(mapping ->
                        mapping.optionalInteger("world_size", 1, 1 << 16).orElse(1))
                .orElse(1);
        int heads = model.optionalInteger("num_attention_heads", 1, 1 << 14).orElse(1);
        int kvHeads = model.optionalInteger("num_key_value_heads", 1, 1 << 14).orElse(heads);
        int headSize = model.optionalInteger("head_size", 1, 1 << 14)
                .orElse(Math.max(
                        1, model.optionalInteger("hidden_size", 1, 1 << 24).orElse(heads) / heads));
        int layers = model.optionalInteger("num_hidden_layers", 1, 1 << 14).orElse(1);
        int perBlock = build.object("plugin_config")
                .flatMap(plugin -> plugin.optionalInteger("tokens_per_block", 1, 1 << 12))
                .orElse(64);
        if (Integer.bitCount(perBlock) != 1) {
            throw new ModelException(
                    "%s: tokens_per_block %d is not a power of two".formatted(build.source(), perBlock));
        }
        return new TrtLlmFolder(
                config.string("version").orElse(""),
                model.string("architecture").orElse(""),
                model.integer("vocab_size", 1, 1 << 24),
                build.integer("max_seq_len", 2, 1 << 28),
                build.integer("max_batch_size", 1, 1 << 16),
                build.optionalInteger("max_num_tokens", 1, 1 << 24).orElse(8192),
                ranks,
                perBlock,
                4L * layers * Math.max(1, kvHeads / ranks) * headSize);
    }

    private static ModelException missing(JsonObject config, String key) {
        return new ModelException("%s: \"%s\" is missing".formatted(config.source(), key));
    }
}
