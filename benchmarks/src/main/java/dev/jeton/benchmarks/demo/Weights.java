package dev.jeton.benchmarks.demo;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.random.RandomGenerator;

/**
 * A model's weights in memory, row-major f32.
 *
 * @param tensors values by Hugging Face name, in file order
 */
public record Weights(Map<String, Tensor> tensors) {

    /**
     * One weight tensor.
     *
     * @param shape sizes, outermost first
     * @param values row-major values
     */
    public record Tensor(int[] shape, float[] values) {
        public Tensor {
            int size = Arrays.stream(shape).reduce(1, Math::multiplyExact);
            if (size != values.length) {
                throw new IllegalArgumentException(values.length + " values for shape " + Arrays.toString(shape));
            }
        }
    }

    public Weights {
        tensors = new LinkedHashMap<>(tensors);
    }

    /**
     * Fresh weights: normal with deviation 0.02 to 0.06 by width, norms one, and the two projections that write to the
     * residual stream scaled down by the depth (as GPT-2 does) so that the stream does not grow with it.
     */
    public static Weights initial(ModelShape shape, long seed) {
        RandomGenerator random = new SplittableRandom(seed);
        var tensors = new LinkedHashMap<String, Tensor>();
        shape.tensors().forEach((name, sizes) -> {
            float[] values = new float[Arrays.stream(sizes).reduce(1, Math::multiplyExact)];
            if (sizes.length == 1) {
                Arrays.fill(values, 1f);
            } else {
                double deviation = name.contains("embed") ? 0.04 : 0.8 / Math.sqrt(sizes[1]);
                boolean writesResidual = name.contains("o_proj") || name.contains("down_proj");
                double scale = writesResidual ? deviation / Math.sqrt(2.0 * shape.layers()) : deviation;
                for (int i = 0; i < values.length; i++) {
                    values[i] = (float) (random.nextGaussian() * scale);
                }
            }
            tensors.put(name, new Tensor(sizes, values));
        });
        return new Weights(tensors);
    }

    /** The same weights, each rounded to the nearest bf16: what the exported file holds. */
    public Weights rounded() {
        var rounded = new LinkedHashMap<String, Tensor>();
        tensors.forEach((name, tensor) -> {
            float[] values = new float[tensor.values().length];
            for (int i = 0; i < values.length; i++) {
                values[i] = Bfloat16.toFloat(Bfloat16.fromFloat(tensor.values()[i]));
            }
            rounded.put(name, new Tensor(tensor.shape(), values));
        });
        return new Weights(rounded);
    }

    /** The tensor of that name. */
    public Tensor tensor(String name) {
        Tensor tensor = tensors.get(name);
        if (tensor == null) {
            throw new IllegalArgumentException("no weight named " + name);
        }
        return tensor;
    }
}
