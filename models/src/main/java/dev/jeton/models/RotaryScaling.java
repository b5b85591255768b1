package dev.jeton.models;

import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * How rotary frequencies are stretched to longer contexts. The frequency of pair i of d/2 is {@code theta^(-2i/d)}
 * before scaling.
 */
public sealed interface RotaryScaling {

    /** As trained. */
    record None() implements RotaryScaling {}

    /** All frequencies divided by {@code factor} (Chen et al., Position Interpolation). */
    record Linear(double factor) implements RotaryScaling {}

    /**
     * Low frequencies divided by {@code factor}, high ones kept, a linear ramp between (Peng et al., YaRN).
     *
     * @param factor context extension
     * @param attention what cosines and sines are multiplied with
     * @param betaFast rotations over the original context from which a pair is kept
     * @param betaSlow rotations up to which a pair is interpolated fully
     * @param originalContext tokens of context in training
     * @param truncate whether the ramp's ends are rounded outward to whole pairs
     */
    record Yarn(
            double factor, double attention, double betaFast, double betaSlow, int originalContext, boolean truncate)
            implements RotaryScaling {}

    /** As Llama 3.1: by wavelength against the original context, with a smooth transition. */
    record Llama3(double factor, double lowFactor, double highFactor, int originalContext) implements RotaryScaling {}

    /**
     * Each pair's frequency divided by a factor of its own, as GGUF files hold the scaling of Llama 3.1.
     *
     * @param factors one for each pair
     * @param attention what cosines and sines are multiplied with
     */
    record Factors(List<Double> factors, double attention) implements RotaryScaling {
        /** Copies the list. */
        public Factors {
            factors = List.copyOf(factors);
        }
    }

    /**
     * Factors by the length of the context (Ding et al., LongRoPE). Hugging Face chooses them anew as a sequence grows
     * past the original context, which leaves its earlier keys turned by the others; here the longest context that an
     * engine serves decides once, so that equal prefixes have equal keys.
     *
     * @param shortFactors one for each pair, for contexts up to the original one
     * @param longFactors for longer ones
     * @param originalContext tokens of context in training
     * @param attention what cosines and sines are multiplied with in both
     */
    record LongRope(List<Double> shortFactors, List<Double> longFactors, int originalContext, double attention)
            implements RotaryScaling {
        /** Copies the lists. */
        public LongRope {
            shortFactors = List.copyOf(shortFactors);
            longFactors = List.copyOf(longFactors);
            if (shortFactors.size() != longFactors.size()) {
                throw new ModelException(
                        "%d short rotary factors and %d long ones".formatted(shortFactors.size(), longFactors.size()));
            }
        }
    }

    /** What holds for contexts of so many positions. */
    default RotaryScaling within(int positions) {
        return this instanceof LongRope(var below, var above, int original, double attention)
                ? new Factors(positions > original ? above : below, attention)
                : this;
    }

    /**
     * Reads {@code rope_scaling} or {@code rope_parameters} of a configuration.
     *
     * @param originalOfModel the original context where the configuration has it outside of that
     */
    static RotaryScaling read(JsonObject json, int maxPositions, Optional<Integer> originalOfModel) {
        String type = json.string("rope_type").or(() -> json.string("type")).orElse("default");
        int original = json.optionalInteger("original_max_position_embeddings", 1, 1 << 30)
                .orElse(maxPositions);
        return switch (type) {
            case "default" -> new None();
            case "linear" -> new Linear(positive(json, "factor"));
            case "yarn" -> yarn(json, original);
            case "llama3" ->
                new Llama3(
                        positive(json, "factor"),
                        positive(json, "low_freq_factor"),
                        positive(json, "high_freq_factor"),
                        original);
            case "factors" -> new Factors(factors(json, "factors"), json.number("attention_factor", 1));
            case "longrope", "su" -> longRope(json, maxPositions, originalOfModel);
            default ->
                throw new ModelException(
                        "%s: rope type \"%s\" is not supported; default, linear, yarn, llama3 and longrope are"
                                .formatted(json.source(), type));
        };
    }

