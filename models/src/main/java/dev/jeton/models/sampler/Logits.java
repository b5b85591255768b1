package dev.jeton.models.sampler;

import static dev.jeton.models.vector.VectorMath.FLOATS;
import static dev.jeton.models.vector.VectorMath.LANES;

import dev.jeton.models.vector.VectorMath;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * Vectorised passes over one row of logits. Each is measured against reading the row once: 128 KB at a vocabulary of
 * 32,000, which the L2 cache delivers in about 2 microseconds.
 */
final class Logits {

    /** Elements summed into one double; sums of chunks are added in order. */
    static final int CHUNK = 1024;

    private Logits() {}

    /** The greatest value, or NaN if any value is NaN. */
    static float max(float[] logits, int offset, int count) {
        FloatVector best = FloatVector.broadcast(FLOATS, Float.NEGATIVE_INFINITY);
        FloatVector second = best;
        VectorMask<Float> broken = FLOATS.maskAll(false);
        int i = 0;
        for (; i <= count - 2 * LANES; i += 2 * LANES) {
            FloatVector a = FloatVector.fromArray(FLOATS, logits, offset + i);
            FloatVector b = FloatVector.fromArray(FLOATS, logits, offset + i + LANES);
            broken = broken.or(a.compare(VectorOperators.NE, a)).or(b.compare(VectorOperators.NE, b));
            best = best.blend(a, a.compare(VectorOperators.GT, best));
            second = second.blend(b, b.compare(VectorOperators.GT, second));
        }
        if (broken.anyTrue()) {
            return Float.NaN;
        }
        float max = best.max(second).reduceLanes(VectorOperators.MAX);
        for (; i < count; i++) {
            float value = logits[offset + i];
            if (Float.isNaN(value)) {
                return Float.NaN;
            }
            max = Math.max(max, value);
        }
        return max;
    }

    /** The lowest index of {@code value}, or -1. */
    static int indexOf(float value, float[] logits, int offset, int count) {
        int i = 0;
        for (; i <= count - LANES; i += LANES) {
            VectorMask<Float> equal =
                    FloatVector.fromArray(FLOATS, logits, offset + i).compare(VectorOperators.EQ, value);
            if (equal.anyTrue()) {
                return i + equal.firstTrue();
            }
        }
        for (; i < count; i++) {
            if (logits[offset + i] == value) {
                return i;
            }
        }
        return -1;
    }

    /**
     * Writes e^((logit - max) * inverseTemperature) to {@code weights} and the sum of each {@link #CHUNK} to
     * {@code sums}; returns the sum of all.
     *
     * @param weights of at least {@code count} rounded up to {@link VectorMath#LANES}; zero past {@code count}
     */
    static double weights(
            float[] logits,
            int offset,
            int count,
            float max,
            float inverseTemperature,
            float[] weights,
            double[] sums) {
        double total = 0;
        for (int chunk = 0, from = 0; from < count; chunk++, from += CHUNK) {
            int to = Math.min(count, from + CHUNK);
            double sum = chunkWeights(logits, offset, from, to, max, inverseTemperature, weights);
            sums[chunk] = sum;
            total += sum;
        }
        return total;
    }

    private static double chunkWeights(
            float[] logits, int offset, int from, int to, float max, float inverseTemperature, float[] weights) {
        FloatVector sum = FloatVector.zero(FLOATS);
        int i = from;
        for (; i <= to - LANES; i += LANES) {
            FloatVector w = weight(FloatVector.fromArray(FLOATS, logits, offset + i), max, inverseTemperature);
            w.intoArray(weights, i);
            sum = sum.add(w);
        }
        if (i < to) {
            VectorMask<Float> inside = FLOATS.indexInRange(i, to);
            FloatVector tail = FloatVector.fromArray(FLOATS, logits, offset + i, inside);
            FloatVector w = FloatVector.zero(FLOATS).blend(weight(tail, max, inverseTemperature), inside);
            w.intoArray(weights, i);
            sum = sum.add(w);
        }
        double total = 0;
        for (int lane = 0; lane < LANES; lane++) {
            total += sum.lane(lane);
        }
        return total;
    }

    private static FloatVector weight(FloatVector logits, float max, float inverseTemperature) {
        return VectorMath.exp(logits.sub(max).mul(inverseTemperature));
    }

    /** Index of the first element above {@code bound} from {@code from} on, or {@code count}. */
    static int nextAbove(float bound, float[] values, int offset, int from, int count) {
        int i = from;
        for (; i <= count - LANES; i += LANES) {
            VectorMask<Float> above =
                    FloatVector.fromArray(FLOATS, values, offset + i).compare(VectorOperators.GT, bound);
            if (above.anyTrue()) {
                return i + above.firstTrue();
            }
        }
        for (; i < count; i++) {
            if (values[offset + i] > bound) {
                return i;
            }
        }
        return count;
    }
}
