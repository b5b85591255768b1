package dev.jeton.models;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What Hugging Face's configurations of families take where config.json leaves it out, and where they have it. */
final class FamilyDefaults {

    private static final Map<String, Object> GEMMA = Map.of(
            "tie_word_embeddings", true,
            "head_dim", 256,
            "hidden_activation", "gelu_pytorch_tanh",
            "query_pre_attn_scalar", 256,
            "max_position_embeddings", 8192);

    private static final Map<String, Object> GEMMA3 = Map.of(
            "num_attention_heads", 8,
            "num_key_value_heads", 4,
            "vocab_size", 262_208,
            "max_position_embeddings", 131_072,
            "rope_theta", 1_000_000,
            "rope_local_base_freq", 10_000);

    private static final Map<String, Object> GPT_OSS = Map.of(
            "attention_bias", true,
            "head_dim", 64,
            "rms_norm_eps", 1e-5,
            "max_position_embeddings", 131_072,
            "rope_theta", 150_000,
            "num_experts_per_tok", 4,
            "sliding_window", 128,
            "rope_scaling",
                    Map.of(
                            "rope_type",
                            "yarn",
                            "factor",
                            32,
                            "original_max_position_embeddings",
                            4096,
                            "truncate",
                            false));

    private static final Map<String, Object> GLM4_MOE = Map.of(
            "rms_norm_eps",
            1e-5,
            "max_position_embeddings",
            131_072,
            "partial_rotary_factor",
            0.5,
            "norm_topk_prob",
            true,
            "n_shared_experts",
            1,
            "first_k_dense_replace",
            1);

    private static final Map<String, Object> GLM = Map.of(
            "attention_bias",
            true,
            "head_dim",
            128,
            "num_key_value_heads",
            2,
            "rms_norm_eps",
            1.5625e-7,
            "max_position_embeddings",
            131_072,
            "partial_rotary_factor",
            0.5);

    private static final Map<String, Object> ERNIE4_5 = Map.of(
            "tie_word_embeddings", true,
            "head_dim", 128,
            "num_key_value_heads", 2,
            "rms_norm_eps", 1e-5,
            "max_position_embeddings", 131_072,
            "rope_theta", 500_000);

    private static final Map<String, Object> SEED_OSS =
            Map.of("attention_bias", true, "head_dim", 128, "max_position_embeddings", 524_288);

    private static final Map<String, Object> OLMO = Map.of("rms_norm_eps", 1e-5);

    private static final Map<String, Object> OLMO3 =
            Map.of("rms_norm_eps", 1e-5, "rope_theta", 500_000, "sliding_window", 4096);

    private static final Map<String, Object> MINIMAX_M2 =
            Map.of("head_dim", 128, "max_position_embeddings", 196_608, "rope_theta", 5_000_000);

    private static final Map<String, Object> SMOLLM3 =
            Map.of("tie_word_embeddings", true, "max_position_embeddings", 32_768, "rope_theta", 2_000_000);

    private static final Map<String, Object> MINISTRAL3 = Map.of(
            "head_dim",
            128,
            "rms_norm_eps",
            1e-5,
            "max_position_embeddings",
            262_144,
            "rope_scaling",
            Map.of(
                    "rope_type",
                    "yarn",
                    "rope_theta",
                    1_000_000,
                    "factor",
                    16,
                    "original_max_position_embeddings",
                    16_384,
                    "attention_factor",
                    1,
                    "llama_4_scaling_beta",
                    0.1));

    private static final Map<String, Object> MISTRAL4 = Map.of(
            "max_position_embeddings",
            1_048_576,
            "num_experts_per_tok",
            4,
            "n_shared_experts",
            1,
            "norm_topk_prob",
            true,
            "rope_scaling",
            Map.of(
                    "rope_type",
                    "yarn",
                    "rope_theta",
                    10_000,
                    "factor",
                    128,
                    "original_max_position_embeddings",
                    8192,
                    "mscale",
                    1,
                    "mscale_all_dim",
                    1,
                    "llama_4_scaling_beta",
                    0.1));

