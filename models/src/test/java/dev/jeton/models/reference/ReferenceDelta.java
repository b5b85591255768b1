package dev.jeton.models.reference;

import dev.jeton.models.Delta;
import java.util.Arrays;
import java.util.Map;

/** A layer of linear attention written as plainly as its definition, in float64, one token at a time. */
final class ReferenceDelta {

    private final Delta delta;
    private final Map<String, double[]> weights;
    private final String name;
    private final double epsilon;

    /** @param name what the names of the layer's tensors begin with */
    ReferenceDelta(Delta delta, Map<String, double[]> weights, String name, double epsilon) {
        this.delta = delta;
        this.weights = weights;
        this.name = name;
        this.epsilon = epsilon;
    }

    /**
     * What goes to the output projection, of the inputs of all tokens.
     *
     * @param margins by token: the least of what was there and how clear its heads are, since a head is normalised
     *     whose terms may be next to nothing together: three times its size over that of its terms
     */
    double[][] heads(double[][] in, double[] margins) {
        int n = in.length;
        double[][] channels = new double[n][];
        for (int t = 0; t < n; t++) {
            channels[t] = channels(in[t]);
        }
        double[][] out = new double[n][delta.valuesWidth()];
        for (int head = 0; head < delta.valueHeads(); head++) {
            double[][] s = new double[delta.keyWidth()][delta.valueWidth()];
            for (int t = 0; t < n; t++) {
                double[] terms = new double[delta.valueWidth()];
                double[] o = token(s, convolved(channels, t), rates(in[t]), head, terms);
                margins[t] = Math.min(margins[t], 3 * length(o) / length(terms));
                double mean = Arrays.stream(o).map(x -> x * x).sum() / o.length;
                double[] norm = weights.get(name + "norm.weight");
                double[] z = z(in[t]);
                for (int i = 0; i < o.length; i++) {
                    int at = head * o.length + i;
                    out[t][at] = o[i] / Math.sqrt(mean + epsilon) * norm[i] * silu(z[at]);
                }
            }
        }
        return out;
    }

    private double[] token(double[][] s, double[] qkv, double[][] rates, int head, double[] terms) {
        int keyHead = delta.byTurns() ? head % delta.keyHeads() : head * delta.keyHeads() / delta.valueHeads();
        int width = delta.keyWidth();
        double[] q = unit(Arrays.copyOfRange(qkv, keyHead * width, (keyHead + 1) * width));
        int keys = delta.keysWidth() + keyHead * width;
        double[] k = unit(Arrays.copyOfRange(qkv, keys, keys + width));
        int values = 2 * delta.keysWidth() + head * delta.valueWidth();
        double rate = 1 / (1 + Math.exp(-rates[0][head]));
        double step = Math.log(1 + Math.exp(rates[1][head] + weights.get(name + "dt_bias")[head]));
        double decay = Math.exp(-Math.exp(weights.get(name + "A_log")[head]) * step);
        double[] o = new double[delta.valueWidth()];
        for (int j = 0; j < o.length; j++) {
            double known = 0;
            for (int i = 0; i < width; i++) {
                s[i][j] *= decay;
                known += s[i][j] * k[i];
            }
            for (int i = 0; i < width; i++) {
                s[i][j] += k[i] * rate * (qkv[values + j] - known);
                o[j] += s[i][j] * q[i] / Math.sqrt(width);
                terms[j] += Math.abs(s[i][j] * q[i] / Math.sqrt(width));
            }
        }
        return o;
    }

    private static double length(double[] x) {
        return Math.sqrt(Arrays.stream(x).map(v -> v * v).sum());
    }

    private static double[] unit(double[] x) {
        double length = Math.sqrt(Arrays.stream(x).map(v -> v * v).sum() + 1e-6);
        return Arrays.stream(x).map(v -> v / length).toArray();
    }

    private double[] convolved(double[][] channels, int position) {
        double[] kernel = weights.get(name + "conv1d.weight");
        int taps = delta.taps();
        double[] out = new double[delta.channels()];
        for (int c = 0; c < out.length; c++) {
            for (int tap = 0; tap < taps; tap++) {
                int t = position - taps + 1 + tap;
                out[c] += t < 0 ? 0 : kernel[c * taps + tap] * channels[t][c];
            }
            out[c] = silu(out[c]);
        }
        return out;
    }

    private static double silu(double x) {
        return x / (1 + Math.exp(-x));
    }

    private boolean byKeyHead() {
        return weights.containsKey(name + "in_proj_qkvz.weight");
    }

    /** q, k and v of all heads one after the other. */
    private double[] channels(double[] in) {
        if (!byKeyHead()) {
            return times("in_proj_qkv", in);
        }
        double[] all = times("in_proj_qkvz", in);
        int values = delta.perKeyHead() * delta.valueWidth();
        double[] out = new double[delta.channels()];
        for (int g = 0; g < delta.keyHeads(); g++) {
            int from = g * (2 * delta.keyWidth() + 2 * values);
            System.arraycopy(all, from, out, g * delta.keyWidth(), delta.keyWidth());
            int keys = delta.keysWidth() + g * delta.keyWidth();
            System.arraycopy(all, from + delta.keyWidth(), out, keys, delta.keyWidth());
            System.arraycopy(all, from + 2 * delta.keyWidth(), out, 2 * delta.keysWidth() + g * values, values);
        }
        return out;
    }

    private double[] z(double[] in) {
        if (!byKeyHead()) {
            return times("in_proj_z", in);
        }
        double[] all = times("in_proj_qkvz", in);
        int values = delta.perKeyHead() * delta.valueWidth();
        double[] out = new double[delta.valuesWidth()];
        for (int g = 0; g < delta.keyHeads(); g++) {
            int from = g * (2 * delta.keyWidth() + 2 * values) + 2 * delta.keyWidth() + values;
            System.arraycopy(all, from, out, g * values, values);
        }
        return out;
    }

    /** b, and a, of every value head. */
    private double[][] rates(double[] in) {
        if (!weights.containsKey(name + "in_proj_ba.weight")) {
            return new double[][] {times("in_proj_b", in), times("in_proj_a", in)};
        }
        double[] all = times("in_proj_ba", in);
        int each = delta.perKeyHead();
        double[][] out = new double[2][delta.valueHeads()];
        for (int g = 0; g < delta.keyHeads(); g++) {
            System.arraycopy(all, 2 * g * each, out[0], g * each, each);
            System.arraycopy(all, 2 * g * each + each, out[1], g * each, each);
        }
        return out;
    }

    private double[] times(String matrix, double[] x) {
        double[] w = weights.get(name + matrix + ".weight");
        double[] y = new double[w.length / x.length];
        for (int r = 0; r < y.length; r++) {
            for (int i = 0; i < x.length; i++) {
                y[r] += w[r * x.length + i] * x[i];
            }
        }
        return y;
    }
}
