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
     */
    record Factors(List<Double> factors) implements RotaryScaling {
        /** Copies the list. */
        public Factors {
            factors = List.copyOf(factors);
        }
    }

    /** Reads {@code rope_scaling} or {@code rope_parameters} of a configuration. */
    static RotaryScaling read(JsonObject json, int maxPositions) {
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
            case "factors" -> factors(json);
            default ->
                throw new ModelException("%s: rope type \"%s\" is not supported; default, linear, yarn and llama3 are"
                        .formatted(json.source(), type));
        };
    }

    private static Factors factors(JsonObject json) {
        List<Double> factors = new ArrayList<>();
        for (Object value : json.list("factors")) {
            if (!(value instanceof Number n) || !(n.doubleValue() > 0) || Double.isInfinite(n.doubleValue())) {
                throw new ModelException("%s: a factor is %s; factors are positive".formatted(json.source(), value));
            }
            factors.add(n.doubleValue());
        }
        return new Factors(factors);
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
        return this instanceof Yarn yarn ? yarn.attention() : 1;
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
            case Factors(List<Double> factors) -> frequency / factors.get(pair);
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
