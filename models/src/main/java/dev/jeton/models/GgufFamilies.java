package dev.jeton.models;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** What the metadata and names of GGUF files have for some families alone, in the manner of llama.cpp's converter. */
final class GgufFamilies {

    private static final String LONG = "rope_factors_long.weight";
    private static final String SHORT = "rope_factors_short.weight";

    /** Layers of the models of 27 billion parameters, whose query scale is not that of the head and in no key. */
    private static final Map<DecoderFamily, Integer> LAYERS_OF_27B =
            Map.of(DecoderFamily.GEMMA2, 46, DecoderFamily.GEMMA3, 62);

    /** Granite's multipliers, and what folders call them. */
    private static final Map<String, String> GRANITE_SCALES = Map.of(
            "attention.scale", "attention_multiplier",
            "embedding_scale", "embedding_multiplier",
            "residual_scale", "residual_multiplier",
            "logit_scale", "logits_scaling");

    /** Softmax over the router's logits, in llama.cpp's numbers. */
    private static final int SOFTMAX = 1;

    /** Sigmoids of them. */
    private static final int SIGMOID = 2;

    /** Families whose second norm is named by what it follows, beside those that have it behind that. */
    private static final Set<DecoderFamily> NAMED_AS_BEHIND = Set.of(
            DecoderFamily.GLM4_MOE,
            DecoderFamily.SEED_OSS,
            DecoderFamily.QWEN3_NEXT,
            DecoderFamily.QWEN3_5,
            DecoderFamily.QWEN3_5_MOE);

    /** Families in which not all of a head need be turned. */
    static final Set<DecoderFamily> PARTLY_TURNED = Set.of(
            DecoderFamily.PHI3,
            DecoderFamily.GLM4_MOE,
            DecoderFamily.MINIMAX_M2,
            DecoderFamily.GLM4,
            DecoderFamily.QWEN3_NEXT,
            DecoderFamily.QWEN3_5,
            DecoderFamily.QWEN3_5_MOE);

    private GgufFamilies() {}

    /** Keys that are understood of a family and refused of others. */
    static Set<String> known(DecoderFamily family) {
        return switch (family) {
            case MIXTRAL, QWEN3_MOE, QWEN2_MOE, OLMOE, QWEN3_NEXT, QWEN3_5_MOE -> Set.of("expert_count");
            case ERNIE4_5_MOE -> Set.of("expert_count", "expert_shared_count");
            case MINIMAX_M2 -> Set.of("expert_count", "expert_weights_scale");
            case OLMO3, EXAONE4 -> Set.of("attention.sliding_window");
            case MINISTRAL3 -> Set.of("attention.temperature_scale", "rope.scaling.yarn_log_multiplier");
            case GLM4_MOE -> Set.of("expert_count", "expert_shared_count", "expert_weights_scale");
            case DEEPSEEK_V2, DEEPSEEK_V3 ->
                Set.of(
                        "expert_count",
                        "expert_shared_count",
                        "expert_weights_scale",
                        "rope.scaling.yarn_log_multiplier");
            case GPT_OSS -> Set.of("expert_count", "attention.sliding_window");
            case PHI3 -> Set.of("attention.sliding_window");
            case GEMMA2, GEMMA3 ->
                Set.of("attn_logit_softcapping", "final_logit_softcapping", "attention.sliding_window");
            case GRANITE -> GRANITE_SCALES.keySet();
            case GRANITE_MOE, GRANITE_MOE_SHARED, GRANITE_HYBRID ->
                Stream.concat(GRANITE_SCALES.keySet().stream(), Stream.of("expert_count", "expert_shared_count"))
                        .collect(Collectors.toSet());
            case LLAMA,
                    MISTRAL,
                    QWEN2,
                    QWEN3,
                    GLM4_MOE_LITE,
                    SEED_OSS,
                    OLMO2,
                    SMOLLM3,
                    MISTRAL4,
                    GLM,
                    GLM4,
                    ERNIE4_5,
                    QWEN3_5 -> Set.of();
        };
    }

