package dev.jeton.models.reference;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;

/** A BERT-like encoder with random weights: its config.json, and what comes out of it in float64. */
public final class TinyEncoder {

    /**
     * Sizes of an encoder.
     *
     * @param labels of a classifier; 0 for an embedding
     * @param shift what is added to positions (RoBERTa's padding token and one); -1 for BERT, which also has token
     *     types
     */
    public record Shape(
            int vocabulary, int hidden, int layers, int heads, int inner, int positions, int labels, int shift) {

        public boolean types() {
            return shift < 0;
        }
    }

    /** A product of [inputs, outputs] and a bias. */
    public record Linear(float[] weight, float[] bias, int inputs, int outputs) {}

    /** A layer norm. */
    public record Norm(float[] weight, float[] bias) {}

    /** A layer. */
    public record Layer(
            Linear query, Linear key, Linear value, Linear out, Norm first, Linear up, Linear down, Norm second) {}

    public final Shape shape;
    private final Random random;
    public final float[] words;
    public final float[] places;
    public final float[] types;
    public final Norm norm;
    public final Layer[] layers;
    public final Linear pooler;
    public final Linear classifier;

    public TinyEncoder(Shape shape, long seed) {
        this.shape = shape;
        random = new Random(seed);
        words = gaussian(shape.vocabulary * shape.hidden, 1);
        places = gaussian(shape.positions * shape.hidden, 0.5);
        types = gaussian(2 * shape.hidden, 0.5);
        norm = norm();
        layers = new Layer[shape.layers];
        for (int i = 0; i < layers.length; i++) {
            layers[i] = new Layer(
                    linear(shape.hidden, shape.hidden),
                    linear(shape.hidden, shape.hidden),
                    linear(shape.hidden, shape.hidden),
                    linear(shape.hidden, shape.hidden),
                    norm(),
                    linear(shape.hidden, shape.inner),
                    linear(shape.inner, shape.hidden),
                    norm());
        }
        pooler = linear(shape.hidden, shape.hidden);
        classifier = linear(shape.hidden, Math.max(1, shape.labels));
    }

