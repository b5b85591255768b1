package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;
import static dev.jeton.models.vector.VectorMath.FLOATS;
import static dev.jeton.models.vector.VectorMath.LANES;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.vector.VectorMath;
import java.util.Arrays;
import jdk.incubator.vector.FloatVector;

/** What is done to a row of activations between matrix multiplications; all bound by the first two caches. */
final class RowKernels {

    private RowKernels() {}

    /**
     * {@code out = x / sqrt(mean(x^2) + epsilon) * weight} (Zhang, Sennrich: Root Mean Square Layer Normalization).
     *
     * @param padded elements rounded up to whole vectors; {@code x} and {@code weight} are zero past {@code count}
     * @param lanes scratch of LANES floats
     */
    static void rmsNorm(
            float[] x,
            int at,
            int count,
            int padded,
            float epsilon,
            float[] weight,
            float[] out,
            int outAt,
            float[] lanes) {
        FloatVector sum = FloatVector.zero(FLOATS);
        for (int i = 0; i < padded; i += LANES) {
            FloatVector v = FloatVector.fromArray(FLOATS, x, at + i);
            sum = v.fma(v, sum);
        }
        sum.intoArray(lanes, 0);
        float inverse = inverseRoot(VectorMath.sumTree(lanes, 0, LANES), count, epsilon);
        for (int i = 0; i < padded; i += LANES) {
            FloatVector.fromArray(FLOATS, x, at + i)
                    .mul(inverse)
                    .mul(FloatVector.fromArray(FLOATS, weight, i))
                    .intoArray(out, outAt + i);
        }
    }

    /** As {@link #rmsNorm}, in place, for a head of any even size. */
    static void headNorm(float[] x, int at, int count, float epsilon, float[] weight) {
        // two by two, and two sums of each, since a sum waits for its last
        float even = 0;
        float odd = 0;
        float otherEven = 0;
        float otherOdd = 0;
        int i = 0;
        for (; i + 4 <= count; i += 4) {
            even += x[at + i] * x[at + i];
            odd += x[at + i + 1] * x[at + i + 1];
            otherEven += x[at + i + 2] * x[at + i + 2];
            otherOdd += x[at + i + 3] * x[at + i + 3];
        }
        for (; i < count; i++) {
            even += x[at + i] * x[at + i];
        }
        float inverse = inverseRoot((even + otherEven) + (odd + otherOdd), count, epsilon);
        for (int j = 0; j < count; j++) {
            x[at + j] = x[at + j] * inverse * weight[j];
        }
    }

    private static float inverseRoot(float sumOfSquares, int count, float epsilon) {
        return (float) (1 / Math.sqrt(sumOfSquares / count + epsilon));
    }

    /**
     * Turns the pairs (i, i + half) of a head by the angles given as cosines and sines, and multiplies by {@code scale}
     * (Su et al., RoFormer; the half-split arrangement of Hugging Face checkpoints).
     */
    static void rotate(float[] x, int at, int half, float[] cosines, float[] sines, int angleAt, float scale) {
        for (int i = 0; i < half; i++) {
            float a = x[at + i];
            float b = x[at + half + i];
            float c = cosines[angleAt + i];
            float s = sines[angleAt + i];
            x[at + i] = (a * c - b * s) * scale;
            x[at + half + i] = (b * c + a * s) * scale;
        }
    }

    /** The same of the pairs (2 i, 2 i + 1). */
    static void rotatePairs(float[] x, int at, int pairs, float[] cosines, float[] sines, int angleAt, float scale) {
        for (int i = 0; i < pairs; i++) {
            float a = x[at + 2 * i];
            float b = x[at + 2 * i + 1];
            float c = cosines[angleAt + i];
            float s = sines[angleAt + i];
            x[at + 2 * i] = (a * c - b * s) * scale;
            x[at + 2 * i + 1] = (b * c + a * s) * scale;
        }
    }

    /** No biases. */
    static final float[] NO_BIAS = {};

    /** What a tile's sums begin with: a panel of rows that are {@code stride} apart, the first at {@code from}. */
    static void copyIn(float[] x, int from, int stride, int rows, float[] tile) {
        for (int r = 0; r < rows; r++) {
            System.arraycopy(x, from + r * stride, tile, r * PANEL, PANEL);
        }
    }

    /** What a tile's sums begin with: a panel's biases, or zeros where there are none. */
    static void fillBias(float[] bias, int panel, int rows, float[] tile) {
        if (bias.length == 0) {
            Arrays.fill(tile, 0, rows * PANEL, 0);
            return;
        }
        for (int r = 0; r < rows; r++) {
            System.arraycopy(bias, panel * PANEL, tile, r * PANEL, PANEL);
        }
    }