    /** Adds to a configuration what only some families have. */
    static void complete(DecoderFamily family, GgufFile file, String prefix, Map<String, Object> config) {
        switch (family) {
            case GLM4_MOE -> {
                partlyTurned(file.metadata(), prefix, config);
                config.put("use_qk_norm", file.holds("blk.0.attn_q_norm.weight"));
                GgufDeepSeek.experts(file, prefix, config);
            }
            case DEEPSEEK_V2, DEEPSEEK_V3 -> {
                GgufDeepSeek.experts(file, prefix, config);
                GgufDeepSeek.attention(file, prefix, config);
            }
            case OLMO3 -> {
                windows(file, prefix, config);
                olmo3(file.metadata(), prefix, config);
            }
            case EXAONE4 -> windows(file, prefix, config);
            case MINISTRAL3 -> ministral(file.metadata(), prefix, config);
            case ERNIE4_5_MOE -> ernie(file.metadata(), prefix, config);
            case MINIMAX_M2 -> minimax(file.metadata(), prefix, config);
            case MIXTRAL, QWEN3_MOE, QWEN2_MOE, OLMOE -> experts(family, file.metadata(), prefix, config);
            case GPT_OSS -> gptOss(file.metadata(), prefix, config);
            case PHI3 -> phi3(file, prefix, config);
            case GEMMA2, GEMMA3 -> gemma(family, file, prefix, config);
            case GRANITE, GRANITE_MOE, GRANITE_MOE_SHARED, GRANITE_HYBRID -> granite(family, file, prefix, config);
            case QWEN3_NEXT, QWEN3_5, QWEN3_5_MOE -> {
                if (family.hasExperts()) {
                    experts(family, file.metadata(), prefix, config);
                }
                partlyTurned(file.metadata(), prefix, config);
                GgufDelta.complete(family, file, prefix, config);
            }
            case SEED_OSS -> config.put("attention_out_bias", file.holds("blk.0.attn_output.bias"));
            case GLM4 -> {
                refuseSections(file, prefix);
                config.put("attention_bias", file.holds("blk.0.attn_q.bias"));
                partlyTurned(file.metadata(), prefix, config);
            }
            case LLAMA, MISTRAL, QWEN2, QWEN3, GLM4_MOE_LITE, OLMO2, SMOLLM3, MISTRAL4, GLM, ERNIE4_5 -> {}
        }
    }

    /** Models with images have rows of q and k half by half, and positions in three parts. */
    private static void refuseSections(GgufFile file, String prefix) {
        List<Object> sections = file.list(prefix + "rope.dimension_sections");
        if (sections.stream().anyMatch(size -> !(size instanceof Number n) || n.longValue() != 0)) {
            throw new ModelException(
                    "%s: \"%srope.dimension_sections\" %s is not supported".formatted(file.path(), prefix, sections));
        }
    }

    private static void partlyTurned(JsonObject metadata, String prefix, Map<String, Object> config) {
        int turned = metadata.integer(prefix + "rope.dimension_count", 2, 1024);
        JsonObject common = JsonObject.of(metadata.source(), config);
        config.put("partial_rotary_factor", (double) turned / common.integer("head_dim", 2, 1024));
    }

    private static void experts(DecoderFamily family, JsonObject metadata, String prefix, Map<String, Object> config) {
        requireSoftmax(metadata, prefix);
        int count = metadata.integer(prefix + "expert_count", 1, 1 << 12);
        config.put(family == DecoderFamily.MIXTRAL ? "num_local_experts" : "num_experts", count);
        int used = metadata.integer(prefix + "expert_used_count", 1, 1 << 12);
        config.put("num_experts_per_tok", used);
        config.put("norm_topk_prob", family != DecoderFamily.QWEN2_MOE && family != DecoderFamily.OLMOE);
        if (family == DecoderFamily.QWEN2_MOE) {
            // what llama.cpp takes for files from before there were keys of these widths
            int width = JsonObject.of(metadata.source(), config).integer("intermediate_size", 1, 1 << 20);
            config.put("shared_expert_intermediate_size", width);
            config.put("moe_intermediate_size", width / used);
        }
        metadata.value(prefix + "expert_shared_feed_forward_length")
                .ifPresent(width -> config.put("shared_expert_intermediate_size", width));
        metadata.value(prefix + "expert_feed_forward_length")
                .ifPresent(width -> config.put("moe_intermediate_size", width));
    }

