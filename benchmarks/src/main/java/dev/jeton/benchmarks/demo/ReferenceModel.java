package dev.jeton.benchmarks.demo;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The Llama forward pass in plain Java, one token at a time, for evaluation.
 *
 * <p>Written apart from {@link DemoModel} on purpose: the figures of a model card come from the exported weights
 * through code that shares only {@link RotaryAngles} with it, so a mistake in either shows as a bad figure.
 */
public final class ReferenceModel {
    private final ModelShape shape;
    private final float[] embedding;
    private final float[] unembedding;
    private final float[] finalNorm;
    private final List<Layer> layers = new ArrayList<>();

    /** One block's weights, matrices transposed so that the inner loop runs over outputs and vectorises. */
    private record Layer(
            float[] attentionNorm,
            float[] query,
            float[] key,
            float[] value,
            float[] output,
            float[] mlpNorm,
            float[] gate,
            float[] up,
            float[] down) {}

    public ReferenceModel(ModelShape shape, Weights weights) {
        this.shape = shape;
        this.embedding = weights.tensor("model.embed_tokens.weight").values();
        this.unembedding = transposed(weights, "model.embed_tokens.weight");
        this.finalNorm = weights.tensor("model.norm.weight").values();
        for (int i = 0; i < shape.layers(); i++) {
            String prefix = "model.layers." + i + ".";
            layers.add(new Layer(
                    weights.tensor(prefix + "input_layernorm.weight").values(),
                    transposed(weights, prefix + "self_attn.q_proj.weight"),
                    transposed(weights, prefix + "self_attn.k_proj.weight"),
                    transposed(weights, prefix + "self_attn.v_proj.weight"),
                    transposed(weights, prefix + "self_attn.o_proj.weight"),
                    weights.tensor(prefix + "post_attention_layernorm.weight").values(),
                    transposed(weights, prefix + "mlp.gate_proj.weight"),
                    transposed(weights, prefix + "mlp.up_proj.weight"),
                    transposed(weights, prefix + "mlp.down_proj.weight")));
        }
    }

    /** One sequence's keys and values, position after position. */
    public final class Session {
        private final float[][] keys = new float[shape.layers()][shape.context() * shape.keyValueWidth()];
        private final float[][] values = new float[shape.layers()][shape.context() * shape.keyValueWidth()];
        private int position;

        /** Takes the next token and returns the logits of what follows it. */
        public float[] accept(int token) {
            if (position == shape.context()) {
                throw new IllegalStateException("the context of " + shape.context() + " tokens is full");
            }
            int hidden = shape.hidden();
            float[] stream = Arrays.copyOfRange(embedding, token * hidden, (token + 1) * hidden);
            for (int i = 0; i < layers.size(); i++) {
                Layer layer = layers.get(i);
                add(stream, attention(layer, i, norm(stream, layer.attentionNorm())));
                float[] normed = norm(stream, layer.mlpNorm());
                float[] gate = multiply(normed, layer.gate());
                float[] up = multiply(normed, layer.up());
                for (int j = 0; j < gate.length; j++) {
                    gate[j] = (float) (gate[j] / (1 + Math.exp(-gate[j]))) * up[j];
                }
                add(stream, multiply(gate, layer.down()));
            }
            position++;
            return multiply(norm(stream, finalNorm), unembedding);
        }

        private float[] attention(Layer layer, int index, float[] x) {
            int width = shape.headDim();
            int stride = shape.keyValueWidth();
            float[] query = multiply(x, layer.query());
            float[] key = multiply(x, layer.key());
            rotate(query);
            rotate(key);
            System.arraycopy(key, 0, keys[index], position * stride, stride);
            System.arraycopy(multiply(x, layer.value()), 0, values[index], position * stride, stride);
            float[] mixed = new float[shape.queryWidth()];
            int group = shape.heads() / shape.keyValueHeads();
            for (int head = 0; head < shape.heads(); head++) {
                int offset = head / group * width;
                float[] scores = new float[position + 1];
                for (int t = 0; t <= position; t++) {
                    float dot = 0;
                    for (int d = 0; d < width; d++) {
                        dot += query[head * width + d] * keys[index][t * stride + offset + d];
                    }
                    scores[t] = (float) (dot / Math.sqrt(width));
                }
                double[] shares = softmax(scores);
                for (int t = 0; t <= position; t++) {
                    float share = (float) shares[t];
                    for (int d = 0; d < width; d++) {
                        mixed[head * width + d] += share * values[index][t * stride + offset + d];
                    }
                }
            }
            return multiply(mixed, layer.output());
        }

