package dev.jeton.models.encoder;

import dev.jeton.models.EncoderStage;
import dev.jeton.models.EncoderStage.Activation;
import dev.jeton.models.EncoderStage.Pooling;
import dev.jeton.models.Safetensors;
import dev.jeton.models.Tensor;
import dev.jeton.models.TensorType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/**
 * From a text's hidden states to its embedding, as the folder's modules or DJL's translator say. Sums are in float64,
 * so that they do not depend on how many tokens are padding.
 *
 * <p>Owned by the engine's thread.
 */
final class EncoderHead {

    /** Of torch's layer norm where nothing else is said. */
    private static final double EPSILON = 1e-5;

    /** A layer's weights, row by row; none where a stage has none. */
    private record Layer(float[] weight, float[] bias) {}

    private final List<EncoderStage> stages;
    private final List<Layer> layers = new ArrayList<>();
    private final int hidden;
    private final float[] token;
    private double[] sums = new double[0];

    /** Reads the weights of stages that have some. */
    EncoderHead(List<EncoderStage> stages, int hidden) {
        this.stages = stages;
        this.hidden = hidden;
        token = new float[hidden];
        for (EncoderStage stage : stages) {
            layers.add(
                    switch (stage) {
                        case EncoderStage.Dense dense -> matrix(dense);
                        case EncoderStage.LayerNorm norm -> scales(norm);
                        case EncoderStage.Pool _, EncoderStage.Normalize _ -> new Layer(new float[0], new float[0]);
                    });
        }
    }

    private static Layer matrix(EncoderStage.Dense dense) {
        try (Safetensors weights = Safetensors.open(dense.weights())) {
            Tensor weight = weights.tensor("linear.weight", dense.outputs(), dense.inputs());
            float[] bias = dense.bias()
                    ? weights.tensor("linear.bias", dense.outputs()).toFloats()
                    : new float[dense.outputs()];
            return new Layer(weight.toFloats(), bias);
        }
    }

    private static Layer scales(EncoderStage.LayerNorm norm) {
        try (Safetensors weights = Safetensors.open(norm.weights())) {
            return new Layer(
                    weights.tensor("norm.weight", norm.width()).toFloats(),
                    weights.tensor("norm.bias", norm.width()).toFloats());
        }
    }

    /**
     * The embedding of a text.
     *
     * @param states hidden states of {@code tokens} tokens, the first at element {@code first}
     */
    void embed(MemorySegment states, TensorType type, long first, int tokens, float[] target, int at) {
        double[] vector = new double[0];
        for (int i = 0; i < stages.size(); i++) {
            vector = switch (stages.get(i)) {
                case EncoderStage.Pool pool -> pool(pool, states, type, first, tokens);
                case EncoderStage.Dense dense -> dense(dense, layers.get(i), vector);
                case EncoderStage.LayerNorm _ -> layerNormed(layers.get(i), vector);
                case EncoderStage.Normalize _ -> normalized(vector);
            };
        }
        for (int i = 0; i < vector.length; i++) {
            target[at + i] = (float) vector[i];
        }
    }

    private double[] pool(EncoderStage.Pool pool, MemorySegment states, TensorType type, long first, int tokens) {
        int width = hidden * pool.modes().size();
        if (sums.length != width) {
            sums = new double[width];
        }
        for (int m = 0; m < pool.modes().size(); m++) {
            for (int h = 0; h < hidden; h++) {
                sums[m * hidden + h] = pool.modes().get(m) == Pooling.MAX ? Double.NEGATIVE_INFINITY : 0;
            }
        }
        for (int t = 0; t < tokens; t++) {
            type.floats(states, first + (long) t * hidden, token, 0, hidden);
            for (int m = 0; m < pool.modes().size(); m++) {
                add(pool.modes().get(m), m * hidden, t, tokens);
            }
        }
        return sums.clone();
    }

    private void add(Pooling mode, int at, int t, int tokens) {
        if (mode == Pooling.MAX) {
            for (int h = 0; h < hidden; h++) {
                sums[at + h] = Math.max(sums[at + h], token[h]);
            }
            return;
        }
        double weight = switch (mode) {
            case FIRST -> t == 0 ? 1 : 0;
            case LAST -> t == tokens - 1 ? 1 : 0;
            case MEAN -> 1.0 / tokens;
            case MEAN_ROOT -> 1 / Math.sqrt(tokens);
            case WEIGHTED_MEAN -> (t + 1) / (tokens * (tokens + 1.0) / 2);
            case MAX -> throw new AssertionError();
        };
        if (weight != 0) {
            for (int h = 0; h < hidden; h++) {
                sums[at + h] += weight * token[h];
            }
        }
    }

    private static double[] dense(EncoderStage.Dense dense, Layer layer, double[] in) {
        double[] out = new double[dense.outputs()];
        for (int o = 0; o < out.length; o++) {
            double sum = layer.bias[o];
            for (int i = 0; i < in.length; i++) {
                sum += layer.weight[o * in.length + i] * in[i];
            }
            out[o] = activated(dense.activation(), sum);
        }
        return out;
    }

    private static double activated(Activation activation, double x) {
        return switch (activation) {
            case IDENTITY -> x;
            case TANH -> Math.tanh(x);
            case RELU -> Math.max(0, x);
            case GELU -> x * normalDistribution(x);
        };
    }

    /** The standard normal distribution function: Abramowitz and Stegun 26.2.11, and 26.2.14 for the tails. */
    private static double normalDistribution(double x) {
        double a = Math.abs(x);
        double density = Math.exp(-a * a / 2) / Math.sqrt(2 * Math.PI);
        double upper;
        if (a < 5) {
            double term = a;
            double sum = a;
            for (int n = 1; term > 1e-17 * sum && n < 200; n++) {
                term *= a * a / (2 * n + 1);
                sum += term;
            }
            upper = 0.5 - density * sum;
        } else {
            double fraction = a;
            for (int n = 30; n > 0; n--) {
                fraction = a + n / fraction;
            }
            upper = density / fraction;
        }
        return x > 0 ? 1 - upper : upper;
    }

    private static double[] layerNormed(Layer layer, double[] in) {
        double mean = 0;
        for (double value : in) {
            mean += value / in.length;
        }
        double variance = 0;
        for (double value : in) {
            variance += (value - mean) * (value - mean) / in.length;
        }
        double[] out = new double[in.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = (in[i] - mean) / Math.sqrt(variance + EPSILON) * layer.weight[i] + layer.bias[i];
        }
        return out;
    }

    /** Like torch's normalize: a vector of zeros stays one. */
    private static double[] normalized(double[] vector) {
        double square = 0;
        for (double value : vector) {
            square += value * value;
        }
        double norm = Math.max(Math.sqrt(square), 1e-12);
        double[] out = new double[vector.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = vector[i] / norm;
        }
        return out;
    }
}
