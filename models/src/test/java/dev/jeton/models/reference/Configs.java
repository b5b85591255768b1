package dev.jeton.models.reference;

/** config.json of tiny models of every family. */
public final class Configs {

    private Configs() {}

    public static String llama(String more) {
        return config("LlamaForCausalLM", 96, 4, 2, 24, 160, "\"tie_word_embeddings\": true" + comma(more));
    }

    public static String mistral(int window) {
        return config("MistralForCausalLM", 64, 4, 1, 16, 104, "\"sliding_window\": " + window);
    }

    public static String qwen2(String more) {
        return config("Qwen2ForCausalLM", 80, 5, 5, 16, 96, "\"rms_norm_eps\": 1e-6" + comma(more));
    }

    public static String qwen3(String more) {
        return config("Qwen3ForCausalLM", 64, 4, 2, 32, 128, "\"tie_word_embeddings\": true" + comma(more));
    }

    private static String comma(String more) {
        return more.isEmpty() ? "" : ", " + more;
    }

    public static String config(
            String architecture, int hidden, int heads, int keyValueHeads, int headDim, int intermediate, String more) {
        return """
                {"architectures": ["%s"], "vocab_size": 301, "hidden_size": %d, "num_hidden_layers": 3,
                 "num_attention_heads": %d, "num_key_value_heads": %d, "head_dim": %d, "intermediate_size": %d,
                 "max_position_embeddings": 1024, "rope_theta": 10000.0, "hidden_act": "silu", %s}
                """.formatted(architecture, hidden, heads, keyValueHeads, headDim, intermediate, more);
    }
}
