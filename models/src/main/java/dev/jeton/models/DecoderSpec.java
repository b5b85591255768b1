package dev.jeton.models;

import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/**
 * A plain description of a decoder-only transformer, which every engine interprets.
 *
 * <p>The plan: embedding; per layer x += O(attention(rotary(QKV(rms(x))))) and x += down(activation(gate(rms(x))) *
 * up(rms(x))); rms; output projection. Linear layers have no bias but where said here. What few families have beyond
 * that is among the {@link #features}, of which an engine says which it computes.
 *
 * @param architecture as in config.json
 * @param vocabulary rows of the embedding
 * @param hidden width of the residual stream
 * @param layers number of layers
 * @param heads query heads
 * @param keyValueHeads key and value heads; divides {@code heads}
 * @param headDim elements of a query head; even
 * @param intermediate width of the feed-forward layer, where it is not of experts
 * @param normEpsilon added to the mean square in every norm
 * @param output what follows the last norm
 * @param queryKeyValueBias whether the q, k and v projections have biases
 * @param outputBias whether the o projection has one
 * @param latent what keys and values are computed from, where they are; there is one key head then
 * @param delta which layers keep a state in place of keys and values
 * @param outputGate whether what heads attended to is multiplied with the sigmoid of a projection of the layer's input
 * @param sinks whether each query head has a logit that takes part in the softmax of its scores and stands for no token
 *     (Xiao et al.: Efficient Streaming Language Models with Attention Sinks)
 * @param norms which norms there are within layers
 * @param activation of the feed-forward layers
 * @param experts which feed-forward layers are of experts
 * @param scales numbers that values are multiplied with, and limits
 * @param context most positions
 * @param rotary how queries and keys are turned
 * @param windowRotary the same in layers with a window
 * @param windows per layer: tokens that a position looks back on, itself included; 0 for all
 * @param turned per layer: whether queries and keys are turned
 */