    private float[] gaussian(int count, double scale) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) (scale * random.nextGaussian());
        }
        return values;
    }

    private Linear linear(int inputs, int outputs) {
        return new Linear(gaussian(inputs * outputs, 1 / Math.sqrt(inputs)), gaussian(outputs, 0.1), inputs, outputs);
    }

    private Norm norm() {
        float[] weight = gaussian(shape.hidden, 0.1);
        for (int i = 0; i < weight.length; i++) {
            weight[i] += 1;
        }
        return new Norm(weight, gaussian(shape.hidden, 0.1));
    }

    /** Makes a token's embedding infinite. */
    public void breakWord(int token) {
        words[token * shape.hidden] = Float.POSITIVE_INFINITY;
    }

    /** Writes config.json. */
    public void config(Path folder, String architecture, String more) throws IOException {
        Files.createDirectories(folder);
        Files.writeString(folder.resolve("config.json"), """
                {"architectures": ["%s"], "model_type": "%s", "vocab_size": %d, "hidden_size": %d,
                 "num_hidden_layers": %d, "num_attention_heads": %d, "intermediate_size": %d,
                 "max_position_embeddings": %d, "type_vocab_size": %d, "pad_token_id": %d%s}
                """.formatted(
                        architecture,
                        shape.types() ? "bert" : "roberta",
                        shape.vocabulary,
                        shape.hidden,
                        shape.layers,
                        shape.heads,
                        shape.inner,
                        shape.positions,
                        shape.types() ? 2 : 1,
                        Math.max(0, shape.shift - 1),
                        more.isEmpty() ? "" : ", " + more));
    }

    /** Hidden states of a text, in float64; token types are 1 after the first {@code separator}. */
    public double[][] hidden(int[] tokens, int separator) {
        double[][] x = new double[tokens.length][];
        int type = 0;
        for (int t = 0; t < tokens.length; t++) {
            x[t] = new double[shape.hidden];
            for (int h = 0; h < shape.hidden; h++) {
                x[t][h] = words[tokens[t] * shape.hidden + h]
                        + places[(t + Math.max(0, shape.shift)) * shape.hidden + h]
                        + (shape.types() ? types[type * shape.hidden + h] : 0);
            }
            x[t] = normed(x[t], norm);
            type = tokens[t] == separator ? 1 : type;
        }
        for (Layer layer : layers) {
            double[][] mixed = attended(layer, x);
            for (int t = 0; t < x.length; t++) {
                x[t] = normed(sum(x[t], times(mixed[t], layer.out)), layer.first);
                double[] inner = times(x[t], layer.up);
                for (int i = 0; i < inner.length; i++) {
                    inner[i] *= 0.5 * (1 + erf(inner[i] / Math.sqrt(2)));
                }
                x[t] = normed(sum(x[t], times(inner, layer.down)), layer.second);
            }
        }
        return x;
    }

    /** Logits of a text's labels. */
    public double[] logits(int[] tokens, int separator) {
        double[] pooled = times(hidden(tokens, separator)[0], pooler);
        for (int i = 0; i < pooled.length; i++) {
            pooled[i] = Math.tanh(pooled[i]);
        }
        return times(pooled, classifier);
    }

    private double[][] attended(Layer layer, double[][] x) {
        int n = x.length;
        int width = shape.hidden / shape.heads;
        double[][] q = new double[n][];
        double[][] k = new double[n][];
        double[][] v = new double[n][];
        for (int t = 0; t < n; t++) {
            q[t] = times(x[t], layer.query);
            k[t] = times(x[t], layer.key);
            v[t] = times(x[t], layer.value);
        }
        double[][] out = new double[n][shape.hidden];
        for (int t = 0; t < n; t++) {
            for (int from = 0; from < shape.hidden; from += width) {
                double[] share = new double[n];
                double all = 0;
                for (int u = 0; u < n; u++) {
                    for (int i = from; i < from + width; i++) {
                        share[u] += q[t][i] * k[u][i];
                    }
                    share[u] = Math.exp(share[u] / Math.sqrt(width));
                    all += share[u];
                }
                for (int u = 0; u < n; u++) {
                    for (int i = from; i < from + width; i++) {
                        out[t][i] += share[u] / all * v[u][i];
                    }
                }
            }
        }
        return out;
    }

    private static double[] times(double[] x, Linear linear) {
        double[] y = new double[linear.outputs];
        for (int o = 0; o < y.length; o++) {
            y[o] = linear.bias[o];
            for (int i = 0; i < x.length; i++) {
                y[o] += x[i] * linear.weight[i * linear.outputs + o];
            }
        }
        return y;
    }

    private static double[] sum(double[] a, double[] b) {
        double[] c = a.clone();
        for (int i = 0; i < c.length; i++) {
            c[i] += b[i];
        }
        return c;
    }

    private static double[] normed(double[] x, Norm norm) {
        double mean = 0;
        for (double value : x) {
            mean += value / x.length;
        }
        double variance = 0;
        for (double value : x) {
            variance += (value - mean) * (value - mean) / x.length;
        }
        double[] y = new double[x.length];
        for (int i = 0; i < y.length; i++) {
            y[i] = (x[i] - mean) / Math.sqrt(variance + 1e-12) * norm.weight[i] + norm.bias[i];
        }
        return y;
    }

    /** By its Taylor series, which is exact enough for what comes here. */
    private static double erf(double x) {
        if (Math.abs(x) > 5) {
            return Math.signum(x);
        }
        double term = x;
        double sum = x;
        for (int n = 1; n < 200; n++) {
            term *= -x * x / n;
            sum += term / (2 * n + 1);
        }
        return 2 / Math.sqrt(Math.PI) * sum;
    }
}
