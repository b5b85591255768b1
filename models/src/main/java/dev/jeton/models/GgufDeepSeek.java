package dev.jeton.models;

import java.util.Map;

/** What GGUF files say of experts and attention in the manner of DeepSeek, in the words of config.json. */
final class GgufDeepSeek {

    /** Scores that are sigmoids, in llama.cpp's numbers. */
    private static final int SIGMOID = 2;

    private static final String SCORES = "expert_gating_func";

    /** What is added to scores for the choice. */
    private static final String CORRECTION = ".exp_probs_b.bias";

    /** What llama.cpp's converter multiplies {@code mscale_all_dim} with. */
    private static final double LOG_MULTIPLIER = 0.1;

    private GgufDeepSeek() {}

    /**
     * Whether experts are scored by sigmoids. Files that do not say so are of models before there were any, whose
     * scores nothing is added to, or of GLM-4.7-Flash, whose config.json does not say it either.
     */
    static boolean bySigmoid(GgufFile file, String prefix) {
        double scores = file.metadata().number(prefix + SCORES, 0);
        return scores == SIGMOID || scores == 0 && corrected(file);
    }

    private static boolean corrected(GgufFile file) {
        for (String name : file.names()) {
            if (name.endsWith(CORRECTION)) {
                return true;
            }
        }
        return false;
    }

    /** What would silently be another choice of experts. */
    private static void refuse(GgufFile file, String prefix) {
        double scores = file.metadata().number(prefix + SCORES, 0);
        if (scores > SIGMOID) {
            throw new ModelException("%s: \"%s%s\" %.0f is not supported; softmax (1) and sigmoid (%d) are"
                    .formatted(file.path(), prefix, SCORES, scores, SIGMOID));
        }
        if (corrected(file) && !bySigmoid(file, prefix)) {
            throw new ModelException("%s: \"%s%s\" is softmax, of which corrections (%s) are not supported"
                    .formatted(file.path(), prefix, SCORES, CORRECTION.substring(1)));
        }
    }

    /** Adds what is said of experts. Files that say nothing of groups are served without, as llama.cpp does. */
    static void experts(GgufFile file, String prefix, Map<String, Object> config) {
        refuse(file, prefix);
        JsonObject metadata = file.metadata();
        boolean sigmoid = bySigmoid(file, prefix);
        int groups = metadata.optionalInteger(prefix + "expert_group_count", 0, 1 << 12)
                .orElse(0);
        config.put("n_routed_experts", metadata.integer(prefix + "expert_count", 1, 1 << 12));
        config.put("num_experts_per_tok", metadata.integer(prefix + "expert_used_count", 1, 1 << 12));
        config.put("moe_intermediate_size", metadata.integer(prefix + "expert_feed_forward_length", 1, 1 << 20));
        config.put(
                "n_shared_experts",
                metadata.optionalInteger(prefix + "expert_shared_count", 0, 1 << 12)
                        .orElse(0));
        config.put("norm_topk_prob", metadata.flag(prefix + "expert_weights_norm", false));
        config.put("scoring_func", sigmoid ? "sigmoid" : "softmax");
        double scale = metadata.number(prefix + "expert_weights_scale", 0);
        config.put("routed_scaling_factor", scale == 0 ? 1 : scale);
        config.put(
                "first_k_dense_replace",
                metadata.optionalInteger(prefix + "leading_dense_block_count", 0, 1 << 12)
                        .orElse(0));
        if (groups > 1) {
            config.put("n_group", groups);
            config.put("topk_group", metadata.integer(prefix + "expert_group_used_count", 1, groups));
        }
        if (!sigmoid) {
            config.put("topk_method", groups > 1 ? "group_limited_greedy" : "greedy");
        }
    }

    /** Adds what is said of latent attention. */
    static void attention(GgufFile file, String prefix, Map<String, Object> config) {
        JsonObject metadata = file.metadata();
        int rotary = metadata.integer(prefix + "rope.dimension_count", 2, 1024);
        // newer files have the latent vector's widths under the usual names
        int key = metadata.optionalInteger(prefix + "attention.key_length_mla", 2, 1 << 12)
                .orElseGet(() -> metadata.integer(prefix + "attention.key_length", 2, 1 << 12));
        int value = metadata.optionalInteger(prefix + "attention.value_length_mla", 1, 1 << 12)
                .orElseGet(() -> metadata.integer(prefix + "attention.value_length", 1, 1 << 12));
        if (rotary >= key) {
            throw new ModelException("%s: \"%srope.dimension_count\" %d leaves nothing of heads of %d"
                    .formatted(metadata.source(), prefix, rotary, key));
        }
        config.put("kv_lora_rank", metadata.integer(prefix + "attention.kv_lora_rank", 2, 1 << 13));
        metadata.optionalInteger(prefix + "attention.q_lora_rank", 0, 1 << 16)
                .filter(rank -> rank > 0)
                .ifPresent(rank -> config.put("q_lora_rank", rank));
        config.put("qk_nope_head_dim", key - rotary);
        config.put("qk_rope_head_dim", rotary);
        config.put("v_head_dim", value);
        double multiplier = metadata.number(prefix + "rope.scaling.yarn_log_multiplier", 0) / LOG_MULTIPLIER;
        if (multiplier != 0 && config.containsKey("rope_scaling")) {
            Map<String, Object> own = GgufFamilies.rope(config);
            own.put("mscale", multiplier);
            own.put("mscale_all_dim", multiplier);
            config.put("rope_scaling", own);
        }
    }
}