    private static LongRope longRope(JsonObject json, int maxPositions, Optional<Integer> originalOfModel) {
        Optional<Integer> original =
                originalOfModel.or(() -> json.optionalInteger("original_max_position_embeddings", 2, 1 << 30));
        double factor = original.map(tokens -> (double) maxPositions / tokens)
                .or(() -> json.number("factor"))
                .orElse(1.0);
        int tokens = original.orElse(maxPositions);
        double attention = json.number("attention_factor")
                .orElse(factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(tokens)));
        return new LongRope(factors(json, "short_factor"), factors(json, "long_factor"), tokens, attention);
    }

    private static List<Double> factors(JsonObject json, String key) {
        if (json.list(key).isEmpty()) {
            throw new ModelException("%s: \"%s\" is missing".formatted(json.source(), key));
        }
        List<Double> factors = new ArrayList<>();
        for (Object value : json.list(key)) {
            if (!(value instanceof Number n) || !(n.doubleValue() > 0) || Double.isInfinite(n.doubleValue())) {
                throw new ModelException("%s: a factor is %s; factors are positive".formatted(json.source(), value));
            }
            factors.add(n.doubleValue());
        }
        return factors;
    }

    private static Yarn yarn(JsonObject json, int original) {
        double factor = positive(json, "factor");
        Optional<Double> given = json.number("attention_factor");
        double mscale = json.number("mscale", 0);
        double mscaleAll = json.number("mscale_all_dim", 0);
        double attention = given.orElseGet(() -> mscale != 0 && mscaleAll != 0
                ? attention(factor, mscale) / attention(factor, mscaleAll)
                : attention(factor, 1));
        return new Yarn(
                factor,
                attention,
                json.number("beta_fast", 32),
                json.number("beta_slow", 1),
                original,
                json.flag("truncate", true));
    }

    /**
     * What DeepSeek's models multiply scores with beyond the root of the head's width, where YaRN stretches their
     * context; 1 elsewhere.
     */
    static double scoreFactor(JsonObject config) {
        return config.object("rope_parameters")
                .or(() -> config.object("rope_scaling"))
                .filter(rope -> !rope.string("rope_type")
                        .or(() -> rope.string("type"))
                        .orElse("default")
                        .equals("default"))
                .map(rope -> {
                    double all = rope.number("mscale_all_dim", 0);
                    double factor = all == 0 ? 1 : attention(positive(rope, "factor"), all);
                    return factor * factor;
                })
                .orElse(1.0);
    }

    private static double attention(double factor, double mscale) {
        return factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1;
    }

    private static double positive(JsonObject json, String key) {
        double value = json.number(key)
                .orElseThrow(() -> new ModelException("%s: \"%s\" is missing".formatted(json.source(), key)));
        if (!(value > 0)) {
            throw new ModelException("%s: \"%s\" must be positive, not %s".formatted(json.source(), key, value));
        }
        return value;
    }

    /** What cosines and sines are multiplied with. */
    default double attentionFactor() {
        return switch (this) {
            case Yarn yarn -> yarn.attention();
            case Factors factors -> factors.attention();
            case LongRope longRope -> longRope.attention();
            case None _, Linear _, Llama3 _ -> 1;
        };
    }

    /**
     * Radians per position of each of the {@code headDim / 2} rotated pairs.
     *
     * @param theta base
     * @param headDim even
     */
    default double[] frequencies(double theta, int headDim) {
        double[] frequency = new double[headDim / 2];
        for (int i = 0; i < frequency.length; i++) {
            frequency[i] = scaled(Math.pow(theta, -2.0 * i / headDim), i, theta, headDim);
        }
        return frequency;
    }

    private double scaled(double frequency, int pair, double theta, int headDim) {
        return switch (this) {
            case None() -> frequency;
            case Linear(double factor) -> frequency / factor;
            case Factors(List<Double> factors, double attention) -> frequency / factors.get(pair);
            case LongRope longRope -> frequency / longRope.longFactors.get(pair);
            case Yarn yarn -> {
                double low = pairOf(yarn.betaFast, yarn.originalContext, theta, headDim);
                double high = pairOf(yarn.betaSlow, yarn.originalContext, theta, headDim);
                low = Math.max(0, yarn.truncate ? Math.floor(low) : low);
                high = Math.min(headDim - 1, yarn.truncate ? Math.ceil(high) : high);
                double ramp = (pair - low) / (high == low ? 0.001 : high - low);
                double interpolated = Math.clamp(ramp, 0, 1);
                yield frequency / yarn.factor * interpolated + frequency * (1 - interpolated);
            }
            case Llama3(double factor, double lowFactor, double highFactor, int original) -> {
                double wavelength = 2 * Math.PI / frequency;
                if (wavelength < original / highFactor) {
                    yield frequency;
                }
                if (wavelength > original / lowFactor) {
                    yield frequency / factor;
                }
                double smooth = (original / wavelength - lowFactor) / (highFactor - lowFactor);
                yield (1 - smooth) * frequency / factor + smooth * frequency;
            }
        };
    }

    /** The (fractional) pair that turns {@code rotations} times over the original context. */
    private static double pairOf(double rotations, int originalContext, double theta, int headDim) {
        return headDim * Math.log(originalContext / (rotations * 2 * Math.PI)) / (2 * Math.log(theta));
    }
}
