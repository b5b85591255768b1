package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.NativeMemory.ALL;
import static dev.jeton.models.vector.VectorMath.FLOATS;
import static dev.jeton.models.vector.VectorMath.LANES;

import dev.jeton.models.vector.VectorMath;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;

/**
 * The arithmetic of a head of linear attention ({@link dev.jeton.models.Delta}). A token reads the head's matrix twice
 * and writes it once, 64 KB of a head of 128 by 128: within the second cache, and 7 operations an element.
 */
final class DeltaKernels {

    private static final ByteOrder LITTLE = ByteOrder.LITTLE_ENDIAN;

    private DeltaKernels() {}

    /**
     * Each channel's sum over tokens, through SiLU.
     *
     * @param weights {@code [taps][width]}, the oldest token's first
     * @param window projections of {@code taps} tokens, {@code [taps][width]}, a ring
     * @param oldest which of its rows is the oldest token's
     * @param width of whole vectors
     */
    static void convolve(float[] weights, int weightsAt, float[] window, int oldest, int taps, int width, float[] out) {
        for (int i = 0; i < width; i += LANES) {
            FloatVector sum = FloatVector.zero(FLOATS);
            int row = oldest;
            for (int tap = 0; tap < taps; tap++) {
                FloatVector w = FloatVector.fromArray(FLOATS, weights, weightsAt + tap * width + i);
                sum = FloatVector.fromArray(FLOATS, window, row * width + i).fma(w, sum);
                row = row + 1 < taps ? row + 1 : 0;
            }
            VectorMath.silu(sum).intoArray(out, i);
        }
    }

    /** Divides {@code count} elements by the root of the sum of their squares and epsilon, and multiplies them. */
    static void unit(float[] x, int at, int count, float epsilon, float factor) {
        float even = 0;
        float odd = 0;
        for (int i = 0; i + 1 < count; i += 2) {
            even += x[at + i] * x[at + i];
            odd += x[at + i + 1] * x[at + i + 1];
        }
        if (count % 2 == 1) {
            even += x[at + count - 1] * x[at + count - 1];
        }
        RowKernels.scale(x, at, count, (float) (factor / Math.sqrt(even + odd + epsilon)));
    }

    /**
     * A token through the matrix S: {@code S = decay S}, {@code S = S + k (rate (v - S^T k))^T}, {@code out = S^T q}.
     *
     * @param matrix address of S, {@code keys} rows of {@code columns}
     * @param x q from {@code queryAt}, k from {@code keyAt}, v from {@code valueAt} on
     * @param columns of whole vectors
     */
    static void update(
            long matrix,
            int keys,
            int columns,
            float[] x,
            int queryAt,
            int keyAt,
            int valueAt,
            float decay,
            float rate,
            float[] out) {
        int i = 0;
        for (; i + 4 * LANES <= columns; i += 4 * LANES) {
            four(matrix + 4L * i, keys, columns, x, queryAt, keyAt, valueAt + i, decay, rate, out, i);
        }
        for (; i < columns; i += LANES) {
            one(matrix + 4L * i, keys, columns, x, queryAt, keyAt, valueAt + i, decay, rate, out, i);
        }
    }

    private static void one(
            long matrix,
            int keys,
            int columns,
            float[] x,
            int queryAt,
            int keyAt,
            int valueAt,
            float decay,
            float rate,
            float[] out,
            int outAt) {
        FloatVector known = FloatVector.zero(FLOATS);
        long at = matrix;
        for (int r = 0; r < keys; r++, at += 4L * columns) {
            known = FloatVector.fromMemorySegment(FLOATS, ALL, at, LITTLE)
                    .fma(FloatVector.broadcast(FLOATS, x[keyAt + r]), known);
        }
        FloatVector more =
                FloatVector.fromArray(FLOATS, x, valueAt).sub(known.mul(decay)).mul(rate);
        FloatVector sum = FloatVector.zero(FLOATS);
        at = matrix;
        for (int r = 0; r < keys; r++, at += 4L * columns) {
            FloatVector s = more.fma(
                    FloatVector.broadcast(FLOATS, x[keyAt + r]),
                    FloatVector.fromMemorySegment(FLOATS, ALL, at, LITTLE).mul(decay));
            s.intoMemorySegment(ALL, at, LITTLE);
            sum = s.fma(FloatVector.broadcast(FLOATS, x[queryAt + r]), sum);
        }
        sum.intoArray(out, outAt);
    }

