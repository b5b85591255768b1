package dev.jeton.models;

import dev.jeton.models.DecoderSpec.Norms.Heads;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * The supported families of decoders: what each adds to the common Llama plan. A further family of the same plan is one
 * more constant; where tensors have other names or are fused, {@link FamilyWeights} gives them the common ones.
 */
enum DecoderFamily {
    LLAMA("LlamaForCausalLM", "llama", Biases.BY_CONFIGURATION, Heads.NONE, Windows.NONE),
    /** GGUF files have its models as {@code llama}, newer ones as {@code mistral3}. */
    MISTRAL("MistralForCausalLM", "", Biases.NONE, Heads.NONE, Windows.ALL_LAYERS),
    QWEN2("Qwen2ForCausalLM", "qwen2", Biases.QUERY_KEY_VALUE, Heads.NONE, Windows.UPPER_LAYERS),
    QWEN3("Qwen3ForCausalLM", "qwen3", Biases.BY_CONFIGURATION, Heads.EACH, Windows.UPPER_LAYERS),
    /** GGUF files have its models as {@code llama} with experts. */
    MIXTRAL("MixtralForCausalLM", "", Biases.NONE, Heads.NONE, Windows.ALL_LAYERS),
    QWEN3_MOE("Qwen3MoeForCausalLM", "qwen3moe", Biases.BY_CONFIGURATION, Heads.EACH, Windows.ALL_LAYERS_BY_FLAG),
    PHI3("Phi3ForCausalLM", "phi3", Biases.NONE, Heads.NONE, Windows.ALL_LAYERS),
    GEMMA2("Gemma2ForCausalLM", "gemma2", Biases.BY_CONFIGURATION, Heads.NONE, Windows.INTERLEAVED),
    GEMMA3("Gemma3ForCausalLM", "gemma3", Biases.BY_CONFIGURATION, Heads.EACH, Windows.INTERLEAVED),
    GPT_OSS("GptOssForCausalLM", "gpt-oss", Biases.BY_CONFIGURATION, Heads.NONE, Windows.INTERLEAVED),
    QWEN2_MOE("Qwen2MoeForCausalLM", "qwen2moe", Biases.QUERY_KEY_VALUE, Heads.NONE, Windows.NONE),
    /** Some of its models have head norms, see {@link #norms}. */
    GLM4_MOE("Glm4MoeForCausalLM", "glm4moe", Biases.QUERY_KEY_VALUE_BY_CONFIGURATION, Heads.NONE, Windows.NONE),
    DEEPSEEK_V2("DeepseekV2ForCausalLM", "deepseek2", Biases.NONE, Heads.NONE, Windows.NONE),
    /** R1 and Kimi K2 are of it, too; GGUF files have its models as {@code deepseek2}. */
    DEEPSEEK_V3("DeepseekV3ForCausalLM", "", Biases.NONE, Heads.NONE, Windows.NONE),
    /** GLM-4.7-Flash. */
    GLM4_MOE_LITE("Glm4MoeLiteForCausalLM", "", Biases.NONE, Heads.NONE, Windows.NONE),
    SEED_OSS("SeedOssForCausalLM", "seed_oss", Biases.APART_BY_CONFIGURATION, Heads.NONE, Windows.NONE),
    GRANITE("GraniteForCausalLM", "granite", Biases.BY_CONFIGURATION, Heads.NONE, Windows.NONE),
    GRANITE_MOE("GraniteMoeForCausalLM", "granitemoe", Biases.BY_CONFIGURATION, Heads.NONE, Windows.NONE),
    GRANITE_MOE_SHARED("GraniteMoeSharedForCausalLM", "", Biases.BY_CONFIGURATION, Heads.NONE, Windows.NONE),
    /** Granite 4, of which models are served that have no Mamba layers. */
    GRANITE_HYBRID("GraniteMoeHybridForCausalLM", "", Biases.BY_CONFIGURATION, Heads.NONE, Windows.NONE),
    OLMO2("Olmo2ForCausalLM", "olmo2", Biases.BY_CONFIGURATION, Heads.TOGETHER, Windows.NONE),
    /** GGUF files have its models as {@code olmo2} with windows. */
    OLMO3("Olmo3ForCausalLM", "", Biases.BY_CONFIGURATION, Heads.TOGETHER, Windows.INTERLEAVED),
    OLMOE("OlmoeForCausalLM", "olmoe", Biases.BY_CONFIGURATION, Heads.TOGETHER, Windows.NONE),
    MINIMAX_M2("MiniMaxM2ForCausalLM", "minimax-m2", Biases.NONE, Heads.TOGETHER, Windows.NONE),
    EXAONE4("Exaone4ForCausalLM", "exaone4", Biases.NONE, Heads.EACH, Windows.INTERLEAVED),
    SMOLLM3("SmolLM3ForCausalLM", "smollm3", Biases.BY_CONFIGURATION, Heads.NONE, Windows.NONE),
    MINISTRAL3("Ministral3ForCausalLM", "mistral3", Biases.NONE, Heads.NONE, Windows.ALL_LAYERS),
    /** GLM-4-9B of 2024 as transformers has it; its GGUF files are not read. */
    GLM("GlmForCausalLM", "", Biases.QUERY_KEY_VALUE_BY_CONFIGURATION, Heads.NONE, Windows.NONE),
    /** GLM-4-0414 and GLM-Z1. */
    GLM4("Glm4ForCausalLM", "glm4", Biases.QUERY_KEY_VALUE_BY_CONFIGURATION, Heads.NONE, Windows.NONE),
    ERNIE4_5("Ernie4_5ForCausalLM", "ernie4_5", Biases.NONE, Heads.NONE, Windows.NONE),
    ERNIE4_5_MOE("Ernie4_5_MoeForCausalLM", "ernie4_5-moe", Biases.NONE, Heads.NONE, Windows.NONE),
    QWEN3_NEXT("Qwen3NextForCausalLM", "qwen3next", Biases.NONE, Heads.EACH, Windows.NONE),
    QWEN3_5("Qwen3_5ForCausalLM", "qwen35", Biases.NONE, Heads.EACH, Windows.NONE),
    QWEN3_5_MOE("Qwen3_5MoeForCausalLM", "qwen35moe", Biases.NONE, Heads.EACH, Windows.NONE),
    /** GGUF files of it are not read. */
    MISTRAL4("Mistral4ForCausalLM", "", Biases.NONE, Heads.NONE, Windows.NONE);

