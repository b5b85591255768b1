package dev.jeton.models;

import java.util.function.Predicate;

/** What only some models need of an engine. One that does not compute it refuses those models by name. */
public enum DecoderFeature {
    EXPERTS("feed-forward layers of experts", spec -> spec.experts().count() > 0),
    FUSED_TENSORS("q, k and v in one tensor", spec -> DecoderFamily.fused(spec.architecture())),
    PARTIAL_ROTARY("rotation of a part of each head", spec -> spec.rotary().width() != spec.headDim()),
    FACTORS_BY_LENGTH(
            "rotary factors by context length", spec -> spec.rotary().scaling() instanceof RotaryScaling.LongRope),
    WINDOW_ROTARY(
            "other rotation in layers with a window",
            spec -> !spec.windowRotary().equals(spec.rotary())
                    && spec.windows().stream().anyMatch(window -> window > 0)),
    BRANCH_NORMS(
            "norms after attention and feed-forward layers",
            spec -> spec.norms().branches()),
    NORMS_TOGETHER("norms over all heads", spec -> spec.norms().heads() == DecoderSpec.Norms.Heads.TOGETHER),
    NORMS_BEHIND("layers whose inputs are not normalised", spec -> !spec.norms().inputs()),
    UNTURNED_LAYERS("layers without rotation", spec -> spec.turned().contains(false)),
    QUERY_GROWTH("queries scaled by position", spec -> spec.scales().growth().exists()),
    GELU("the activation gelu_pytorch_tanh", spec -> spec.activation() == DecoderSpec.Activation.GELU_TANH),
    EMBEDDING_SCALE("scaled embeddings", spec -> spec.scales().embedding() != 1),
    QUERY_SCALE(
            "a query scale of its own", spec -> Math.abs(spec.scales().query() * Math.sqrt(spec.headDim()) - 1) > 1e-9),
    LATENT("latent attention", spec -> spec.latent().exists()),
    DELTA("layers of linear attention", spec -> spec.delta().exists()),
    OUTPUT_GATE("gates of what is attended to", DecoderSpec::outputGate),
    SINKS("attention sinks", DecoderSpec::sinks),
    EXPERT_ROUTING(
            "experts chosen by more than their probabilities",
            spec -> !spec.experts().routing().isPlain()),
    SHARED_EXPERTS(
            "experts that all tokens go through",
            spec -> spec.experts().shared().exists()),
    EXPERT_BIASES("biases of experts", spec -> spec.experts().biased()),
    CLAMPED_SWIGLU("the activation of gpt-oss", spec -> spec.activation() == DecoderSpec.Activation.CLAMPED_SWIGLU),
    SOFT_CAPS(
            "soft-capping",
            spec -> spec.scales().attentionCap() != 0 || spec.scales().logitCap() != 0),
    VECTORS("vectors of texts in place of tokens", DecoderSpec::vectors);

    private final String description;
    private final Predicate<DecoderSpec> needed;

    DecoderFeature(String description, Predicate<DecoderSpec> needed) {
        this.description = description;
        this.needed = needed;
    }

    /** For people. */
    public String description() {
        return description;
    }

    boolean isNeededBy(DecoderSpec spec) {
        return needed.test(spec);
    }
}
