package dev.jeton.benchmarks.demo;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.ndarray.types.SparseFormat;
import ai.djl.nn.Activation;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/**
 * The Llama forward pass in DJL's array operations, differentiable, for training.
 *
 * <p>Sequences of a batch all have the same padded length; padding is on the right, so the causal mask alone keeps it
 * out of every real position, and its loss weight is zero.
 *
 * <p>No operation here takes a plain number: DJL wraps one in an array over Java memory and lets go of it at once,
 * while autograd still needs it for the backward pass, so that a garbage collection in between corrupts gradients.
 * Constants are arrays that outlive the step instead.
 */
final class DemoModel {
    private final ModelShape shape;
    private final Map<String, NDArray> parameters = new LinkedHashMap<>();
    private final NDArray halfRotation;
    private final NDArray epsilon;
    private final NDArray scoreScale;

    /** Copies the weights into arrays of the manager, which owns them from here on. */
    DemoModel(NDManager manager, ModelShape shape, Weights weights) {
        this.shape = shape;
        weights.tensors().forEach((name, tensor) -> {
            long[] sizes = Arrays.stream(tensor.shape()).asLongStream().toArray();
            NDArray parameter = manager.create(tensor.values(), new Shape(sizes));
            parameter.setRequiresGradient(true);
            parameters.put(name, parameter);
        });
        this.halfRotation = manager.create(halfRotation(shape.headDim()), new Shape(shape.headDim(), shape.headDim()));
        this.epsilon = manager.create(new float[] {ModelShape.NORM_EPSILON});
        this.scoreScale = manager.create(new float[] {(float) (1 / Math.sqrt(shape.headDim()))});
    }

    /** The trainable arrays by name. */
    Map<String, NDArray> parameters() {
        return parameters;
    }

    private NDArray parameter(String name) {
        return Objects.requireNonNull(parameters.get(name), name);
    }

    /** The current weights, copied out. */
    Weights weights() {
        var tensors = new LinkedHashMap<String, Weights.Tensor>();
        shape.tensors()
                .forEach((name, sizes) -> tensors.put(
                        name, new Weights.Tensor(sizes, parameter(name).toFloatArray())));
        return new Weights(tensors);
    }

    /**
     * The weighted mean cross-entropy of a batch in nats.
     *
     * @param manager owns the arrays made on the way
     */
    NDArray loss(NDManager manager, Batch batch) {
        int rows = batch.rows();
        int length = batch.length();
        NDArray ids = manager.create(batch.inputs(), new Shape(rows, length));
        NDArray targets = manager.create(batch.targets(), new Shape((long) rows * length, 1));
        NDArray lossWeights = manager.create(batch.weights(), new Shape((long) rows * length, 1));
        NDArray logits = logits(manager, ids, rows, length);
        NDArray likelihood = logits.logSoftmax(-1).gather(targets, 1);
        NDArray total = manager.create(new float[] {-batch.weightSum()});
        return likelihood.mul(lossWeights).sum().div(total).sum();
    }

    private NDArray logits(NDManager manager, NDArray ids, int rows, int length) {
        NDArray embedding = parameter("model.embed_tokens.weight");
        NDArray stream = ids.getNDArrayInternal()
                .embedding(ids, embedding, SparseFormat.DENSE)
                .singletonOrThrow()
                .reshape((long) rows * length, shape.hidden());
        Positions positions = positions(manager, length);
        for (int layer = 0; layer < shape.layers(); layer++) {
            String prefix = "model.layers." + layer + ".";
            NDArray normed = norm(stream, prefix + "input_layernorm.weight");
            stream = stream.add(attention(normed, prefix + "self_attn.", positions, rows, length));
            normed = norm(stream, prefix + "post_attention_layernorm.weight");
            stream = stream.add(feedForward(normed, prefix + "mlp."));
        }
        return norm(stream, "model.norm.weight").matMul(embedding.transpose());
    }

    private NDArray norm(NDArray x, String weight) {
        NDArray scale = x.square().mean(new int[] {-1}, true).add(epsilon).sqrt();
        return x.div(scale).mul(parameter(weight));
    }

    private NDArray linear(NDArray x, String weight) {
        return x.matMul(parameter(weight).transpose());
    }

    private NDArray feedForward(NDArray x, String prefix) {
        NDArray gate = linear(x, prefix + "gate_proj.weight");
        NDArray activated = gate.mul(Activation.sigmoid(gate));
        return linear(activated.mul(linear(x, prefix + "up_proj.weight")), prefix + "down_proj.weight");
    }

    private NDArray attention(NDArray x, String prefix, Positions positions, int rows, int length) {
        int group = shape.heads() / shape.keyValueHeads();
        int kv = shape.keyValueHeads();
        int width = shape.headDim();
        NDArray query = rotate(
                        linear(x, prefix + "q_proj.weight").reshape(rows, length, shape.heads(), width), positions)
                .reshape(rows, length, kv, group, width)
                .transpose(0, 2, 3, 1, 4)
                .reshape(rows, kv, (long) group * length, width);
        NDArray keys = rotate(linear(x, prefix + "k_proj.weight").reshape(rows, length, kv, width), positions)
                .transpose(0, 2, 3, 1);
        NDArray values = linear(x, prefix + "v_proj.weight")
                .reshape(rows, length, kv, width)
                .transpose(0, 2, 1, 3);
        NDArray scores = query.matMul(keys)
                .mul(scoreScale)
                .reshape(rows, kv, group, length, length)
                .add(positions.mask());
        return linear(
                scores.softmax(-1)
                        .reshape(rows, kv, (long) group * length, length)
                        .matMul(values)
                        .reshape(rows, kv, group, length, width)
                        .transpose(0, 3, 1, 2, 4)
                        .reshape((long) rows * length, shape.queryWidth()),
                prefix + "o_proj.weight");
    }

    private NDArray rotate(NDArray heads, Positions positions) {
        return heads.mul(positions.cosine()).add(heads.matMul(halfRotation).mul(positions.sine()));
    }

    private record Positions(NDArray cosine, NDArray sine, NDArray mask) {}

    private Positions positions(NDManager manager, int length) {
        int width = shape.headDim();
        float[] cosine = new float[length * width];
        float[] sine = new float[length * width];
        float[] mask = new float[length * length];
        for (int position = 0; position < length; position++) {
            for (int i = 0; i < width; i++) {
                double angle = position * RotaryAngles.frequency(i % (width / 2), width);
                cosine[position * width + i] = (float) Math.cos(angle);
                sine[position * width + i] = (float) Math.sin(angle);
            }
            Arrays.fill(mask, position * length + position + 1, (position + 1) * length, -1e9f);
        }
        Shape angles = new Shape(1, length, 1, width);
        return new Positions(
                manager.create(cosine, angles),
                manager.create(sine, angles),
                manager.create(mask, new Shape(1, 1, 1, length, length)));
    }

    /** The matrix R with x R = (-second half, first half) of x: the rotary swap as one cheap product. */
    private static float[] halfRotation(int width) {
        float[] matrix = new float[width * width];
        int half = width / 2;
        for (int i = 0; i < half; i++) {
            matrix[(i + half) * width + i] = -1f;
            matrix[i * width + i + half] = 1f;
        }
        return matrix;
    }
}