    /** Which attention projections carry a bias. */
    enum Biases {
        NONE,
        QUERY_KEY_VALUE,
        /** Those of q, k and v, where {@code attention_bias} says so. */
        QUERY_KEY_VALUE_BY_CONFIGURATION,
        /** All four, where {@code attention_bias} says so. */
        BY_CONFIGURATION,
        /**
         * Those of q, k and v where {@code attention_bias} says so, that of o where {@code attention_out_bias} does.
         */
        APART_BY_CONFIGURATION
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
    private final Heads headNorms;
    private final Windows windows;

    DecoderFamily(String architecture, String gguf, Biases biases, Heads headNorms, Windows windows) {
        this.architecture = architecture;
        this.gguf = gguf;
        this.biases = biases;
        this.headNorms = headNorms;
        this.windows = windows;
    }

    /** Decoders that are served of models with encoders of images. */
    private static final Map<String, DecoderFamily> WITH_IMAGES = Map.of(
            "Gemma3ForConditionalGeneration", GEMMA3,
            "Qwen3_5ForConditionalGeneration", QWEN3_5,
            "Qwen3_5MoeForConditionalGeneration", QWEN3_5_MOE);

    /** What {@link #ERNIE4_5} was called at first. */
    private static final String FORMER_ERNIE = "Ernie4_5_ForCausalLM";

    /** The same where the decoder's own type says what it is. */
    private static final String MISTRAL_WITH_IMAGES = "Mistral3ForConditionalGeneration";

    /** How architectures end: of what predicts tokens, and of the same decoder without that, or with labels. */
    private static final String GENERATES = "ForCausalLM";

    private static final List<String> GIVES_VECTORS = List.of("Model", VectorSpec.LABELS);