    private static void requireSoftmax(JsonObject metadata, String prefix) {
        int gating = metadata.optionalInteger(prefix + "expert_gating_func", 0, Integer.MAX_VALUE)
                .orElse(SOFTMAX);
        if (gating > SOFTMAX) {
            throw new ModelException("%s: \"%sexpert_gating_func\" %d is not supported; softmax (%d) is"
                    .formatted(metadata.source(), prefix, gating, SOFTMAX));
        }
    }

    private static void granite(DecoderFamily family, GgufFile file, String prefix, Map<String, Object> config) {
        GRANITE_SCALES.forEach((key, name) -> config.put(name, file.metadata().number(prefix + key, 1)));
        if (family != DecoderFamily.GRANITE) {
            experts(family, file.metadata(), prefix, config);
            config.put("num_local_experts", file.metadata().integer(prefix + "expert_count", 1, 1 << 12));
            file.metadata()
                    .value(prefix + "expert_shared_feed_forward_length")
                    .ifPresent(width -> config.put("shared_intermediate_size", width));
        }
    }

    /** llama.cpp's ramp of YaRN ends at whole pairs whatever the model; the model's own does not. */
    private static void gptOss(JsonObject metadata, String prefix, Map<String, Object> config) {
        config.put("num_local_experts", metadata.integer(prefix + "expert_count", 1, 1 << 12));
        config.put("num_experts_per_tok", metadata.integer(prefix + "expert_used_count", 1, 1 << 12));
        metadata.value(prefix + "expert_feed_forward_length")
                .ifPresent(width -> config.put("intermediate_size", width));
        window(metadata, prefix, config);
        if (config.containsKey("rope_scaling")) {
            Map<String, Object> own = rope(config);
            own.put("truncate", false);
            config.put("rope_scaling", own);
        }
    }

    private static void phi3(GgufFile file, String prefix, Map<String, Object> config) {
        JsonObject metadata = file.metadata();
        window(metadata, prefix, config);
        int headDim = JsonObject.of(metadata.source(), config).integer("head_dim", 2, 1024);
        int turned = metadata.optionalInteger(prefix + "rope.dimension_count", 2, headDim)
                .orElse(headDim);
        config.put("partial_rotary_factor", (double) turned / headDim);
        if (file.holds(LONG) && file.holds(SHORT)) {
            Map<String, Object> scaling = new LinkedHashMap<>();
            scaling.put("rope_type", "longrope");
            scaling.put("long_factor", factors(file, LONG));
            scaling.put("short_factor", factors(file, SHORT));
            metadata.number(prefix + "rope.scaling.attn_factor")
                    .ifPresent(factor -> scaling.put("attention_factor", factor));
            config.put("rope_scaling", scaling);
            config.put(
                    "original_max_position_embeddings",
                    metadata.integer(prefix + "rope.scaling.original_context_length", 2, 1 << 30));
        }
    }

    private static List<Object> factors(GgufFile file, String name) {
        List<Object> factors = new ArrayList<>();
        for (float value : file.find(name, name).orElseThrow().toFloats()) {
            factors.add((double) value);
        }
        return factors;
    }

