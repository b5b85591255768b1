package dev.jeton.models.encoder;

import dev.jeton.models.TensorType;
import dev.jeton.models.VectorHead;
import dev.jeton.models.VectorStage;
import dev.jeton.models.VectorStage.Pooling;
import java.lang.foreign.MemorySegment;
import java.util.List;

/**
 * From a text's hidden states to its embedding, as the folder's modules or DJL's translator say. Sums are in float64,
 * so that they do not depend on how many tokens are padding.
 *
 * <p>Owned by the engine's thread.
 */
final class EncoderHead {

    private final VectorStage.Pool pool;
    private final VectorHead head;
    private final int hidden;
    private final float[] token;
    private double[] sums = new double[0];

    /**
     * Reads the weights of stages that have some.
     *
     * @param stages pooling, and what follows it
     */
    EncoderHead(List<VectorStage> stages, int hidden) {
        pool = stages.stream()
                .filter(VectorStage.Pool.class::isInstance)
                .map(VectorStage.Pool.class::cast)
                .findFirst()
                .orElse(new VectorStage.Pool(List.of(Pooling.MEAN)));
        head = VectorHead.read(stages);
        this.hidden = hidden;
        token = new float[hidden];
    }

    /**
     * The embedding of a text.
     *
     * @param states hidden states of {@code tokens} tokens, the first at element {@code first}
     */
    void embed(MemorySegment states, TensorType type, long first, int tokens, float[] target, int at) {
        double[] vector = head.of(pool(states, type, first, tokens));
        for (int i = 0; i < vector.length; i++) {
            target[at + i] = (float) vector[i];
        }
    }

    private double[] pool(MemorySegment states, TensorType type, long first, int tokens) {
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
}