    /** Copies a tile's sums to rows of outputs. */
    static void copyOut(float[] tile, int rows, float[] target, int at, int stride) {
        copyOut(tile, rows, PANEL, target, at, stride);
    }

    /** The same of the first {@code count} columns. */
    static void copyOut(float[] tile, int rows, int count, float[] target, int at, int stride) {
        for (int r = 0; r < rows; r++) {
            System.arraycopy(tile, r * PANEL, target, at + r * stride, count);
        }
    }

    /**
     * {@code out[r][i] = activation(tile[r][i]) * tile[r][PANEL / 2 + i]} for half a panel of outputs, or what is in
     * its place with {@link DecoderSpec.Activation#CLAMPED_SWIGLU}.
     */
    static void gate(DecoderSpec.Activation activation, float[] tile, int rows, float[] out, int outAt, int stride) {
        switch (activation) {
            case SILU -> gateSilu(tile, rows, out, outAt, stride);
            case GELU_TANH -> gateGelu(tile, rows, out, outAt, stride);
            case CLAMPED_SWIGLU -> gateClamped(tile, rows, out, outAt, stride);
        }
    }

    // A loop of its own for each: of a choice within one the compiler takes in what was chosen so far, and calls the
    // rest.

    private static void gateSilu(float[] tile, int rows, float[] out, int outAt, int stride) {
        for (int r = 0; r < rows; r++) {
            for (int i = 0; i < PANEL / 2; i += LANES) {
                FloatVector gate = FloatVector.fromArray(FLOATS, tile, r * PANEL + i);
                FloatVector up = FloatVector.fromArray(FLOATS, tile, r * PANEL + PANEL / 2 + i);
                VectorMath.silu(gate).mul(up).intoArray(out, outAt + r * stride + i);
            }
        }
    }

    private static void gateGelu(float[] tile, int rows, float[] out, int outAt, int stride) {
        for (int r = 0; r < rows; r++) {
            for (int i = 0; i < PANEL / 2; i += LANES) {
                FloatVector gate = FloatVector.fromArray(FLOATS, tile, r * PANEL + i);
                FloatVector up = FloatVector.fromArray(FLOATS, tile, r * PANEL + PANEL / 2 + i);
                VectorMath.geluTanh(gate).mul(up).intoArray(out, outAt + r * stride + i);
            }
        }
    }

    private static void gateClamped(float[] tile, int rows, float[] out, int outAt, int stride) {
        float limit = DecoderSpec.Activation.CLAMP_LIMIT;
        float alpha = DecoderSpec.Activation.CLAMP_ALPHA;
        for (int r = 0; r < rows; r++) {
            for (int i = 0; i < PANEL / 2; i += LANES) {
                FloatVector gate =
                        FloatVector.fromArray(FLOATS, tile, r * PANEL + i).min(limit);
                FloatVector up = FloatVector.fromArray(FLOATS, tile, r * PANEL + PANEL / 2 + i)
                        .min(limit)
                        .max(-limit);
                // not by VectorMath.silu: what is called from two places is not always compiled into both
                FloatVector inverse = VectorMath.exp(gate.mul(-alpha)).add(1f);
                gate.div(inverse).mul(up.add(1f)).intoArray(out, outAt + r * stride + i);
            }
        }
    }

    /** {@code x += weight * y}, of whole vectors. */
    static void addScaled(float[] x, int at, int padded, float weight, float[] y, int yAt) {
        FloatVector factor = FloatVector.broadcast(FLOATS, weight);
        for (int i = 0; i < padded; i += LANES) {
            FloatVector.fromArray(FLOATS, y, yAt + i)
                    .fma(factor, FloatVector.fromArray(FLOATS, x, at + i))
                    .intoArray(x, at + i);
        }
    }

    /** Multiplies {@code count} values by {@code factor}. */
    static void scale(float[] x, int at, int count, float factor) {
        for (int i = at; i < at + count; i++) {
            x[i] *= factor;
        }
    }

    /** Replaces {@code count} values, of whole vectors, by {@code cap * tanh(x / cap)}. */
    static void cap(float[] x, int at, int count, float cap) {
        for (int i = at; i < at + count; i += LANES) {
            VectorMath.tanh(FloatVector.fromArray(FLOATS, x, i).div(cap))
                    .mul(cap)
                    .intoArray(x, i);
        }
    }
}
