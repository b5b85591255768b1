package dev.jeton.models.reference;

import dev.jeton.models.DecoderSpec;
import java.util.Map;
import java.util.function.UnaryOperator;

/**
 * A decoder's forward pass written as plainly as its definition, in float64, independent of the engine: one position at
 * a time, whole contexts in arrays, no blocks, no batches. Rotary scaling is written anew here too.
 */
public final class ReferenceDecoder {

    private final DecoderSpec spec;
    private final Map<String, double[]> weights;
    private final double[] frequencies;
    private final double rotaryFactor;
    private final UnaryOperator<double[]> cached;

    public ReferenceDecoder(
            DecoderSpec spec, Map<String, double[]> weights, double[] frequencies, double rotaryFactor) {
        this(spec, weights, frequencies, rotaryFactor, UnaryOperator.identity());
    }

    /** With what becomes of a head of K or V when it is kept. */
    public ReferenceDecoder(
            DecoderSpec spec,
            Map<String, double[]> weights,
            double[] frequencies,
            double rotaryFactor,
            UnaryOperator<double[]> cached) {
        this.cached = cached;
        this.spec = spec;
        this.weights = weights;
        this.frequencies = frequencies;
        this.rotaryFactor = rotaryFactor;
    }

    /** Logits at every position. */
    public double[][] logits(int[] tokens) {
        int n = tokens.length;
        double[][] x = new double[n][];
        double[] embedding = weights.get("model.embed_tokens.weight");
        for (int t = 0; t < n; t++) {
            x[t] = java.util.Arrays.copyOfRange(embedding, tokens[t] * spec.hidden(), (tokens[t] + 1) * spec.hidden());
        }
        for (int layer = 0; layer < spec.layers(); layer++) {
            layer(layer, x);
        }
        double[] head = weights.get(spec.tiedEmbedding() ? "model.embed_tokens.weight" : "lm_head.weight");
        double[][] logits = new double[n][];
        for (int t = 0; t < n; t++) {
            logits[t] = times(head, norm(x[t], weights.get("model.norm.weight")), new double[0]);
        }
        return logits;
    }

    private void layer(int layer, double[][] x) {
        String name = "model.layers." + layer + ".";
        String attention = name + "self_attn.";
        int n = x.length;
        double[][] q = new double[n][];
        double[][] k = new double[n][];
        double[][] v = new double[n][];
        for (int t = 0; t < n; t++) {
            double[] in = norm(x[t], weights.get(name + "input_layernorm.weight"));
            q[t] = linear(attention + "q_proj", in);
            k[t] = linear(attention + "k_proj", in);
            v[t] = linear(attention + "v_proj", in);
            heads(q[t], t, spec.heads(), attention + "q_norm.weight");
            heads(k[t], t, spec.keyValueHeads(), attention + "k_norm.weight");
            keep(k[t]);
            keep(v[t]);
        }
        for (int t = 0; t < n; t++) {
            add(
                    x[t],
                    linear(
                            attention + "o_proj",
                            attend(q[t], k, v, t, spec.windows().get(layer))));
            double[] in = norm(x[t], weights.get(name + "post_attention_layernorm.weight"));
            double[] gate = linear(name + "mlp.gate_proj", in);
            double[] up = linear(name + "mlp.up_proj", in);
            for (int i = 0; i < gate.length; i++) {
                gate[i] = gate[i] / (1 + Math.exp(-gate[i])) * up[i];
            }
            add(x[t], linear(name + "mlp.down_proj", gate));
        }
    }

    private double[] attend(double[] q, double[][] k, double[][] v, int position, int window) {
        int d = spec.headDim();
        int perHead = spec.heads() / spec.keyValueHeads();
        double[] out = new double[spec.queryWidth()];
        int first = window == 0 ? 0 : Math.max(0, position - window + 1);
        for (int h = 0; h < spec.heads(); h++) {
            int at = h / perHead * d;
            double[] score = new double[position + 1];
            double sum = 0;
            for (int t = first; t <= position; t++) {
                for (int i = 0; i < d; i++) {
                    score[t] += q[h * d + i] * k[t][at + i];
                }
                score[t] = Math.exp(score[t] / Math.sqrt(d));
                sum += score[t];
            }
            for (int t = first; t <= position; t++) {
                for (int i = 0; i < d; i++) {
                    out[h * d + i] += score[t] / sum * v[t][at + i];
                }
            }
        }
        return out;
    }

    private void heads(double[] x, int position, int heads, String norm) {
        int d = spec.headDim();
        for (int h = 0; h < heads; h++) {
            double[] head = java.util.Arrays.copyOfRange(x, h * d, (h + 1) * d);
            if (spec.headNorms()) {
                head = norm(head, weights.get(norm));
            }
            for (int i = 0; i < d / 2; i++) {
                double angle = position * frequencies[i];
                double cos = Math.cos(angle) * rotaryFactor;
                double sin = Math.sin(angle) * rotaryFactor;
                x[h * d + i] = head[i] * cos - head[i + d / 2] * sin;
                x[h * d + i + d / 2] = head[i + d / 2] * cos + head[i] * sin;
            }
        }
    }

    private void keep(double[] x) {
        int d = spec.headDim();
        for (int at = 0; at < x.length; at += d) {
            System.arraycopy(cached.apply(java.util.Arrays.copyOfRange(x, at, at + d)), 0, x, at, d);
        }
    }

    private double[] norm(double[] x, double[] weight) {
        double sum = 0;
        for (double value : x) {
            sum += value * value;
        }
        double root = Math.sqrt(sum / x.length + spec.normEpsilon());
        double[] out = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            out[i] = x[i] / root * weight[i];
        }
        return out;
    }

    private double[] linear(String name, double[] x) {
        return times(weights.get(name + ".weight"), x, weights.getOrDefault(name + ".bias", new double[0]));
    }

    private static double[] times(double[] w, double[] x, double[] bias) {
        double[] out = new double[w.length / x.length];
        for (int n = 0; n < out.length; n++) {
            out[n] = bias.length == 0 ? 0 : bias[n];
            for (int i = 0; i < x.length; i++) {
                out[n] += w[n * x.length + i] * x[i];
            }
        }
        return out;
    }

    private static void add(double[] x, double[] y) {
        for (int i = 0; i < x.length; i++) {
            x[i] += y[i];
        }
    }
}