    private static final Map<String, Object> DELTAS = Map.ofEntries(
            Map.entry("head_dim", 256),
            Map.entry("max_position_embeddings", 32_768),
            Map.entry("partial_rotary_factor", 0.25),
            Map.entry("linear_num_key_heads", 16),
            Map.entry("linear_num_value_heads", 32),
            Map.entry("linear_key_head_dim", 128),
            Map.entry("linear_value_head_dim", 128),
            Map.entry("linear_conv_kernel_dim", 4));

    private static final Map<String, Object> DELTAS_WITH_EXPERTS = Map.of(
            "moe_intermediate_size", 512,
            "shared_expert_intermediate_size", 512,
            "norm_topk_prob", true);

    private FamilyDefaults() {}

    /** The configuration of the decoder of text, with what its family takes where it says nothing. */
    static JsonObject complete(DecoderFamily family, JsonObject config) {
        return switch (family) {
            case GEMMA2 -> over(GEMMA, config, text(config));
            case GEMMA3 -> {
                Map<String, Object> all = new LinkedHashMap<>(GEMMA);
                all.putAll(GEMMA3);
                yield over(all, config, text(config));
            }
            case MISTRAL -> config.has("text_config") ? over(Map.of(), config, text(config)) : config;
            case GPT_OSS -> over(GPT_OSS, config, config);
            case GLM4_MOE -> over(GLM4_MOE, config, config);
            case GLM4_MOE_LITE -> {
                Map<String, Object> all = new LinkedHashMap<>(GLM4_MOE);
                all.remove("partial_rotary_factor");
                yield over(all, config, config);
            }
            case GLM, GLM4 -> over(GLM, config, config);
            case ERNIE4_5 -> over(ERNIE4_5, config, config);
            case ERNIE4_5_MOE -> {
                Map<String, Object> all = new LinkedHashMap<>(ERNIE4_5);
                all.remove("head_dim");
                all.put("num_key_value_heads", 4);
                yield over(all, config, config);
            }
            case SEED_OSS -> over(SEED_OSS, config, config);
            case GRANITE_HYBRID -> hybrid(config);
            case OLMO2, EXAONE4 -> over(OLMO, config, config);
            case OLMOE -> over(OLMO, config, unclipped(config));
            case OLMO3 -> olmo3(over(OLMO3, config, config));
            case MINIMAX_M2 -> minimax(over(MINIMAX_M2, config, config));
            case SMOLLM3 -> over(SMOLLM3, config, config);
            case MINISTRAL3 -> over(MINISTRAL3, config, text(config));
            case QWEN3_NEXT -> withDeltas(config, 2, Map.of("num_experts", 512, "num_experts_per_tok", 10));
            case QWEN3_5 -> withDeltas(config, 4, Map.of());
            case QWEN3_5_MOE -> withDeltas(config, 2, Map.of("num_experts", 256, "num_experts_per_tok", 8));
            case MISTRAL4 -> wholly(over(MISTRAL4, config, text(config)));
            default -> config;
        };
    }

    private static JsonObject text(JsonObject config) {
        return config.object("text_config").orElse(config);
    }

    private static JsonObject over(Map<String, Object> defaults, JsonObject whole, JsonObject text) {
        Map<String, Object> all = new LinkedHashMap<>(defaults);
        whole.value("tie_word_embeddings").ifPresent(tied -> all.put("tie_word_embeddings", tied));
        all.putAll(values(text));
        if (text.has("rope_parameters")) {
            all.remove("rope_scaling");
            text.value("rope_scaling").ifPresent(value -> all.put("rope_scaling", value));
        }
        return JsonObject.of(text.source(), all);
    }

    private static JsonObject withDeltas(JsonObject config, int keyValueHeads, Map<String, Object> experts) {
        Map<String, Object> all = new LinkedHashMap<>(DELTAS);
        all.put("num_key_value_heads", keyValueHeads);
        if (!experts.isEmpty()) {
            all.putAll(DELTAS_WITH_EXPERTS);
            all.putAll(experts);
            // where all layers are of experts, none has the width that this says
            all.put("intermediate_size", 512);
        }
        return over(all, config, text(config));
    }

    private static JsonObject with(JsonObject config, String key, Object value) {
        Map<String, Object> all = values(config);
        all.put(key, value);
        return JsonObject.of(config.source(), all);
    }