public record DecoderSpec(
        String architecture,
        int vocabulary,
        int hidden,
        int layers,
        int heads,
        int keyValueHeads,
        int headDim,
        Latent latent,
        Delta delta,
        boolean outputGate,
        int intermediate,
        double normEpsilon,
        Output output,
        boolean queryKeyValueBias,
        boolean outputBias,
        boolean sinks,
        Norms norms,
        Activation activation,
        Experts experts,
        Scales scales,
        int context,
        Rotary rotary,
        Rotary windowRotary,
        List<Integer> windows,
        List<Boolean> turned) {

    /**
     * Which norms a layer has.
     *
     * @param heads how query and key heads are normalised before rotation
     * @param inputs whether what attention and the feed-forward layer take is normalised; may be false only where
     *     {@code branches}, in models without experts and latent attention
     * @param branches whether what attention and the feed-forward layer give is normalised before it is added to x
     */
    public record Norms(Heads heads, boolean inputs, boolean branches) {

        /** How query and key heads are normalised. */
        public enum Heads {
            /** Not at all. */
            NONE,
            /** Each for itself, with the same weights. */
            EACH,
            /** All query heads of a token as one vector, and all key heads. */
            TOGETHER
        }
    }

    /** What follows the last norm. */
    public enum Output {
        /** A projection of its own. */
        PROJECTION,
        /** The embedding, as projection. */
        EMBEDDING,
        /** Nothing: hidden states become vectors of texts ({@link VectorHead}), and no token is predicted. */
        VECTORS
    }

    /** What the gate of a feed-forward layer goes through. */
    public enum Activation {
        /** x / (1 + e^-x). */
        SILU,
        /** x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2 (Hendrycks, Gimpel: Gaussian Error Linear Units). */
        GELU_TANH,
        /**
         * With gates of at most c and ups of -c to c, gate / (1 + e^(-alpha gate)) * (up + 1), c being
         * {@link #CLAMP_LIMIT} and alpha {@link #CLAMP_ALPHA}.
         */
        CLAMPED_SWIGLU;

        /** Of {@link #CLAMPED_SWIGLU}: what gates and ups are limited to. */
        public static final float CLAMP_LIMIT = 7;

        /** Of {@link #CLAMPED_SWIGLU}: what the gate is multiplied with inside of the sigmoid. */
        public static final float CLAMP_ALPHA = 1.702f;
    }

    /**
     * Numbers that values are multiplied with, and limits.
     *
     * @param embedding what embeddings are multiplied with
     * @param query what scores of attention are multiplied with
     * @param growth what queries are multiplied with beside that, by their position
     * @param attentionCap c where scores s become c tanh(s / c) before the softmax; 0 for none
     * @param logitCap the same of logits
     * @param logits what logits are multiplied with: {@link WeightFiles} has it in the weight of the last norm
     */
    public record Scales(
            double embedding, double query, QueryGrowth growth, double attentionCap, double logitCap, double logits) {}

    private static final int MAX_WIDTH = 1 << 20;

    /** Checks how the numbers fit together. */
    public DecoderSpec {
        windows = List.copyOf(windows);
        turned = List.copyOf(turned);
        if (heads % keyValueHeads != 0) {
            throw new ModelException("num_attention_heads %d is not a multiple of num_key_value_heads %d"
                    .formatted(heads, keyValueHeads));
        }
        if (headDim % 2 != 0) {
            throw new ModelException("head_dim %d is odd; rotary embedding needs pairs".formatted(headDim));
        }
        if (rotary.width() > headDim || windowRotary.width() > headDim) {
            throw new ModelException("%d elements of a head of %d are to be turned".formatted(rotary.width(), headDim));
        }
        if (windows.size() != layers) {
            throw new ModelException("%d windows for %d layers".formatted(windows.size(), layers));
        }
        if (turned.size() != layers) {
            throw new ModelException("%d of %d layers are said to be turned or not".formatted(turned.size(), layers));
        }
        if (!norms.inputs() && (!norms.branches() || experts.layers().contains(true) || latent.exists())) {
            throw new ModelException(architecture + ": layers of experts, latent attention and layers without other"
                    + " norms need normalised inputs");
        }
        if (delta.exists() && output == Output.VECTORS) {
            throw new ModelException(architecture + ": layers of linear attention are not supported where texts become"
                    + " vectors; serve the model that predicts tokens");
        }
        if (latent.exists() && rotary.width() != latent.rotary()) {
            throw new ModelException("qk_rope_head_dim is %d, and %d elements of a head are to be turned"
                    .formatted(latent.rotary(), rotary.width()));
        }
        if (scales.growth().exists() && latent.exists() && latent.queryRank() == 0) {
            throw new ModelException(architecture + ": latent queries that grow by position need q_lora_rank");
        }
    }

    /** Reads config.json of a model folder whose weights are not quantised, or the metadata of a GGUF file. */
    public static DecoderSpec read(Path model) {
        JsonObject config = ModelFiles.config(model);
        if (!CheckpointQuantization.isOfTensors(config)) {
            throw new ModelException(
                    config.source()
                            + ": quantised weights are not supported by this engine; use the original weights (and --quantize)");
        }
        return read(model, config);
    }

    /** The same with weights as {@link CheckpointQuantization} has them. */
    public static DecoderSpec readQuantized(Path model) {
        return read(model, ModelFiles.config(model));
    }

    private static DecoderSpec read(Path model, JsonObject given) {
        DecoderFamily family = DecoderFamily.of(given);
        Optional<VectorSpec> vectors = VectorSpec.ofDecoder(model, given);
        JsonObject config = FamilyDefaults.complete(family, given);
        refuse(config);
        if (family.turnsNeighbours() && !CheckpointQuantization.isOfTensors(given)) {
            throw new ModelException(
                    "%s: quantised weights of %s are not supported; use the original weights or a GGUF file"
                            .formatted(config.source(), family.architecture()));
        }
        int hidden = config.integer("hidden_size", 1, MAX_WIDTH);
        int heads = config.integer("num_attention_heads", 1, 1 << 14);
        int layers = config.integer("num_hidden_layers", 1, 1 << 12);
        Latent latent = family.isLatent() ? Latent.read(config) : Latent.NONE;
        Optional<Integer> width = latent.exists()
                ? Optional.of(latent.plain() + latent.rotary())
                : config.optionalInteger("head_dim", 2, 1024);
        if (width.isEmpty() && (hidden % heads != 0 || hidden / heads > 1024)) {
            throw new ModelException("%s: hidden_size %d does not divide into %d heads of at most 1024"
                    .formatted(config.source(), hidden, heads));
        }
        int headDim = width.orElse(hidden / heads);
        int turned = latent.exists() ? latent.rotary() : headDim;
        int context =
                config.optionalInteger("max_position_embeddings", 1, 1 << 28).orElse(2048);
        return new DecoderSpec(
                family.architecture(),
                config.integer("vocab_size", 1, 1 << 24),
                hidden,
                layers,
                heads,
                latent.exists()
                        ? 1
                        : config.optionalInteger("num_key_value_heads", 1, 1 << 14)
                                .orElse(heads),
                headDim,
                latent,
                family.hasDeltas() ? Delta.read(config, layers) : Delta.NONE,
                family.hasDeltas() && config.flag("attn_output_gate", true),
                config.integer("intermediate_size", 1, MAX_WIDTH),
                epsilon(config, family.residual(config)),
                vectors.isPresent()
                        ? Output.VECTORS
                        : config.flag("tie_word_embeddings", false) ? Output.EMBEDDING : Output.PROJECTION,
                family.queryKeyValueBias(config),
                family.outputBias(config),
                family.sinks(),
                family.norms(config),
                activation(family, config),
                FamilyExperts.read(family, config, layers),
                family.scales(config, hidden, headDim),
                vectors.map(of -> Math.min(of.maxTokens(), context)).orElse(context),
                Rotary.read(config, turned, context),
                Rotary.readForWindows(config, turned, context),
                FamilyLayers.windows(family, config, layers),
                FamilyLayers.turned(family, config, layers));
    }

    private static Activation activation(DecoderFamily family, JsonObject config) {
        if (family.clamped(config)) {
            return Activation.CLAMPED_SWIGLU;
        }
        String name = config.string("hidden_activation")
                .or(() -> config.string("hidden_act"))
                .orElse("silu");
        return switch (name) {
            case "silu", "swish" -> Activation.SILU;
            case "gelu_pytorch_tanh" -> Activation.GELU_TANH;
            default ->
                throw new ModelException("%s: hidden_act \"%s\" is not supported; silu and gelu_pytorch_tanh are"
                        .formatted(config.source(), name));
        };
    }

    /** What would silently give wrong numbers is refused by name. */
    private static void refuse(JsonObject config) {
        for (String flag : List.of("mlp_bias", "use_bias", "use_bidirectional_attention")) {
            if (config.flag(flag, false)) {
                throw new ModelException("%s: %s is not supported".formatted(config.source(), flag));
            }
        }
    }

    private static double epsilon(JsonObject config, double residual) {
        double epsilon = config.number("rms_norm_eps", 1e-6);
        if (!(epsilon >= 0 && epsilon < 1)) {
            throw new ModelException("%s: \"rms_norm_eps\" is %s".formatted(config.source(), epsilon));
        }
        return epsilon / (residual * residual);
    }

    /** The same with a context of at most so many positions, where it matters for rotation; 0 for the model's own. */
    public DecoderSpec within(int most) {
        int positions = most > 0 ? Math.min(most, context) : context;
        return new DecoderSpec(
                architecture,
                vocabulary,
                hidden,
                layers,
                heads,
                keyValueHeads,
                headDim,
                latent,
                delta,
                outputGate,
                intermediate,
                normEpsilon,
                output,
                queryKeyValueBias,
                outputBias,
                sinks,
                norms,
                activation,
                experts,
                scales,
                context,
                rotary.within(positions),
                windowRotary.within(positions),
                windows,
                turned);
    }

    /** What the model needs beyond the plan that all engines compute. */
    public Set<DecoderFeature> features() {
        Set<DecoderFeature> features = EnumSet.noneOf(DecoderFeature.class);
        for (DecoderFeature feature : DecoderFeature.values()) {
            if (feature.isNeededBy(this)) {
                features.add(feature);
            }
        }
        return features;
    }

    /**
     * Refuses a model that an engine would compute wrongly.
     *
     * @param engine for the message
     * @param able what the engine computes of what only some models need
     * @throws ModelException naming all that it does not
     */
    public DecoderSpec requireOnly(String engine, Set<DecoderFeature> able) {
        Set<DecoderFeature> lacking = features();
        lacking.removeAll(able);
        if (!lacking.isEmpty()) {
            throw new ModelException("%s needs %s, which the %s engine does not compute; the cpu engine does"
                    .formatted(
                            architecture,
                            lacking.stream().map(DecoderFeature::description).collect(Collectors.joining(", ")),
                            engine));
        }
        return this;
    }

    /** Whether it gives vectors of texts, and predicts no token. */
    public boolean vectors() {
        return output == Output.VECTORS;
    }

    /** Whether there is no output projection beside the embedding. */
    public boolean tiedEmbedding() {
        return output != Output.PROJECTION;
    }

    /** Weights of the norm of query heads; 0 where there is none. */
    public int queryNormWidth() {
        return normWidth(heads);
    }

    /** The same of key heads. */
    public int keyNormWidth() {
        return normWidth(keyValueHeads);
    }

    private int normWidth(int count) {
        return switch (norms.heads()) {
            case NONE -> 0;
            case EACH -> headDim;
            case TOGETHER -> count * headDim;
        };
    }

    /** What the norm before the feed-forward half of a layer is called in the files. */
    public String feedNorm() {
        return norms.branches() ? "pre_feedforward_layernorm" : "post_attention_layernorm";
    }

    /** Whether a layer attends to keys and values that are kept. */
    public boolean attends(int layer) {
        return !delta.in(layer);
    }

    /** Width of the query heads together. */
    public int queryWidth() {
        return heads * headDim;
    }

    /** Width of the key heads together, which is also that of the value heads; of no use where they are latent. */
    public int keyValueWidth() {
        return keyValueHeads * headDim;
    }

    /** Width of what all heads attended to, together: what the o projection takes. */
    public int attendedWidth() {
        return heads * (latent.exists() ? latent.value() : headDim);
    }
}
