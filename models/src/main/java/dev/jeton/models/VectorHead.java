package dev.jeton.models;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * From one hidden state of a text, pooled or its last token's, to the text's vector: layers, norms and logits as
 * {@link VectorStage} has them. Sums are in float64, so that they depend on nothing but the state.
 *
 * <p>Immutable; any thread.
 */
public final class VectorHead {

    /** Of torch's layer norm where nothing else is said. */
    private static final double EPSILON = 1e-5;

    /** What is said of a row whose vector is not finite. */
    public static final String DAMAGED = "the vector is not finite; the model's weights or the input are damaged";

    private static final String TABLE = "model.embed_tokens.weight";
    private static final String PROJECTION = "lm_head.weight";

    /** A stage's weights, row by row; none where it has none. */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    private record Layer(VectorStage stage, float[] weight, float[] bias) {}

    private static final float[] NONE = new float[0];

    private final List<Layer> layers;

    private VectorHead(List<Layer> layers) {
        this.layers = List.copyOf(layers);
    }

    /**
     * Reads the weights of an encoder's stages.
     *
     * @throws ModelException naming what is missing or broken
     */
    public static VectorHead read(List<VectorStage> stages) {
        return new VectorHead(stages.stream().map(VectorHead::layer).toList());
    }

    /**
     * The same of a decoder, whose own files may have some of the weights.
     *
     * @param spec of the decoder
     * @param vectors what it is for
     */
    public static VectorHead ofDecoder(Path model, DecoderSpec spec, VectorSpec vectors) {
        List<Layer> layers = new ArrayList<>();
        for (VectorStage stage : vectors.stages()) {
            layers.add(
                    switch (stage) {
                        case VectorStage.LabelLogits logits -> labels(logits, model, spec);
                        case VectorStage.TokenLogit logit -> token(logit, model, spec);
                        default -> layer(stage);
                    });
        }
        return new VectorHead(layers);
    }

    private static Layer layer(VectorStage stage) {
        return switch (stage) {
            case VectorStage.Dense dense -> matrix(dense);
            case VectorStage.LayerNorm norm -> scales(norm);
            case VectorStage.Pool _, VectorStage.Normalize _ -> new Layer(stage, NONE, NONE);
            case VectorStage.LabelLogits _, VectorStage.TokenLogit _ ->
                throw new ModelException("logits of labels or tokens are for decoders");
        };
    }

    private static Layer matrix(VectorStage.Dense dense) {
        try (Safetensors weights = Safetensors.open(dense.weights())) {
            Tensor weight = weights.tensor("linear.weight", dense.outputs(), dense.inputs());
            float[] bias = dense.bias()
                    ? weights.tensor("linear.bias", dense.outputs()).toFloats()
                    : new float[dense.outputs()];
            return new Layer(dense, weight.toFloats(), bias);
        }
    }

    private static Layer scales(VectorStage.LayerNorm norm) {
        try (Safetensors weights = Safetensors.open(norm.weights())) {
            return new Layer(
                    norm,
                    weights.tensor("norm.weight", norm.width()).toFloats(),
                    weights.tensor("norm.bias", norm.width()).toFloats());
        }
    }

    private static Layer labels(VectorStage.LabelLogits logits, Path model, DecoderSpec spec) {
        try (WeightFiles files = WeightFiles.open(model, spec)) {
            return new Layer(
                    logits,
                    files.tensor("score.weight", logits.labels(), spec.hidden()).toFloats(),
                    new float[logits.labels()]);
        }
    }

    private static Layer token(VectorStage.TokenLogit logit, Path model, DecoderSpec spec) {
        if (Math.max(logit.yes(), logit.otherwise()) >= spec.vocabulary()) {
            throw new ModelException("%s: tokens %d and %d are to be compared, of a vocabulary of %d"
                    .formatted(model, logit.yes(), logit.otherwise(), spec.vocabulary()));
        }
        try (WeightFiles files = WeightFiles.open(model, spec)) {
            String name = files.names().contains(PROJECTION) ? PROJECTION : TABLE;
            Tensor table = files.tensor(name, spec.vocabulary(), spec.hidden());
            float[] weight = new float[spec.hidden()];
            table.copyTo((long) logit.yes() * spec.hidden(), weight, 0, spec.hidden());
            if (logit.otherwise() >= 0) {
                float[] other = new float[spec.hidden()];
                table.copyTo((long) logit.otherwise() * spec.hidden(), other, 0, spec.hidden());
                for (int i = 0; i < weight.length; i++) {
                    weight[i] -= other[i];
                }
            }
            return new Layer(logit, weight, new float[1]);
        }
    }

    /**
     * The vector of a text.
     *
     * @param state pooled, or the last token's
     * @return as many elements as {@link VectorSpec#width} says
     */
    public double[] of(double[] state) {
        double[] vector = state;
        for (Layer layer : layers) {
            vector = switch (layer.stage) {
                case VectorStage.Pool _ -> vector;
                case VectorStage.Dense dense -> activated(dense.activation(), multiplied(layer, vector));
                case VectorStage.LayerNorm _ -> layerNormed(layer, vector);
                case VectorStage.Normalize _ -> normalized(vector);
                case VectorStage.LabelLogits _, VectorStage.TokenLogit _ -> multiplied(layer, vector);
            };
        }
        return vector;
    }

    /**
     * The same of a state in binary32, written where it belongs.
     *
     * @param states {@code hidden} elements from {@code from} on
     * @param target where the vector's elements go, from {@code to} on
     * @return whether all of them are finite
     */
    public boolean write(float[] states, int from, int hidden, float[] target, int to) {
        double[] state = new double[hidden];
        for (int i = 0; i < hidden; i++) {
            state[i] = states[from + i];
        }
        double[] vector = of(state);
        boolean finite = true;
        for (int i = 0; i < vector.length; i++) {
            target[to + i] = (float) vector[i];
            finite &= Float.isFinite(target[to + i]);
        }
        return finite;
    }

    private static double[] multiplied(Layer layer, double[] in) {
        double[] out = new double[layer.bias.length];
        for (int o = 0; o < out.length; o++) {
            double sum = layer.bias[o];
            for (int i = 0; i < in.length; i++) {
                sum += layer.weight[o * in.length + i] * in[i];
            }
            out[o] = sum;
        }
        return out;
    }

    private static double[] activated(VectorStage.Activation activation, double[] values) {
        double[] out = new double[values.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = activated(activation, values[i]);
        }
        return out;
    }

    private static double activated(VectorStage.Activation activation, double x) {
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
