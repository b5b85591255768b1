package dev.jeton.benchmarks.demo;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;

/**
 * AdamW (Loshchilov and Hutter, 2019) with clipping of the global gradient norm.
 *
 * <p>Weight decay applies to matrices only: pulling a norm's gain towards zero would shrink the stream it scales.
 */
final class AdamW {
    private static final float BETA_1 = 0.9f;
    private static final float BETA_2 = 0.98f;
    private static final float EPSILON = 1e-8f;

    private final List<Moments> parameters = new ArrayList<>();
    private final float weightDecay;
    private final float clipNorm;
    private int steps;

    private record Moments(NDArray parameter, NDArray mean, NDArray variance) {}

    /** An optimiser of these arrays; the manager owns its moments. */
    AdamW(NDManager manager, Collection<NDArray> parameters, float weightDecay, float clipNorm) {
        this.weightDecay = weightDecay;
        this.clipNorm = clipNorm;
        for (NDArray parameter : parameters) {
            this.parameters.add(
                    new Moments(parameter, manager.zeros(parameter.getShape()), manager.zeros(parameter.getShape())));
        }
    }

    /**
     * Applies the gradients that the last backward pass left.
     *
     * @param learningRate the step size before bias correction
     */
    void update(float learningRate) {
        steps++;
        List<NDArray> gradients = parameters.stream()
                .map(moments -> moments.parameter().getGradient())
                .toList();
        float norm = norm(gradients);
        float scale = norm > clipNorm ? clipNorm / norm : 1f;
        double correction = Math.sqrt(1 - Math.pow(BETA_2, steps)) / (1 - Math.pow(BETA_1, steps));
        for (int i = 0; i < gradients.size(); i++) {
            Moments moments = parameters.get(i);
            boolean matrix = moments.parameter().getShape().dimension() > 1;
            gradients
                    .get(i)
                    .getNDArrayInternal()
                    .adamUpdate(
                            new NDList(moments.parameter(), gradients.get(i), moments.mean(), moments.variance()),
                            new NDList(moments.parameter()),
                            learningRate,
                            (float) (learningRate * correction),
                            matrix ? weightDecay : 0f,
                            scale,
                            -1f,
                            BETA_1,
                            BETA_2,
                            EPSILON,
                            false,
                            true);
        }
    }

    private float norm(List<NDArray> gradients) {
        double squares = 0;
        for (NDArray gradient : gradients) {
            squares += gradient.square().sum().toFloatArray()[0];
        }
        float norm = (float) Math.sqrt(squares);
        if (!Float.isFinite(norm)) {
            throw new IllegalStateException("the gradient is not finite at step " + steps);
        }
        return norm;
    }
}