    private static void gemma(DecoderFamily family, GgufFile file, String prefix, Map<String, Object> config) {
        JsonObject metadata = file.metadata();
        window(metadata, prefix, config);
        layerTypes(file, prefix, config);
        for (String cap : List.of("attn_logit_softcapping", "final_logit_softcapping")) {
            metadata.value(prefix + cap).ifPresent(value -> config.put(cap, value));
        }
        JsonObject common = JsonObject.of(metadata.source(), config);
        boolean large = common.integer("num_hidden_layers", 1, 1 << 12) == LAYERS_OF_27B.getOrDefault(family, 0);
        int scalar = large
                ? common.integer("hidden_size", 1, 1 << 20) / common.integer("num_attention_heads", 1, 1 << 14)
                : common.integer("head_dim", 2, 1024);
        config.put("query_pre_attn_scalar", scalar);
        metadata.number(prefix + "rope.freq_base_swa").ifPresent(base -> config.put("rope_local_base_freq", base));
    }

    private static void windows(GgufFile file, String prefix, Map<String, Object> config) {
        window(file.metadata(), prefix, config);
        layerTypes(file, prefix, config);
    }

    /** Files of OLMo 3 have the whole factor of attention, where those of others have what is beside YaRN's own. */
    private static void olmo3(JsonObject metadata, String prefix, Map<String, Object> config) {
        metadata.number(prefix + "rope.scaling.attn_factor").ifPresent(factor -> {
            Map<String, Object> rope = rope(config);
            rope.put("attention_factor", factor);
            config.put("rope_scaling", rope);
        });
    }

    /** A copy of what is said of rotation; empty where nothing is. */
    static Map<String, Object> rope(Map<String, Object> config) {
        Map<String, Object> rope = new LinkedHashMap<>();
        if (config.get("rope_scaling") instanceof Map<?, ?> scaling) {
            scaling.forEach((key, value) -> rope.put(String.valueOf(key), value));
        }
        return rope;
    }

    private static void layerTypes(GgufFile file, String prefix, Map<String, Object> config) {
        List<Object> layers = file.list(prefix + "attention.sliding_window_pattern");
        if (!layers.isEmpty()) {
            config.put(
                    "layer_types",
                    layers.stream()
                            .map(sliding -> Boolean.TRUE.equals(sliding) ? "sliding_attention" : "full_attention")
                            .toList());
        } else {
            file.metadata()
                    .value(prefix + "attention.sliding_window_pattern")
                    .ifPresent(pattern -> config.put("sliding_window_pattern", pattern));
        }
    }

    /** Queries grow every so many positions as the context had in training, which is that of YaRN. */
    private static void ministral(JsonObject metadata, String prefix, Map<String, Object> config) {
        double beta = metadata.number(prefix + "attention.temperature_scale", 0);
        double all = metadata.number(prefix + "rope.scaling.yarn_log_multiplier", 0);
        Map<String, Object> rope = rope(config);
        if (all != 0) {
            rope.put("mscale", 1.0);
            rope.put("mscale_all_dim", all);
        }
        if (beta != 0) {
            rope.put("llama_4_scaling_beta", beta);
            rope.putIfAbsent("rope_type", "default");
            rope.put(
                    "original_max_position_embeddings",
                    metadata.optionalInteger(prefix + "rope.scaling.original_context_length", 1, 1 << 30)
                            .orElseGet(() -> metadata.integer(prefix + "context_length", 1, 1 << 30)));
        }
        config.put("rope_scaling", rope.isEmpty() ? Map.of("rope_type", "default") : rope);
    }

    private static void minimax(JsonObject metadata, String prefix, Map<String, Object> config) {
        int gating = metadata.optionalInteger(prefix + "expert_gating_func", 0, Integer.MAX_VALUE)
                .orElse(SIGMOID);
        if (gating != SIGMOID) {
            throw new ModelException("%s: \"%sexpert_gating_func\" %d is not supported; sigmoid (%d) is"
                    .formatted(metadata.source(), prefix, gating, SIGMOID));
        }
        config.put("num_local_experts", metadata.integer(prefix + "expert_count", 1, 1 << 12));
        config.put("num_experts_per_tok", metadata.integer(prefix + "expert_used_count", 1, 1 << 12));
        metadata.value(prefix + "expert_feed_forward_length")
                .ifPresent(width -> config.put("intermediate_size", width));
        metadata.value(prefix + "expert_weights_scale")
                .filter(scale -> metadata.number(prefix + "expert_weights_scale", 0) != 0)
                .ifPresent(scale -> config.put("routed_scaling_factor", scale));
        metadata.value(prefix + "rope.dimension_count").ifPresent(turned -> config.put("rotary_dim", turned));
    }

