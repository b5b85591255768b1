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

    /** Of a configuration as {@link FamilyDefaults} gives it. */
    static Experts read(DecoderFamily family, JsonObject config, int layers) {
        return switch (family) {
            case MIXTRAL ->
                inEveryLayer(
                        config,
                        config.optionalInteger("num_local_experts", 1, MOST).orElse(8),
                        perToken(config, 2),
                        Routing.softmax(true),
                        false,
                        layers);
            case MINIMAX_M2 ->
                inEveryLayer(
                        config,
                        count(config, "num_local_experts", "num_experts"),
                        config.integer("num_experts_per_tok", 1, MOST),
                        bySigmoid(config),
                        false,
                        layers);
            case OLMOE ->
                inEveryLayer(
                        config,
                        count(config, "num_experts", "num_local_experts"),
                        perToken(config, 8),
                        Routing.softmax(config.flag("norm_topk_prob", false)),
                        false,
                        layers);
            case GPT_OSS ->
                inEveryLayer(
                        config,
                        count(config, "num_local_experts", "num_experts"),
                        config.integer("num_experts_per_tok", 1, MOST),
                        Routing.softmax(true),
                        true,
                        layers);
            case QWEN3_MOE, QWEN2_MOE, QWEN3_NEXT, QWEN3_5_MOE -> qwen(family, config, layers);
            case GLM4_MOE, GLM4_MOE_LITE, DEEPSEEK_V3 -> deepSeek(config, bySigmoid(config), layers);
            case DEEPSEEK_V2 -> deepSeek(config, byProbability(config), layers);
            case ERNIE4_5_MOE -> ernie(config, layers);
            case MISTRAL4 -> deepSeek(config, ofThoseChosen(config), layers);
            case GRANITE_MOE, GRANITE_MOE_SHARED, GRANITE_HYBRID -> granite(config, layers);
            case LLAMA,
                    MISTRAL,
                    QWEN2,
                    QWEN3,
                    PHI3,
                    GEMMA2,
                    GEMMA3,
                    SEED_OSS,
                    GRANITE,
                    OLMO2,
                    OLMO3,
                    EXAONE4,
                    SMOLLM3,
                    MINISTRAL3,
                    GLM,
                    GLM4,
                    ERNIE4_5,
                    QWEN3_5 -> Experts.NONE;
        };
    }

    /** Of the width that other layers would have, and nothing beside them. */
    private static Experts inEveryLayer(
            JsonObject config, int count, int perToken, Routing routing, boolean biased, int layers) {
        return new Experts(
                count,
                perToken,
                config.integer("intermediate_size", 1, MAX_WIDTH),
                routing,
                biased,
                Shared.NONE,
                Collections.nCopies(layers, true));
    }

    private static Experts granite(JsonObject config, int layers) {
        int count = config.optionalInteger("num_local_experts", 0, MOST).orElse(8);
        if (count == 0) {
            return Experts.NONE;
        }
        int shared =
                config.optionalInteger("shared_intermediate_size", 0, MAX_WIDTH).orElse(0);
        return new Experts(
                count,
                perToken(config, 2),
                config.integer("intermediate_size", 1, MAX_WIDTH),
                Routing.softmax(true),
                false,
                new Shared(shared, false),
                Collections.nCopies(layers, true));
    }

    private static Experts qwen(DecoderFamily family, JsonObject config, int layers) {
        int step = config.optionalInteger("decoder_sparse_step", 1, MOST).orElse(1);
        List<Object> dense = config.list("mlp_only_layers");
        Shared shared = family.hasOneSharedExpert()
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

    /** With a correction of probabilities, which no other family has. */
    private static Experts ernie(JsonObject config, int layers) {
        int width = config.integer("moe_intermediate_size", 1, MAX_WIDTH);
        int step = config.optionalInteger("moe_layer_interval", 1, MOST).orElse(1);
        int first = config.optionalInteger("moe_layer_start_index", 0, MOST).orElse(1);
        int last = config.optionalInteger("moe_layer_end_index", -1, MOST).orElse(-1);
        int end = last < 0 ? layers - 1 : last;
        return new Experts(
                config.integer("moe_num_experts", 1, MOST),
                config.optionalInteger("moe_k", 1, MOST).orElse(6),
                width,
                new Routing(Scoring.SOFTMAX, true, true, 1, 1, 1, 1),
                false,
                shared(
                        config,
                        width,
                        config.optionalInteger("moe_num_shared_experts", 0, MOST)
                                .orElse(2)),
                IntStream.range(0, layers)
                        .mapToObj(i -> (i + 1) % step == 0 && i >= first && i <= end)
                        .toList());
    }

    /** So many experts that all tokens go through, as one. */
    private static Shared shared(JsonObject config, int width, int count) {
        long all = (long) width * count;
        if (all > MAX_WIDTH) {
            throw new ModelException("%s: %d shared experts of width %d are wider than %d together"
                    .formatted(config.source(), count, width, MAX_WIDTH));
        }
        return new Shared((int) all, false);
    }

    /** With the keys of DeepSeek-V3, which others took over. */
    private static Experts deepSeek(JsonObject config, Routing routing, int layers) {
        int width = config.integer("moe_intermediate_size", 1, MAX_WIDTH);
        int shared = config.optionalInteger("n_shared_experts", 0, MOST).orElse(0);
        if (config.number("moe_layer_freq", 1) != 1) {
            throw new ModelException("%s: moe_layer_freq %s is not supported; 1 is"
                    .formatted(config.source(), config.number("moe_layer_freq", 1)));
        }
        int dense = config.optionalInteger("first_k_dense_replace", 0, layers).orElse(0);
        return new Experts(
                count(config, "n_routed_experts", "num_local_experts"),
                config.integer("num_experts_per_tok", 1, MOST),
                width,
                routing,
                false,
                shared(config, width, shared),
                config.has("mlp_layer_types")
                        ? byType(config, layers)
                        : IntStream.range(0, layers).mapToObj(i -> i >= dense).toList());
    }

    private static List<Boolean> byType(JsonObject config, int layers) {
        List<Object> types = config.list("mlp_layer_types");
        if (types.size() != layers) {
            throw new ModelException(
                    "%s: %d mlp_layer_types for %d layers".formatted(config.source(), types.size(), layers));
        }
        return types.stream().map("sparse"::equals).toList();
    }

    private static Routing bySigmoid(JsonObject config) {
        refuseUnless(config, "scoring_func", "sigmoid");
        int groups = config.optionalInteger("n_group", 1, MOST).orElse(1);
        return new Routing(
                Scoring.SIGMOID,
                config.flag("norm_topk_prob", true),
                true,
                groups,
                config.optionalInteger("topk_group", 1, MOST).orElse(groups),
                2,
                config.number("routed_scaling_factor", 1));
    }

    private static Routing byProbability(JsonObject config) {
        refuseUnless(config, "scoring_func", "softmax");
        if (config.flag("norm_topk_prob", false)) {
            throw new ModelException(
                    "%s: norm_topk_prob is not supported for this architecture".formatted(config.source()));
        }
        String method = config.string("topk_method").orElse("greedy");
        int groups = switch (method) {
            case "greedy" -> 1;
            case "group_limited_greedy" -> config.integer("n_group", 1, MOST);
            default ->
                throw new ModelException("%s: topk_method \"%s\" is not supported; greedy and group_limited_greedy are"
                        .formatted(config.source(), method));
        };
        return new Routing(
                Scoring.SOFTMAX,
                false,
                false,
                groups,
                groups == 1 ? 1 : config.integer("topk_group", 1, MOST),
                1,
                config.number("routed_scaling_factor", 1));
    }

    /** Probabilities among the experts chosen. */
    private static Routing ofThoseChosen(JsonObject config) {
        if (config.optionalInteger("n_group", 1, MOST).orElse(1) > 1) {
            throw new ModelException("%s: n_group is not supported for this architecture".formatted(config.source()));
        }
        return new Routing(
                Scoring.SOFTMAX,
                config.flag("norm_topk_prob", true),
                false,
                1,
                1,
                1,
                config.number("routed_scaling_factor", 1));
    }

    private static void refuseUnless(JsonObject config, String key, String value) {
        String given = config.string(key).orElse(value);
        if (!given.equals(value)) {
            throw new ModelException("%s: %s \"%s\" is not supported for this architecture; %s is"
                    .formatted(config.source(), key, given, value));
        }
    }

    private static int count(JsonObject config, String key, String other) {
        return config.integer(config.has(key) ? key : other, 1, MOST);
    }

    private static int perToken(JsonObject config, int unsaid) {
        return config.optionalInteger("num_experts_per_tok", 1, MOST).orElse(unsaid);
    }
}