    /** Four vectors of columns: a sum would wait for its last. */
    private static void four(
            long matrix,
            int keys,
            int columns,
            float[] x,
            int queryAt,
            int keyAt,
            int valueAt,
            float decay,
            float rate,
            float[] out,
            int outAt) {
        long step = 4L * LANES;
        FloatVector a = FloatVector.zero(FLOATS);
        FloatVector b = a;
        FloatVector c = a;
        FloatVector d = a;
        long at = matrix;
        for (int r = 0; r < keys; r++, at += 4L * columns) {
            FloatVector k = FloatVector.broadcast(FLOATS, x[keyAt + r]);
            a = FloatVector.fromMemorySegment(FLOATS, ALL, at, LITTLE).fma(k, a);
            b = FloatVector.fromMemorySegment(FLOATS, ALL, at + step, LITTLE).fma(k, b);
            c = FloatVector.fromMemorySegment(FLOATS, ALL, at + 2 * step, LITTLE)
                    .fma(k, c);
            d = FloatVector.fromMemorySegment(FLOATS, ALL, at + 3 * step, LITTLE)
                    .fma(k, d);
        }
        a = FloatVector.fromArray(FLOATS, x, valueAt).sub(a.mul(decay)).mul(rate);
        b = FloatVector.fromArray(FLOATS, x, valueAt + LANES).sub(b.mul(decay)).mul(rate);
        c = FloatVector.fromArray(FLOATS, x, valueAt + 2 * LANES)
                .sub(c.mul(decay))
                .mul(rate);
        d = FloatVector.fromArray(FLOATS, x, valueAt + 3 * LANES)
                .sub(d.mul(decay))
                .mul(rate);
        FloatVector sumA = FloatVector.zero(FLOATS);
        FloatVector sumB = sumA;
        FloatVector sumC = sumA;
        FloatVector sumD = sumA;
        at = matrix;
        for (int r = 0; r < keys; r++, at += 4L * columns) {
            FloatVector k = FloatVector.broadcast(FLOATS, x[keyAt + r]);
            FloatVector q = FloatVector.broadcast(FLOATS, x[queryAt + r]);
            FloatVector s = a.fma(
                    k, FloatVector.fromMemorySegment(FLOATS, ALL, at, LITTLE).mul(decay));
            s.intoMemorySegment(ALL, at, LITTLE);
            sumA = s.fma(q, sumA);
            s = b.fma(
                    k,
                    FloatVector.fromMemorySegment(FLOATS, ALL, at + step, LITTLE)
                            .mul(decay));
            s.intoMemorySegment(ALL, at + step, LITTLE);
            sumB = s.fma(q, sumB);
            s = c.fma(
                    k,
                    FloatVector.fromMemorySegment(FLOATS, ALL, at + 2 * step, LITTLE)
                            .mul(decay));
            s.intoMemorySegment(ALL, at + 2 * step, LITTLE);
            sumC = s.fma(q, sumC);
            s = d.fma(
                    k,
                    FloatVector.fromMemorySegment(FLOATS, ALL, at + 3 * step, LITTLE)
                            .mul(decay));
            s.intoMemorySegment(ALL, at + 3 * step, LITTLE);
            sumD = s.fma(q, sumD);
        }
        sumA.intoArray(out, outAt);
        sumB.intoArray(out, outAt + LANES);
        sumC.intoArray(out, outAt + 2 * LANES);
        sumD.intoArray(out, outAt + 3 * LANES);
    }

    /**
     * {@code x = x / sqrt(mean(x^2) + epsilon) * weight * SiLU(z)}, all of whole vectors that are zero past
     * {@code count}.
     *
     * @param lanes scratch of LANES floats
     */
    static void gatedNorm(float[] x, int count, int padded, float epsilon, float[] weight, float[] z, float[] lanes) {
        RowKernels.rmsNorm(x, 0, count, padded, epsilon, weight, x, 0, lanes);
        for (int i = 0; i < padded; i += LANES) {
            FloatVector gate = VectorMath.silu(FloatVector.fromArray(FLOATS, z, i));
            FloatVector.fromArray(FLOATS, x, i).mul(gate).intoArray(x, i);
        }
    }

    /** {@code x = x / (1 + e^-gate)} of {@code count} elements. */
    static void gate(float[] x, int at, float[] gate, int gateAt, int count) {
        for (int i = 0; i < count; i += LANES) {
            var there = FLOATS.indexInRange(i, count);
            FloatVector inverse = VectorMath.exp(FloatVector.fromArray(FLOATS, gate, gateAt + i, there)
                            .neg())
                    .add(1f);
            FloatVector.fromArray(FLOATS, x, at + i, there).div(inverse).intoArray(x, at + i, there);
        }
    }
}
