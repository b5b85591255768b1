package dev.jeton.models;

import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * The supported families of decoders: what each adds to the common Llama plan. A further family of the same plan is one
 * more constant; where tensors have other names or are fused, {@link FamilyWeights} gives them the common ones.
 */
enum DecoderFamily {
    LLAMA("LlamaForCausalLM", "llama", Biases.BY_CONFIGURATION, false, Windows.NONE),
    /** GGUF files have its models as {@code llama}. */
    MISTRAL("MistralForCausalLM", "", Biases.NONE, false, Windows.ALL_LAYERS),
    QWEN2("Qwen2ForCausalLM", "qwen2", Biases.QUERY_KEY_VALUE, false, Windows.UPPER_LAYERS),
    QWEN3("Qwen3ForCausalLM", "qwen3", Biases.BY_CONFIGURATION, true, Windows.UPPER_LAYERS),
    /** GGUF files have its models as {@code llama} with experts. */
    MIXTRAL("MixtralForCausalLM", "", Biases.NONE, false, Windows.ALL_LAYERS),
    QWEN3_MOE("Qwen3MoeForCausalLM", "qwen3moe", Biases.BY_CONFIGURATION, true, Windows.ALL_LAYERS_BY_FLAG),
    PHI3("Phi3ForCausalLM", "phi3", Biases.NONE, false, Windows.ALL_LAYERS),
    GEMMA2("Gemma2ForCausalLM", "gemma2", Biases.BY_CONFIGURATION, false, Windows.INTERLEAVED),
    GEMMA3("Gemma3ForCausalLM", "gemma3", Biases.BY_CONFIGURATION, true, Windows.INTERLEAVED),
    GPT_OSS("GptOssForCausalLM", "gpt-oss", Biases.BY_CONFIGURATION, false, Windows.INTERLEAVED),
    QWEN2_MOE("Qwen2MoeForCausalLM", "qwen2moe", Biases.QUERY_KEY_VALUE, false, Windows.NONE),
    /** Some of its models have head norms, see {@link #norms}. */
    GLM4_MOE("Glm4MoeForCausalLM", "glm4moe", Biases.QUERY_KEY_VALUE_BY_CONFIGURATION, false, Windows.NONE),
    DEEPSEEK_V2("DeepseekV2ForCausalLM", "deepseek2", Biases.NONE, false, Windows.NONE),
    /** R1 and Kimi K2 are of it, too; GGUF files have its models as {@code deepseek2}. */
    DEEPSEEK_V3("DeepseekV3ForCausalLM", "", Biases.NONE, false, Windows.NONE),
    /** GLM-4.7-Flash. */
    GLM4_MOE_LITE("Glm4MoeLiteForCausalLM", "", Biases.NONE, false, Windows.NONE);

    /** Which attention projections carry a bias. */
    enum Biases {
        NONE,
        QUERY_KEY_VALUE,
        /** Those of q, k and v, where {@code attention_bias} says so. */
        QUERY_KEY_VALUE_BY_CONFIGURATION,
        /** All four, where {@code attention_bias} says so. */
        BY_CONFIGURATION
    }

    /** Which layers have a sliding window. */
    enum Windows {
        /** None, and a configuration that switches them on is refused. */
        NONE,
        ALL_LAYERS,
        /** All where {@code use_sliding_window}. */
        ALL_LAYERS_BY_FLAG,
        /** All but each n-th, or as {@code layer_types} says. */
        INTERLEAVED,
        /**
         * Those from {@code max_window_layers} on, where {@code use_sliding_window}; or as {@code layer_types} says.
         */
        UPPER_LAYERS
    }

    private final String architecture;
    private final String gguf;
    private final Biases biases;
    private final boolean headNorms;
    private final Windows windows;

    DecoderFamily(String architecture, String gguf, Biases biases, boolean headNorms, Windows windows) {
        this.architecture = architecture;
        this.gguf = gguf;
        this.biases = biases;
        this.headNorms = headNorms;
        this.windows = windows;
    }

