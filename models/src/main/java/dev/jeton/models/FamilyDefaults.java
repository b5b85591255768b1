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

    private static final Map<String, Object> SEED_OSS =
            Map.of("attention_bias", true, "head_dim", 128, "max_position_embeddings", 524_288);

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
            case SEED_OSS -> over(SEED_OSS, config, config);
            case GRANITE_HYBRID -> hybrid(config);
            default -> config;
        };
    }

    private static JsonObject text(JsonObject config) {
        return config.object("text_config").orElse(config);
    }

    private static JsonObject over(Map<String, Object> defaults, JsonObject whole, JsonObject text) {
        Map<String, Object> all = new LinkedHashMap<>(defaults);
        whole.value("tie_word_embeddings").ifPresent(tied -> all.put("tie_word_embeddings", tied));
        text.keys().forEach(key -> text.value(key).ifPresent(value -> all.put(key, value)));
        if (text.has("rope_parameters")) {
            all.remove("rope_scaling");
            text.value("rope_scaling").ifPresent(value -> all.put("rope_scaling", value));
        }
        return JsonObject.of(text.source(), all);
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
        Map<String, Object> all = new LinkedHashMap<>();
        config.keys().forEach(key -> config.value(key).ifPresent(value -> all.put(key, value)));
        if (config.optionalInteger("num_local_experts", 0, 1 << 12).orElse(0) == 0) {
            all.put("intermediate_size", config.integer("shared_intermediate_size", 1, 1 << 20));
        }
        return JsonObject.of(config.source(), all);
    }
}