        private void rotate(float[] heads) {
            int width = shape.headDim();
            int half = width / 2;
            for (int start = 0; start < heads.length; start += width) {
                for (int i = 0; i < half; i++) {
                    double angle = position * RotaryAngles.frequency(i, width);
                    float cosine = (float) Math.cos(angle);
                    float sine = (float) Math.sin(angle);
                    float first = heads[start + i];
                    float second = heads[start + half + i];
                    heads[start + i] = first * cosine - second * sine;
                    heads[start + half + i] = second * cosine + first * sine;
                }
            }
        }
    }

    /** A fresh sequence. */
    public Session session() {
        return new Session();
    }

    /** The greedy continuation of a prompt, up to the end token (left out) or the limit. */
    public int[] greedy(int[] prompt, int endToken, int maxTokens) {
        Session session = session();
        float[] logits = new float[0];
        for (int token : prompt) {
            logits = session.accept(token);
        }
        int[] out = new int[maxTokens];
        for (int length = 0; length < maxTokens; length++) {
            int token = argmax(logits);
            if (token == endToken) {
                return Arrays.copyOf(out, length);
            }
            out[length] = token;
            logits = session.accept(token);
        }
        return out;
    }

    /** The negative log-likelihood in nats of a target under logits. */
    public static double loss(float[] logits, int target) {
        return -Math.log(Math.max(softmax(logits)[target], 1e-30));
    }

    private static double[] softmax(float[] logits) {
        double max = Double.NEGATIVE_INFINITY;
        for (float logit : logits) {
            max = Math.max(max, logit);
        }
        double[] shares = new double[logits.length];
        double sum = 0;
        for (int i = 0; i < logits.length; i++) {
            shares[i] = Math.exp(logits[i] - max);
            sum += shares[i];
        }
        for (int i = 0; i < shares.length; i++) {
            shares[i] /= sum;
        }
        return shares;
    }

    private static int argmax(float[] values) {
        int best = 0;
        for (int i = 1; i < values.length; i++) {
            best = values[i] > values[best] ? i : best;
        }
        return best;
    }

    private static float[] norm(float[] x, float[] gain) {
        double squares = 0;
        for (float value : x) {
            squares += value * value;
        }
        double scale = 1 / Math.sqrt(squares / x.length + ModelShape.NORM_EPSILON);
        float[] out = new float[x.length];
        for (int i = 0; i < x.length; i++) {
            out[i] = (float) (x[i] * scale) * gain[i];
        }
        return out;
    }

    private static void add(float[] to, float[] from) {
        for (int i = 0; i < to.length; i++) {
            to[i] += from[i];
        }
    }

    /** x times a matrix stored input-major. */
    private static float[] multiply(float[] x, float[] matrix) {
        int outputs = matrix.length / x.length;
        float[] out = new float[outputs];
        for (int i = 0; i < x.length; i++) {
            float scale = x[i];
            int row = i * outputs;
            for (int j = 0; j < outputs; j++) {
                out[j] += scale * matrix[row + j];
            }
        }
        return out;
    }

    private static float[] transposed(Weights weights, String name) {
        Weights.Tensor tensor = weights.tensor(name);
        int outputs = tensor.shape()[0];
        int inputs = tensor.shape()[1];
        float[] out = new float[outputs * inputs];
        for (int o = 0; o < outputs; o++) {
            for (int i = 0; i < inputs; i++) {
                out[i * outputs + o] = tensor.values()[o * inputs + i];
            }
        }
        return out;
    }
}