    /** Gemma 3 with an encoder of images, of which the decoder of text is served. */
    private static final String GEMMA3_WITH_IMAGES = "Gemma3ForConditionalGeneration";

    /** What Hugging Face's configuration of Gemma takes where config.json leaves it out. */
    private static final Map<String, Object> GEMMA = Map.of(
            "tie_word_embeddings", true,
            "head_dim", 256,
            "hidden_activation", "gelu_pytorch_tanh",
            "query_pre_attn_scalar", 256,
            "max_position_embeddings", 8192);

    private static final Map<String, Object> GEMMA3_MORE = Map.of(
            "num_attention_heads", 8,
            "num_key_value_heads", 4,
            "vocab_size", 262_208,
            "max_position_embeddings", 131_072,
            "rope_theta", 1_000_000,
            "rope_local_base_freq", 10_000);

    /** The same of gpt-oss. */
    private static final Map<String, Object> GPT_OSS_MORE = Map.of(
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

    /** The same of GLM-4.5. */
    private static final Map<String, Object> GLM4_MOE_MORE = Map.of(
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

    /** How architectures end: of what predicts tokens, and of the same decoder without that, or with labels. */
    private static final String GENERATES = "ForCausalLM";

    private static final List<String> GIVES_VECTORS = List.of("Model", VectorSpec.LABELS);

    /** The family that a configuration names. */
    static DecoderFamily of(JsonObject config) {
        List<Object> named = config.list("architectures");
        String given = named.isEmpty() ? "" : String.valueOf(named.getFirst());
        String architecture = given.equals(GEMMA3_WITH_IMAGES)
                ? GEMMA3.architecture
                : GIVES_VECTORS.stream()
                        .filter(given::endsWith)
                        .findFirst()
                        .map(end -> given.substring(0, given.length() - end.length()) + GENERATES)
                        .orElse(given);
        return Arrays.stream(values())
                .filter(f -> f.architecture.equals(architecture))
                .findFirst()
                .orElseThrow(() -> new ModelException("%s: architecture \"%s\" is not supported; %s are"
                        .formatted(
                                config.source(),
                                given,
                                Arrays.stream(values()).map(f -> f.architecture).collect(Collectors.joining(", ")))));
    }

    /** The family of an architecture that a description names. */
    static DecoderFamily named(String architecture) {
        return Arrays.stream(values())
                .filter(f -> f.architecture.equals(architecture))
                .findFirst()
                .orElseThrow();
    }

    /** The family that {@code general.architecture} of a GGUF file names. */
    private static DecoderFamily ofGguf(String source, String architecture) {
        return Arrays.stream(values())
                .filter(f -> !f.gguf.isEmpty() && f.gguf.equals(architecture))
                .findFirst()
                .orElseThrow(() -> new ModelException("%s: architecture \"%s\" is not supported; %s are"
                        .formatted(
                                source,
                                architecture,
                                Arrays.stream(values())
                                        .map(f -> f.gguf)
                                        .filter(name -> !name.isEmpty())
                                        .collect(Collectors.joining(", ")))));
    }

    /**
     * The family of a GGUF file, where those of several have one name there.
     *
     * @param experts whether it has experts
     * @param sigmoid whether they are scored by sigmoids
     */
    static DecoderFamily ofGguf(String source, String architecture, boolean experts, boolean sigmoid) {
        if (experts && architecture.equals(LLAMA.gguf)) {
            return MIXTRAL;
        }
        return sigmoid && architecture.equals(DEEPSEEK_V2.gguf) ? DEEPSEEK_V3 : ofGguf(source, architecture);
    }

    /**
     * Whether GGUF files have the rows of q and k pair by pair: llama.cpp turns neighbours in this family, and the two
     * halves of a head in the others.
     */
    boolean pairedRowsInGguf() {
        return this == LLAMA || this == MIXTRAL;
    }

    /** Whether attention projections have biases where {@code attention_bias} says so, and not by nature. */
    boolean biasByConfiguration() {
        return biases == Biases.BY_CONFIGURATION || biases == Biases.QUERY_KEY_VALUE_BY_CONFIGURATION;
    }

    String architecture() {
        return architecture;
    }

    /** Whether tensors that are apart in other families are one in this. */
    static boolean fused(String architecture) {
        return architecture.equals(PHI3.architecture);
    }

    /** Whether norms of Hugging Face folders multiply with 1 more than the weight. */
    boolean normsFromOne() {
        return isGemma();
    }

    boolean isGemma() {
        return this == GEMMA2 || this == GEMMA3;
    }

    /** Whether any of its layers are of experts. */
    boolean hasExperts() {
        return hasDeepSeekExperts() || this == MIXTRAL || this == QWEN3_MOE || this == QWEN2_MOE || this == GPT_OSS;
    }

    /** Whether they are chosen, and shared, in the manner of DeepSeek. */
    boolean hasDeepSeekExperts() {
        return isLatent() || this == GLM4_MOE;
    }

    /** Whether keys and values are computed from a narrow vector. */
    boolean isLatent() {
        return this == DEEPSEEK_V2 || this == DEEPSEEK_V3 || this == GLM4_MOE_LITE;
    }

    /** Whether softmaxes of attention have a logit beside those of the tokens. */
    boolean sinks() {
        return this == GPT_OSS;
    }

    /** Whether gates and ups are limited; by what is no setting of any kernel here. */
    boolean clamped(JsonObject config) {
        if (this != GPT_OSS) {
            return false;
        }
        double limit = config.number("swiglu_limit", DecoderSpec.Activation.CLAMP_LIMIT);
        double alpha = config.number("swiglu_alpha", 1.702);
        if (limit != DecoderSpec.Activation.CLAMP_LIMIT || alpha != 1.702) {
            throw new ModelException(
                    "%s: \"swiglu_limit\" %s and \"swiglu_alpha\" %s are not supported; 7 and 1.702 are"
                            .formatted(config.source(), limit, alpha));
        }
        return true;
    }

    DecoderSpec.Norms norms(JsonObject config) {
        boolean heads = headNorms || this == GLM4_MOE && config.flag("use_qk_norm", false);
        return new DecoderSpec.Norms(heads, isGemma());
    }

    /** The configuration of the decoder of text, with what the family takes where it says nothing. */
    JsonObject completed(JsonObject config) {
        if (this == GPT_OSS || this == GLM4_MOE || this == GLM4_MOE_LITE) {
            Map<String, Object> all = new LinkedHashMap<>(this == GPT_OSS ? GPT_OSS_MORE : GLM4_MOE_MORE);
            if (this == GLM4_MOE_LITE) {
                all.remove("partial_rotary_factor");
            }
            config.keys().forEach(key -> config.value(key).ifPresent(value -> all.put(key, value)));
            if (config.has("rope_parameters")) {
                all.remove("rope_scaling");
            }
            return JsonObject.of(config.source(), all);
        }
        if (!isGemma()) {
            return config;
        }
        Map<String, Object> all = new LinkedHashMap<>(GEMMA);
        if (this == GEMMA3) {
            all.putAll(GEMMA3_MORE);
        }
        JsonObject text = config.object("text_config").orElse(config);
        config.value("tie_word_embeddings").ifPresent(tied -> all.put("tie_word_embeddings", tied));
        text.keys().forEach(key -> text.value(key).ifPresent(value -> all.put(key, value)));
        return JsonObject.of(text.source(), all);
    }

    DecoderSpec.Scales scales(JsonObject config, int hidden, int headDim) {
        if (!isGemma()) {
            double longer = isLatent() ? RotaryScaling.scoreFactor(config) : 1;
            return new DecoderSpec.Scales(1, longer / Math.sqrt(headDim), 0, 0);
        }
        double scalar = config.number("query_pre_attn_scalar", headDim);
        double[] caps = {cap(config, "attn_logit_softcapping"), cap(config, "final_logit_softcapping")};
        if (!(scalar > 0)) {
            throw new ModelException("%s: \"query_pre_attn_scalar\" is %s".formatted(config.source(), scalar));
        }
        return new DecoderSpec.Scales(Math.sqrt(hidden), 1 / Math.sqrt(scalar), caps[0], caps[1]);
    }

    /** Gemma 2 has caps wherever its configuration says nothing; a configuration that does is asked for. */
    private double cap(JsonObject config, String key) {
        double cap = config.number(key, 0);
        if (cap < 0 || cap == 0 && this == GEMMA2) {
            throw new ModelException("%s: \"%s\" is %s".formatted(config.source(), key, cap == 0 ? "missing" : cap));
        }
        return cap;
    }

    boolean queryKeyValueBias(JsonObject config) {
        return switch (biases) {
            case NONE -> false;
            case QUERY_KEY_VALUE -> config.flag("qkv_bias", true);
            case QUERY_KEY_VALUE_BY_CONFIGURATION, BY_CONFIGURATION -> config.flag("attention_bias", false);
        };
    }

    boolean outputBias(JsonObject config) {
        return biases == Biases.BY_CONFIGURATION && config.flag("attention_bias", false);
    }

    /** Per layer: how many tokens a position looks back on, itself included; 0 for all. */
    List<Integer> windows(JsonObject config, int layers) {
        Optional<Integer> window =
                config.optionalInteger("sliding_window", 0, Integer.MAX_VALUE).filter(w -> w > 0);
        return switch (windows) {
            case NONE -> {
                if (config.flag("use_sliding_window", false)) {
                    throw new ModelException(
                            "%s: use_sliding_window is not supported for this architecture".formatted(config.source()));
                }
                yield Collections.nCopies(layers, 0);
            }
            case ALL_LAYERS -> Collections.nCopies(layers, window.orElse(0));
            case ALL_LAYERS_BY_FLAG ->
                Collections.nCopies(layers, config.flag("use_sliding_window", false) ? window.orElse(0) : 0);
            case INTERLEAVED -> {
                if (config.has("layer_types")) {
                    yield byType(config, layers, window.orElse(0));
                }
                int pattern = config.optionalInteger("sliding_window_pattern", 1, 1 << 12)
                        .orElse(this == GEMMA3 ? 6 : 2);
                yield IntStream.range(0, layers)
                        .mapToObj(i -> (i + 1) % pattern == 0 ? 0 : window.orElse(0))
                        .toList();
            }
            case UPPER_LAYERS -> {
                if (!config.flag("use_sliding_window", false) || window.isEmpty()) {
                    yield Collections.nCopies(layers, 0);
                }
                yield config.has("layer_types")
                        ? byType(config, layers, window.get())
                        : fromLayer(
                                config.optionalInteger("max_window_layers", 0, Integer.MAX_VALUE)
                                        .orElse(28),
                                layers,
                                window.get());
            }
        };
    }

    private static List<Integer> fromLayer(int first, int layers, int window) {
        return IntStream.range(0, layers).mapToObj(i -> i >= first ? window : 0).toList();
    }

    private static List<Integer> byType(JsonObject config, int layers, int window) {
        List<Object> types = config.list("layer_types");
        if (types.size() != layers) {
            throw new ModelException(
                    "%s: %d layer_types for %d layers".formatted(config.source(), types.size(), layers));
        }
        return types.stream()
                .map(type -> switch (String.valueOf(type)) {
                    case "full_attention" -> 0;
                    case "sliding_attention" -> window;
                    default ->
                        throw new ModelException(
                                "%s: layer type \"%s\" is not supported".formatted(config.source(), type));
                })
                .toList();
    }
}
