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

    public static String seedOss(String more) {
        return config("SeedOssForCausalLM", 80, 4, 2, 24, 96, "\"attention_out_bias\": true" + comma(more));
    }

    /** What Granite multiplies embeddings, scores and halves of layers with, and divides logits by. */
    static final double GRANITE_EMBEDDING = 12;

    /** Of norms where a configuration says nothing. */
    static final double EPSILON = 1e-6;

    static final double GRANITE_ATTENTION = 0.3;
    static final double GRANITE_RESIDUAL = 0.22;
    static final double GRANITE_LOGITS = 3;

    private static final String GRANITE =
            "\"tie_word_embeddings\": true, \"embedding_multiplier\": %s,".formatted(GRANITE_EMBEDDING)
                    + " \"attention_multiplier\": %s, \"residual_multiplier\": %s, \"logits_scaling\": %s"
                            .formatted(GRANITE_ATTENTION, GRANITE_RESIDUAL, GRANITE_LOGITS);

    public static String granite(String more) {
        return config("GraniteForCausalLM", 64, 4, 2, 16, 96, GRANITE + comma(more));
    }

    /** With a feed-forward layer that all tokens go through, wider than the experts. */
    public static String graniteMoe(String more) {
        String experts = ", \"num_local_experts\": 5, \"num_experts_per_tok\": 2, \"shared_intermediate_size\": 72";
        return config("GraniteMoeSharedForCausalLM", 64, 4, 2, 16, 40, GRANITE + experts + comma(more));
    }

    /** Granite 4 without experts or Mamba layers. */
    public static String graniteHybrid(String more) {
        String plan =
                ", \"num_local_experts\": 0, \"shared_intermediate_size\": 96, \"position_embedding_type\": \"rope\","
                        + " \"layer_types\": [\"attention\", \"attention\", \"attention\"]";
        return config("GraniteMoeHybridForCausalLM", 64, 4, 2, 16, 40, GRANITE + plan + comma(more));
    }

    public static String mixtral(String more) {
        String experts = "\"tie_word_embeddings\": true, \"num_local_experts\": 5, \"num_experts_per_tok\": 2";
        return config("MixtralForCausalLM", 64, 4, 2, 16, 96, experts + comma(more));
    }

    public static String qwen3Moe(String more) {
        String experts = "\"num_experts\": 7, \"num_experts_per_tok\": 3, \"moe_intermediate_size\": 40,"
                + " \"tie_word_embeddings\": true";
        return config("Qwen3MoeForCausalLM", 64, 4, 2, 32, 128, experts + comma(more));
    }

    /** With an expert that all tokens go through, wider than the others and than layers without experts. */
    public static String qwen2Moe(String more) {
        String experts = "\"num_experts\": 7, \"num_experts_per_tok\": 3, \"moe_intermediate_size\": 40,"
                + " \"shared_expert_intermediate_size\": 168";
        return config("Qwen2MoeForCausalLM", 64, 4, 4, 16, 128, experts + comma(more));
    }

    /** With experts in groups, whose shares sum to more than one, and a first layer without. */
    public static String glm4Moe(String more) {
        String experts = "\"n_routed_experts\": 12, \"num_experts_per_tok\": 3, \"moe_intermediate_size\": 40,"
                + " \"n_group\": 4, \"topk_group\": 2, \"routed_scaling_factor\": 1.7, \"n_shared_experts\": 2,"
                + " \"attention_bias\": true";
        return config("Glm4MoeForCausalLM", 64, 4, 2, 32, 128, experts + comma(more));
    }

    /** Heads of widths of which none is another, experts in groups judged by their best. */
    public static String deepSeekV2(String more) {
        String plan = "\"n_routed_experts\": 12, \"num_experts_per_tok\": 3, \"moe_intermediate_size\": 40,"
                + " \"topk_method\": \"group_limited_greedy\", \"n_group\": 4, \"topk_group\": 2,"
                + " \"routed_scaling_factor\": 1.7, \"n_shared_experts\": 2, \"first_k_dense_replace\": 1,"
                + " \"kv_lora_rank\": 48, \"q_lora_rank\": null, \"qk_nope_head_dim\": 24,"
                + " \"qk_rope_head_dim\": 8, \"v_head_dim\": 40";
        return config("DeepseekV2ForCausalLM", 64, 4, 4, 8, 128, plan + comma(more));
    }

    /** With more heads than a tile of attention takes, and YaRN that makes scores sharper. */
    public static String deepSeekV3(String more) {
        String plan = "\"n_routed_experts\": 12, \"num_experts_per_tok\": 3, \"moe_intermediate_size\": 40,"
                + " \"n_group\": 4, \"topk_group\": 2, \"routed_scaling_factor\": 2.5, \"n_shared_experts\": 1,"
                + " \"first_k_dense_replace\": 1, \"kv_lora_rank\": 64, \"q_lora_rank\": 40,"
                + " \"qk_nope_head_dim\": 16, \"qk_rope_head_dim\": 16, \"v_head_dim\": 32,"
                + " \"rope_scaling\": {\"type\": \"yarn\", \"factor\": 4.0, \"mscale\": 1.0, \"mscale_all_dim\": 1.0,"
                + " \"original_max_position_embeddings\": 256}";
        return config("DeepseekV3ForCausalLM", 64, 11, 11, 16, 128, plan + comma(more));
    }

    /** With values beyond what the activation limits, and a ramp of YaRN whose ends are within pairs. */
    public static String gptOss(String more) {
        String plan = "\"num_local_experts\": 6, \"num_experts_per_tok\": 3, \"sliding_window\": 21,"
                + " \"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4.0, \"truncate\": false,"
                + " \"original_max_position_embeddings\": 256}";
        return config("GptOssForCausalLM", 96, 4, 2, 32, 64, plan + comma(more));
    }

    /** What {@link #gptOss} has for experts in four bits. */
    public static final String MXFP4 = "\"quantization_config\": {\"quant_method\": \"mxfp4\"}";

    public static String phi3(String more) {
        return config("Phi3ForCausalLM", 96, 4, 2, 24, 104, "\"tie_word_embeddings\": true" + comma(more));
    }

    /** With caps so low that they matter. */
    public static String gemma2(String more) {
        String caps = "\"attn_logit_softcapping\": 5.0, \"final_logit_softcapping\": 8.0,"
                + " \"query_pre_attn_scalar\": 30, \"sliding_window\": 21";
        return config("Gemma2ForCausalLM", 72, 4, 2, 24, 112, caps + comma(more));
    }

    public static String gemma3(String more) {
        String rotary = "\"rope_local_base_freq\": 500.0, \"query_pre_attn_scalar\": 30, \"sliding_window\": 21,"
                + " \"sliding_window_pattern\": 2, \"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 8.0}";
        return config("Gemma3ForCausalLM", 72, 4, 2, 24, 112, rotary + comma(more));
    }

    /** Norms behind halves of layers in place of before them, and over all heads. */
    public static String olmo2(String more) {
        return config("Olmo2ForCausalLM", 80, 4, 2, 24, 112, "\"rms_norm_eps\": 1e-5" + comma(more));
    }

    /** Contexts are stretched only in the layer that sees all of them. */
    public static String olmo3(String more) {
        String plan = "\"sliding_window\": 21, \"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 8.0},"
                + " \"layer_types\": [\"sliding_attention\", \"full_attention\", \"sliding_attention\"]";
        return config("Olmo3ForCausalLM", 80, 4, 4, 16, 112, plan + comma(more));
    }

    public static String olmoe(String more) {
        String experts = "\"num_experts\": 7, \"num_experts_per_tok\": 3";
        return config("OlmoeForCausalLM", 64, 4, 2, 16, 40, experts + comma(more));
    }

    /** Half of each head is turned. */
    public static String minimaxM2(String more) {
        String experts = "\"num_local_experts\": 7, \"num_experts_per_tok\": 3, \"rotary_dim\": 16,"
                + " \"scoring_func\": \"sigmoid\", \"use_routing_bias\": true, \"attn_type_list\": [1, 1, 1]";
        return config("MiniMaxM2ForCausalLM", 64, 4, 2, 32, 40, experts + comma(more));
    }

    /** Only layers with a window are turned. */
    public static String exaone4(String more) {
        String plan = "\"tie_word_embeddings\": true, \"sliding_window\": 21, \"sliding_window_pattern\": 2";
        return config("Exaone4ForCausalLM", 64, 4, 2, 24, 96, plan + comma(more));
    }

    /** The last of four layers is not turned. */
    public static String smolLm3(String more) {
        return config("SmolLM3ForCausalLM", 64, 4, 1, 16, 96, "\"tie_word_embeddings\": true" + comma(more))
                .replace("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 4");
    }

    /** Neighbours are turned, in half of each head. */
    public static String glm(String more) {
        return config("GlmForCausalLM", 64, 4, 2, 24, 96, "\"rms_norm_eps\": 1e-6" + comma(more));
    }

    /** The same with norms behind halves of layers as well as before them. */
    public static String glm4(String more) {
        return config("Glm4ForCausalLM", 64, 4, 2, 24, 96, "\"rms_norm_eps\": 1e-6" + comma(more));
    }

    /** Neighbours are turned. */
    public static String ernie45(String more) {
        return config("Ernie4_5ForCausalLM", 64, 4, 2, 24, 96, "\"use_bias\": false" + comma(more));
    }

    /** Probabilities are corrected for the choice of experts, of which the first layer has none. */
    public static String ernie45Moe(String more) {
        String experts = "\"moe_num_experts\": 7, \"moe_k\": 3, \"moe_intermediate_size\": 40,"
                + " \"moe_num_shared_experts\": 2, \"moe_layer_start_index\": 1, \"moe_layer_end_index\": -1";
        return config("Ernie4_5_MoeForCausalLM", 64, 4, 2, 16, 96, experts + comma(more));
    }

    /** How Ministral 3's queries grow in {@link #ministral3}. */
    static final double GROWTH = 0.4;

    static final int GROWTH_CONTEXT = 16;

    /** Rotation, and growth, of Ministral 3. */
    public static final String GROWN = "\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 10000.0,"
            + " \"llama_4_scaling_beta\": %s, \"original_max_position_embeddings\": %d}"
                    .formatted(GROWTH, GROWTH_CONTEXT);

    public static String ministral3(String more) {
        return config("Ministral3ForCausalLM", 64, 4, 1, 16, 104, GROWN + comma(more));
    }

    /** Latent queries that grow, and probabilities among the experts chosen, which are in tensors of all. */
    public static String mistral4(String more) {
        String plan = "\"n_routed_experts\": 7, \"num_experts_per_tok\": 3, \"moe_intermediate_size\": 40,"
                + " \"routed_scaling_factor\": 1.5, \"n_shared_experts\": 1, \"kv_lora_rank\": 64, \"q_lora_rank\": 40,"
                + " \"qk_nope_head_dim\": 16, \"qk_rope_head_dim\": 16, \"v_head_dim\": 32,"
                + " \"rope_parameters\": {\"rope_type\": \"yarn\", \"rope_theta\": 10000.0, \"factor\": 4.0,"
                + " \"mscale\": 1.0, \"mscale_all_dim\": 1.0, \"partial_rotary_factor\": 0.5, \"llama_4_scaling_beta\": %s,"
                + " \"original_max_position_embeddings\": %d}";
        return config("Mistral4ForCausalLM", 64, 11, 11, 32, 128, plan.formatted(GROWTH, GROWTH_CONTEXT) + comma(more));
    }

    private static final String DELTAS = "\"linear_num_key_heads\": 2, \"linear_num_value_heads\": 4,"
            + " \"linear_key_head_dim\": 12, \"linear_value_head_dim\": 20, \"linear_conv_kernel_dim\": 4,"
            + " \"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 10000.0,"
            + " \"partial_rotary_factor\": 0.5, \"mrope_section\": [2, 1, 1], \"mrope_interleaved\": true}";

    private static final String DELTA_EXPERTS = ", \"num_experts\": 7, \"num_experts_per_tok\": 3,"
            + " \"moe_intermediate_size\": 40, \"shared_expert_intermediate_size\": 56";

    /** Two layers of linear attention around one of full attention. */
    public static String qwen35(String more) {
        String layers = ", \"layer_types\": [\"linear_attention\", \"full_attention\", \"linear_attention\"]";
        return config("Qwen3_5ForCausalLM", 64, 4, 2, 16, 96, DELTAS + layers + comma(more));
    }

    /** Experts in tensors of all, and none of the layers without. */
    public static String qwen35Moe(String more) {
        String plan = ", \"full_attention_interval\": 3";
        return config("Qwen3_5MoeForCausalLM", 64, 4, 1, 16, 96, DELTAS + DELTA_EXPERTS + plan + comma(more));
    }

    public static String qwen3Next(String more) {
        String plan = ", \"full_attention_interval\": 2, \"mlp_only_layers\": [1]";
        return config("Qwen3NextForCausalLM", 64, 4, 2, 16, 96, DELTAS + DELTA_EXPERTS + plan + comma(more));
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