    /** The family that a configuration names. */
    static DecoderFamily of(JsonObject config) {
        List<Object> named = config.list("architectures");
        String given = named.isEmpty() ? "" : String.valueOf(named.getFirst());
        String architecture = WITH_IMAGES.containsKey(given)
                ? WITH_IMAGES.get(given).architecture
                : given.equals(FORMER_ERNIE)
                        ? ERNIE4_5.architecture
                        : given.equals(MISTRAL_WITH_IMAGES) ? ofImages(config) : generating(given);
        return Arrays.stream(values())
                .filter(f -> f.architecture.equals(architecture))
                .findFirst()
                .orElseThrow(() -> new ModelException("%s: architecture \"%s\" is not supported; %s are"
                        .formatted(
                                config.source(),
                                given,
                                Arrays.stream(values()).map(f -> f.architecture).collect(Collectors.joining(", ")))));
    }

    /** The same architecture as what predicts tokens. */
    private static String generating(String given) {
        return GIVES_VECTORS.stream()
                .filter(given::endsWith)
                .findFirst()
                .map(end -> given.substring(0, given.length() - end.length()) + GENERATES)
                .orElse(given);
    }

    private static String ofImages(JsonObject config) {
        String type = config.object("text_config")
                .flatMap(text -> text.string("model_type"))
                .orElse("mistral");
        return switch (type) {
            case "mistral" -> MISTRAL.architecture;
            case "ministral3" -> MINISTRAL3.architecture;
            case "mistral4" -> MISTRAL4.architecture;
            default ->
                throw new ModelException(
                        "%s: a decoder of type \"%s\" is not supported; mistral, ministral3 and mistral4 are"
                                .formatted(config.source(), type));
        };
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
     * @param windows whether layers have windows
     */
    static DecoderFamily ofGguf(String source, String architecture, boolean experts, boolean sigmoid, boolean windows) {
        if (experts && architecture.equals(LLAMA.gguf)) {
            return MIXTRAL;
        }
        if (windows && architecture.equals(OLMO2.gguf)) {
            return OLMO3;
        }
        return sigmoid && architecture.equals(DEEPSEEK_V2.gguf) ? DEEPSEEK_V3 : ofGguf(source, architecture);
    }

    /**
     * Whether GGUF files have the rows of q and k pair by pair: llama.cpp turns neighbours in this family, and the two
     * halves of a head in the others.
     */
    boolean pairedRowsInGguf() {
        return this == LLAMA
                || this == MIXTRAL
                || this == SMOLLM3
                || this == MINISTRAL3
                || isGranite()
                || turnsNeighbours();
    }

    /** Whether folders, and adapters, have them so, too: rotation is of neighbours. Latent attention says it itself. */
    boolean turnsNeighbours() {
        return this == GLM || this == GLM4 || this == ERNIE4_5 || this == ERNIE4_5_MOE;
    }

    /** Whether attention projections have biases where {@code attention_bias} says so, and not by nature. */
    boolean biasByConfiguration() {
        return biases != Biases.NONE && biases != Biases.QUERY_KEY_VALUE;
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
        return isGemma() || hasDeltas();
    }

    /** Whether most layers keep a state in place of keys and values, and the others gate what they attended to. */
    boolean hasDeltas() {
        return this == QWEN3_NEXT || this == QWEN3_5 || this == QWEN3_5_MOE;
    }

    boolean isGemma() {
        return this == GEMMA2 || this == GEMMA3;
    }

    /** Whether any of its layers are of experts. */
    boolean hasExperts() {
        return hasDeepSeekExperts()
                || this == MIXTRAL
                || this == QWEN3_MOE
                || this == QWEN2_MOE
                || this == GPT_OSS
                || this == OLMOE
                || this == MINIMAX_M2
                || this == ERNIE4_5_MOE
                || this == QWEN3_NEXT
                || this == QWEN3_5_MOE
                || isGraniteOfExperts();
    }

    /** Whether folders have gate and up as one tensor, of experts, too, under Granite's names. */
    boolean isGraniteOfExperts() {
        return isGranite() && this != GRANITE;
    }

    /** Whether what halves of layers give, embeddings and logits are multiplied with numbers of the model's own. */
    boolean isGranite() {
        return this == GRANITE || this == GRANITE_MOE || this == GRANITE_MOE_SHARED || this == GRANITE_HYBRID;
    }

    /** Whether they are chosen, and shared, in the manner of DeepSeek. */
    boolean hasDeepSeekExperts() {
        return isLatent() || this == GLM4_MOE;
    }

    /** Whether experts are corrected for the choice. */
    boolean hasCorrectedExperts() {
        return hasDeepSeekExperts() || this == MINIMAX_M2 || this == ERNIE4_5_MOE;
    }

    /** Whether folders name what all tokens go through beside experts as one of these. */
    boolean hasOneSharedExpert() {
        return this == QWEN2_MOE || this == QWEN3_NEXT || this == QWEN3_5_MOE;
    }

    /** Whether folders have feed-forward layers of experts under the names of Mixtral. */
    boolean isNamedAsMixtral() {
        return this == MIXTRAL || this == MINIMAX_M2;
    }

    /** Whether keys and values are computed from a narrow vector. */
    boolean isLatent() {
        return this == DEEPSEEK_V2 || this == DEEPSEEK_V3 || this == GLM4_MOE_LITE || this == MISTRAL4;
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

    /** Whether what halves of layers give is normalised in place of what they take. */
    boolean hasNormsBehind() {
        return this == OLMO2 || this == OLMO3 || this == EXAONE4;
    }

    DecoderSpec.Norms norms(JsonObject config) {
        Heads heads = this == GLM4_MOE && config.flag("use_qk_norm", false) ? Heads.EACH : headNorms;
        return new DecoderSpec.Norms(heads, !hasNormsBehind(), hasNormsBehind() || isGemma() || this == GLM4);
    }

    DecoderSpec.Scales scales(JsonObject config, int hidden, int headDim) {
        if (isGranite()) {
            return new DecoderSpec.Scales(
                    positive(config, "embedding_multiplier") / residual(config),
                    positive(config, "attention_multiplier"),
                    QueryGrowth.NONE,
                    0,
                    0,
                    1 / positive(config, "logits_scaling"));
        }
        if (!isGemma()) {
            double longer = isLatent() ? RotaryScaling.scoreFactor(config) : 1;
            boolean grows = this == MINISTRAL3 || this == MISTRAL4;
            QueryGrowth growth = grows ? QueryGrowth.read(config) : QueryGrowth.NONE;
            return new DecoderSpec.Scales(1, longer / Math.sqrt(headDim), growth, 0, 0, 1);
        }
        double scalar = config.number("query_pre_attn_scalar", headDim);
        double[] caps = {cap(config, "attn_logit_softcapping"), cap(config, "final_logit_softcapping")};
        if (!(scalar > 0)) {
            throw new ModelException("%s: \"query_pre_attn_scalar\" is %s".formatted(config.source(), scalar));
        }
        return new DecoderSpec.Scales(Math.sqrt(hidden), 1 / Math.sqrt(scalar), QueryGrowth.NONE, caps[0], caps[1], 1);
    }

    /**
     * What the residual stream is kept divided by: where what each half of a layer gives is multiplied with r before it
     * is added, the stream over r grows by what halves give as it is, and norms, with their epsilon over r squared,
     * give the same of it.
     */
    double residual(JsonObject config) {
        return isGranite() ? positive(config, "residual_multiplier") : 1;
    }

    private static double positive(JsonObject config, String key) {
        double value = config.number(key, 1);
        if (!(value > 0) || Double.isInfinite(value)) {
            throw new ModelException("%s: \"%s\" is %s".formatted(config.source(), key, value));
        }
        return value;
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
            case QUERY_KEY_VALUE_BY_CONFIGURATION, BY_CONFIGURATION, APART_BY_CONFIGURATION ->
                config.flag("attention_bias", false);
        };
    }

    boolean outputBias(JsonObject config) {
        return biases == Biases.BY_CONFIGURATION && config.flag("attention_bias", false)
                || biases == Biases.APART_BY_CONFIGURATION && config.flag("attention_out_bias", false);
    }

    /** Which layers have a sliding window, where a configuration says no more. */
    Windows windows() {
        return windows;
    }
}
