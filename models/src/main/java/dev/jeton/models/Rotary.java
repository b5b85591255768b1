package dev.jeton.models;

import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * How heads of queries and keys are turned by their positions (Su et al.: RoFormer).
 *
 * @param theta base of the frequencies
 * @param scaling how they are stretched
 * @param width elements of a head that are turned, from the first on; even. The others stay as they are.
 */
public record Rotary(double theta, RotaryScaling scaling, int width) {

    /** Checks that there is a factor for each pair. */
    public Rotary {
        if (width < 2 || width % 2 != 0) {
            throw new ModelException(
                    "head_dim and partial_rotary_factor leave %d elements of a head to be turned; rotation needs pairs"
                            .formatted(width));
        }
        int factors = switch (scaling) {
            case RotaryScaling.Factors(List<Double> values, double attention) -> values.size();
            case RotaryScaling.LongRope longRope -> longRope.longFactors().size();
            default -> width / 2;
        };
        if (factors != width / 2) {
            throw new ModelException("%d rotary factors for %d pairs".formatted(factors, width / 2));
        }
    }

    /** Radians per position of each of the {@code width / 2} pairs. */
    public double[] frequencies() {
        return scaling.frequencies(theta, width);
    }

    /** What cosines and sines are multiplied with. */
    public double attentionFactor() {
        return scaling.attentionFactor();
    }

    /** What holds for contexts of so many positions. */
    Rotary within(int positions) {
        return new Rotary(theta, scaling.within(positions), width);
    }

    /** Of a configuration: in layers that see the whole context. */
    static Rotary read(JsonObject config, int headDim, int context) {
        JsonObject rope = settings(config, "full_attention");
        double part = rope.number("partial_rotary_factor")
                .or(() -> config.number("partial_rotary_factor"))
                .orElse(1.0);
        if (!(part > 0 && part <= 1)) {
            throw new ModelException("%s: \"partial_rotary_factor\" is %s".formatted(config.source(), part));
        }
        return new Rotary(
                theta(
                        rope.number("rope_theta")
                                .or(() -> config.number("rope_theta"))
                                .orElse(10_000.0),
                        config),
                RotaryScaling.read(
                        rope, context, config.optionalInteger("original_max_position_embeddings", 2, 1 << 30)),
                (int) (headDim * part));
    }

    /** Of a configuration: in layers with a window, which some families turn by a base of their own, unscaled. */
    static Rotary readForWindows(JsonObject config, int headDim, int context) {
        Rotary whole = read(config, headDim, context);
        JsonObject own = settings(config, "sliding_attention");
        if (own.number("rope_theta").isPresent()
                && config.object("rope_parameters")
                        .filter(r -> r.has("sliding_attention"))
                        .isPresent()) {
            double theta = theta(own.number("rope_theta", 0), config);
            return new Rotary(theta, RotaryScaling.read(own, context, Optional.empty()), whole.width);
        }
        return config.number("rope_local_base_freq")
                .map(theta -> new Rotary(theta(theta, config), new RotaryScaling.None(), whole.width))
                .orElse(whole);
    }

    private static double theta(double theta, JsonObject config) {
        if (!(theta > 1)) {
            throw new ModelException("%s: \"rope_theta\" is %s".formatted(config.source(), theta));
        }
        return theta;
    }

    /**
     * Rotary settings in either spelling, and those of a type of layer where they are by type; empty where there are
     * none.
     */
    private static JsonObject settings(JsonObject config, String layerType) {
        JsonObject all = config.object("rope_parameters")
                .or(() -> config.object("rope_scaling"))
                .orElseGet(() -> JsonObject.of(config.source(), Map.of()));
        return all.object(layerType).orElse(all);
    }
}