    private static JsonObject unclipped(JsonObject config) {
        if (config.has("clip_qkv")) {
            throw new ModelException(config.source() + ": clip_qkv is not supported");
        }
        return config;
    }

    /**
     * Layers with a window are turned as before contexts were stretched, unless they are said to be turned otherwise.
     */
    private static JsonObject olmo3(JsonObject config) {
        Object theta = config.value("rope_theta").orElseThrow();
        JsonObject given = config.object("rope_parameters")
                .or(() -> config.object("rope_scaling"))
                .orElseGet(() -> JsonObject.of(config.source(), Map.of()));
        boolean byType = given.has("full_attention") || given.has("sliding_attention");
        JsonObject none = JsonObject.of(config.source(), Map.of());
        Map<String, Object> whole =
                turned(theta, byType ? given.object("full_attention").orElse(none) : given);
        Map<String, Object> windows =
                turned(theta, byType ? given.object("sliding_attention").orElse(none) : none);
        return with(config, "rope_parameters", Map.of("full_attention", whole, "sliding_attention", windows));
    }

    private static Map<String, Object> turned(Object theta, JsonObject given) {
        Map<String, Object> all = new LinkedHashMap<>(Map.of("rope_type", "default", "rope_theta", theta));
        all.putAll(values(given));
        return all;
    }

    private static Map<String, Object> values(JsonObject given) {
        Map<String, Object> all = new LinkedHashMap<>();
        given.keys().forEach(key -> given.value(key).ifPresent(value -> all.put(key, value)));
        return all;
    }

    /** What is turned of a head is said in elements; the part that it is of all is another way of saying so. */
    private static JsonObject wholly(JsonObject config) {
        Map<String, Object> all = values(config);
        all.remove("partial_rotary_factor");
        for (String key : List.of("rope_parameters", "rope_scaling")) {
            config.object(key).ifPresent(rope -> {
                Map<String, Object> own = values(rope);
                own.remove("partial_rotary_factor");
                all.put(key, own);
            });
        }
        return JsonObject.of(config.source(), all);
    }

    /** Its released configurations say what later models of the family may do otherwise. */
    private static JsonObject minimax(JsonObject config) {
        boolean linear = config.list("attn_type_list").stream()
                .anyMatch(type -> !(type instanceof Number n) || n.intValue() != 1);
        if (linear) {
            throw new ModelException(config.source() + ": attn_type_list has other than 1, which is not supported");
        }
        if (!config.flag("use_qk_norm", true)
                || !config.string("qk_norm_type").orElse("per_layer").equals("per_layer")) {
            throw new ModelException(
                    config.source() + ": use_qk_norm and qk_norm_type are not supported but as true and \"per_layer\"");
        }
        if (!config.flag("use_routing_bias", true) || config.number("shared_intermediate_size", 0) != 0) {
            throw new ModelException(config.source()
                    + ": use_routing_bias and shared_intermediate_size are not supported but as true and 0");
        }
        return config.number("rotary_dim")
                .map(width -> with(config, "partial_rotary_factor", width / config.number("head_dim", 128)))
                .orElse(config);
    }

    /** Granite 4: layers of attention alone, whose feed-forward part is what others have beside experts. */
    private static JsonObject hybrid(JsonObject config) {
        List<Object> layers = config.has("layer_types") ? config.list("layer_types") : config.list("layers_block_type");
        if (layers.isEmpty()
                || !layers.stream().allMatch(type -> type.equals("attention") || type.equals("full_attention"))) {
            throw new ModelException(
                    config.source() + ": Mamba layers are not supported; models of this architecture without them are");
        }
        String positions = config.string("position_embedding_type").orElse("none");
        if (!positions.equals("rope")) {
            throw new ModelException("%s: position_embedding_type \"%s\" is not supported; rope is"
                    .formatted(config.source(), positions));
        }
        Map<String, Object> all = values(config);
        if (config.optionalInteger("num_local_experts", 0, 1 << 12).orElse(0) == 0) {
            all.put("intermediate_size", config.integer("shared_intermediate_size", 1, 1 << 20));
        }
        return JsonObject.of(config.source(), all);
    }
}