    private static void ernie(JsonObject metadata, String prefix, Map<String, Object> config) {
        requireSoftmax(metadata, prefix);
        config.put("moe_num_shared_experts", 0);
        config.put("moe_layer_start_index", 0);
        Map.of(
                        "expert_count", "moe_num_experts",
                        "expert_used_count", "moe_k",
                        "expert_feed_forward_length", "moe_intermediate_size",
                        "expert_shared_count", "moe_num_shared_experts",
                        "interleave_moe_layer_step", "moe_layer_interval",
                        "leading_dense_block_count", "moe_layer_start_index")
                .forEach((key, name) -> metadata.value(prefix + key).ifPresent(value -> config.put(name, value)));
    }

    private static void window(JsonObject metadata, String prefix, Map<String, Object> config) {
        int window = metadata.optionalInteger(prefix + "attention.sliding_window", 0, Integer.MAX_VALUE)
                .orElse(0);
        if (window > 0) {
            config.put("sliding_window", window);
        }
    }

    /**
     * What a tensor of a layer is called in Hugging Face folders of a family; empty where the family has none of that
     * name.
     *
     * @param kind {@code weight} or {@code bias}
     * @param usual what it is in most families that have it
     */
    static String inside(DecoderFamily family, String name, String kind, String usual) {
        boolean phi3 = family == DecoderFamily.PHI3;
        boolean behindToo = family.isGemma() || family == DecoderFamily.GLM4;
        boolean oss = family == DecoderFamily.GPT_OSS;
        return switch (name) {
            case "ffn_norm" -> family.hasNormsBehind() ? "" : behindToo ? "pre_feedforward_layernorm" : usual;
            case "post_attention_norm" ->
                behindToo || oss || family.hasNormsBehind() || NAMED_AS_BEHIND.contains(family) ? usual : "";
            case "post_ffw_norm" -> behindToo || family.hasNormsBehind() ? usual : "";
            case "attn_norm" -> family.hasNormsBehind() ? "" : usual;
            case "attn_sinks" -> oss && kind.equals("weight") ? usual : "";
            case "attn_qkv" ->
                family.hasDeltas() ? "linear_attn.in_proj_qkv" : phi3 && kind.equals("weight") ? usual : "";
            case "attn_gate",
                    "ssm_a",
                    "ssm_alpha",
                    "ssm_beta",
                    "ssm_ba",
                    "ssm_conv1d",
                    "ssm_dt",
                    "ssm_in",
                    "ssm_norm",
                    "ssm_out" -> family.hasDeltas() ? usual : "";
            case "ffn_up" -> phi3 || family == DecoderFamily.GLM4 ? "mlp.gate_up_proj" : usual;
            case "ffn_gate_inp", "ffn_gate_exps", "ffn_up_exps", "ffn_down_exps" ->
                oss || kind.equals("weight") && family.hasExperts() ? usual : "";
            case "exp_probs_b" -> family.hasCorrectedExperts() && kind.equals("bias") ? usual : "";
            case "ffn_gate_inp_shexp" -> family.hasOneSharedExpert() ? usual : "";
            case "ffn_gate_shexp", "ffn_up_shexp", "ffn_down_shexp" ->
                family.hasDeepSeekExperts()
                                || family.hasOneSharedExpert()
                                || family == DecoderFamily.ERNIE4_5_MOE
                                || family.isGraniteOfExperts()
                        ? usual
                        : "";
            case "attn_q_a", "attn_q_a_norm", "attn_q_b", "attn_kv_a_mqa", "attn_kv_a_norm", "attn_kv_b" ->
                family.isLatent() ? usual : "";
            case "attn_k_b", "attn_v_b" -> family.isLatent() ? usual : "";
            default -> usual;
        };
    }
}
