package dev.jeton.models;

import dev.jeton.models.Experts.Routing;
import dev.jeton.models.Experts.Scoring;
import dev.jeton.models.Experts.Shared;
import java.util.Collections;
import java.util.List;
import java.util.stream.IntStream;

/** What the configurations of families with experts say of these. */
final class FamilyExperts {

    private static final int MOST = 1 << 12;
    private static final int MAX_WIDTH = 1 << 20;

    private FamilyExperts() {}

    /** Of a configuration as {@link DecoderFamily#completed} gives it. */
    static Experts read(DecoderFamily family, JsonObject config, int layers) {
        return switch (family) {
            case MIXTRAL ->
                new Experts(
                        config.optionalInteger("num_local_experts", 1, MOST).orElse(8),
                        perToken(config, 2),
                        config.integer("intermediate_size", 1, MAX_WIDTH),
                        Routing.softmax(true),
                        false,
                        Shared.NONE,
                        Collections.nCopies(layers, true));
            case GPT_OSS ->
                new Experts(
                        count(config, "num_local_experts", "num_experts"),
                        config.integer("num_experts_per_tok", 1, MOST),
                        config.integer("intermediate_size", 1, MAX_WIDTH),
                        Routing.softmax(true),
                        true,
                        Shared.NONE,
                        Collections.nCopies(layers, true));
            case QWEN3_MOE, QWEN2_MOE -> qwen(family, config, layers);
            case GLM4_MOE -> deepSeek(config, layers);
            case LLAMA, MISTRAL, QWEN2, QWEN3, PHI3, GEMMA2, GEMMA3 -> Experts.NONE;
        };
    }

    private static Experts qwen(DecoderFamily family, JsonObject config, int layers) {
        int step = config.optionalInteger("decoder_sparse_step", 1, MOST).orElse(1);
        List<Object> dense = config.list("mlp_only_layers");
        Shared shared = family == DecoderFamily.QWEN2_MOE
                ? new Shared(config.integer("shared_expert_intermediate_size", 1, MAX_WIDTH), true)
                : Shared.NONE;
        return new Experts(
                count(config, "num_experts", "num_local_experts"),
                config.integer("num_experts_per_tok", 1, MOST),
                config.integer("moe_intermediate_size", 1, MAX_WIDTH),
                Routing.softmax(config.flag("norm_topk_prob", false)),
                false,
                shared,
                IntStream.range(0, layers)
                        .mapToObj(i -> (i + 1) % step == 0 && !dense.contains(i))
                        .toList());
    }

    /** With the keys of DeepSeek-V3, which others took over. */
    private static Experts deepSeek(JsonObject config, int layers) {
        int width = config.integer("moe_intermediate_size", 1, MAX_WIDTH);
        int shared = config.optionalInteger("n_shared_experts", 0, MOST).orElse(0);
        int groups = config.optionalInteger("n_group", 1, MOST).orElse(1);
        int dense = config.optionalInteger("first_k_dense_replace", 0, layers).orElse(0);
        return new Experts(
                count(config, "n_routed_experts", "num_local_experts"),
                config.integer("num_experts_per_tok", 1, MOST),
                width,
                new Routing(
                        Scoring.SIGMOID,
                        config.flag("norm_topk_prob", true),
                        true,
                        groups,
                        config.optionalInteger("topk_group", 1, MOST).orElse(groups),
                        2,
                        config.number("routed_scaling_factor", 1)),
                false,
                new Shared(Math.multiplyExact(width, shared), false),
                IntStream.range(0, layers).mapToObj(i -> i >= dense).toList());
    }

    private static int count(JsonObject config, String key, String other) {
        return config.integer(config.has(key) ? key : other, 1, MOST);
    }

    private static int perToken(JsonObject config, int unsaid) {
        return config.optionalInteger("num_experts_per_tok", 1, MOST).orElse(unsaid);
    }
}
