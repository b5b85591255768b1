package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;
import static dev.jeton.models.cpu.Kernels.high;
import static dev.jeton.models.cpu.Kernels.low;
import static dev.jeton.models.cpu.NativeMemory.ALL;
import static dev.jeton.models.vector.VectorMath.FLOATS;
import static dev.jeton.models.vector.VectorMath.INTS;
import static dev.jeton.models.vector.VectorMath.LANES;

import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;

/**
 * The inner loops of {@link LowRank}: {@code A x} for a vector of ranks, and {@code B} times that for the outputs of a
 * panel, each for one row or four, of F32 or BF16.
 *
 * <p>One order of summation, whatever the number of rows: of {@code A x} the sums over even and over odd inputs are two
 * chains, which are then added (one alone would wait for itself: a rank is few lanes); of {@code B} there is one chain
 * over the ranks.
 *
 * <p>Layouts: of A, for each vector of ranks, {@code [input][LANES]} in F32 and {@code [input / 2][LANES ints]} in
 * BF16, the even input in the low half. Of B panels as {@link Kernels} has them, of ranks in place of inputs.
 */
final class LowRankKernels {

    private static final ByteOrder LITTLE = ByteOrder.LITTLE_ENDIAN;
    /** Bytes of a vector. */
    private static final long VECTOR = 4L * LANES;

    private LowRankKernels() {}

    /** {@code y = scale * (A x)} of one row, for a vector of ranks in F32; an even number of inputs. */
    static void down1(long a, float[] x, int from, int columns, float[] scale, int scaleFrom, float[] y, int to) {
        FloatVector a0 = FloatVector.zero(FLOATS);
        FloatVector a1 = FloatVector.zero(FLOATS);
        for (int k = 0; k < columns; k += 2) {
            FloatVector w0 = FloatVector.fromMemorySegment(FLOATS, ALL, a + k * VECTOR, LITTLE);
            FloatVector w1 = FloatVector.fromMemorySegment(FLOATS, ALL, a + k * VECTOR + VECTOR, LITTLE);
            a0 = w0.fma(FloatVector.broadcast(FLOATS, x[from + k]), a0);
            a1 = w1.fma(FloatVector.broadcast(FLOATS, x[from + k + 1]), a1);
        }
        FloatVector scales = FloatVector.fromArray(FLOATS, scale, scaleFrom);
        a0.add(a1).mul(scales).intoArray(y, to);
    }

    /** The same in BF16. */
    static void down1Halves(long a, float[] x, int from, int columns, float[] scale, int scaleFrom, float[] y, int to) {
        FloatVector a0 = FloatVector.zero(FLOATS);
        FloatVector a1 = FloatVector.zero(FLOATS);
        for (int k = 0; k < columns; k += 2) {
            IntVector pairs = IntVector.fromMemorySegment(INTS, ALL, a + k * (VECTOR / 2), LITTLE);
            FloatVector w0 = low(pairs);
            FloatVector w1 = high(pairs);
            a0 = w0.fma(FloatVector.broadcast(FLOATS, x[from + k]), a0);
            a1 = w1.fma(FloatVector.broadcast(FLOATS, x[from + k + 1]), a1);
        }
        FloatVector scales = FloatVector.fromArray(FLOATS, scale, scaleFrom);
        a0.add(a1).mul(scales).intoArray(y, to);
    }

    /** {@link #down1} of four rows. */
    static void down4(
            long a,
            float[] x,
            int from,
            int stride,
            int columns,
            float[] scale,
            int scaleFrom,
            float[] y,
            int to,
            int toStride) {
        int x1 = from + stride;
        int x2 = x1 + stride;
        int x3 = x2 + stride;
        FloatVector a0 = FloatVector.zero(FLOATS);
        FloatVector a1 = FloatVector.zero(FLOATS);
        FloatVector b0 = FloatVector.zero(FLOATS);
        FloatVector b1 = FloatVector.zero(FLOATS);
        FloatVector c0 = FloatVector.zero(FLOATS);
        FloatVector c1 = FloatVector.zero(FLOATS);
        FloatVector d0 = FloatVector.zero(FLOATS);
        FloatVector d1 = FloatVector.zero(FLOATS);
        for (int k = 0; k < columns; k += 2) {
            FloatVector w0 = FloatVector.fromMemorySegment(FLOATS, ALL, a + k * VECTOR, LITTLE);
            FloatVector w1 = FloatVector.fromMemorySegment(FLOATS, ALL, a + k * VECTOR + VECTOR, LITTLE);
            a0 = w0.fma(FloatVector.broadcast(FLOATS, x[from + k]), a0);
            a1 = w1.fma(FloatVector.broadcast(FLOATS, x[from + k + 1]), a1);
            b0 = w0.fma(FloatVector.broadcast(FLOATS, x[x1 + k]), b0);
            b1 = w1.fma(FloatVector.broadcast(FLOATS, x[x1 + k + 1]), b1);
            c0 = w0.fma(FloatVector.broadcast(FLOATS, x[x2 + k]), c0);
            c1 = w1.fma(FloatVector.broadcast(FLOATS, x[x2 + k + 1]), c1);
            d0 = w0.fma(FloatVector.broadcast(FLOATS, x[x3 + k]), d0);
            d1 = w1.fma(FloatVector.broadcast(FLOATS, x[x3 + k + 1]), d1);
        }
        FloatVector scales = FloatVector.fromArray(FLOATS, scale, scaleFrom);
        a0.add(a1).mul(scales).intoArray(y, to);
        b0.add(b1).mul(scales).intoArray(y, to + toStride);
        c0.add(c1).mul(scales).intoArray(y, to + 2 * toStride);
        d0.add(d1).mul(scales).intoArray(y, to + 3 * toStride);
    }

    /** The same in BF16. */
    static void down4Halves(
            long a,
            float[] x,
            int from,
            int stride,
            int columns,
            float[] scale,
            int scaleFrom,
            float[] y,
            int to,
            int toStride) {
        int x1 = from + stride;
        int x2 = x1 + stride;
        int x3 = x2 + stride;
        FloatVector a0 = FloatVector.zero(FLOATS);
        FloatVector a1 = FloatVector.zero(FLOATS);
        FloatVector b0 = FloatVector.zero(FLOATS);
        FloatVector b1 = FloatVector.zero(FLOATS);
        FloatVector c0 = FloatVector.zero(FLOATS);
        FloatVector c1 = FloatVector.zero(FLOATS);
        FloatVector d0 = FloatVector.zero(FLOATS);
        FloatVector d1 = FloatVector.zero(FLOATS);
        for (int k = 0; k < columns; k += 2) {
            IntVector pairs = IntVector.fromMemorySegment(INTS, ALL, a + k * (VECTOR / 2), LITTLE);
            FloatVector w0 = low(pairs);
            FloatVector w1 = high(pairs);
            a0 = w0.fma(FloatVector.broadcast(FLOATS, x[from + k]), a0);
            a1 = w1.fma(FloatVector.broadcast(FLOATS, x[from + k + 1]), a1);
            b0 = w0.fma(FloatVector.broadcast(FLOATS, x[x1 + k]), b0);
            b1 = w1.fma(FloatVector.broadcast(FLOATS, x[x1 + k + 1]), b1);
            c0 = w0.fma(FloatVector.broadcast(FLOATS, x[x2 + k]), c0);
            c1 = w1.fma(FloatVector.broadcast(FLOATS, x[x2 + k + 1]), c1);
            d0 = w0.fma(FloatVector.broadcast(FLOATS, x[x3 + k]), d0);
            d1 = w1.fma(FloatVector.broadcast(FLOATS, x[x3 + k + 1]), d1);
        }
        FloatVector scales = FloatVector.fromArray(FLOATS, scale, scaleFrom);
        a0.add(a1).mul(scales).intoArray(y, to);
        b0.add(b1).mul(scales).intoArray(y, to + toStride);
        c0.add(c1).mul(scales).intoArray(y, to + 2 * toStride);
        d0.add(d1).mul(scales).intoArray(y, to + 3 * toStride);
    }

    /**
     * Adds {@code B z} of one row to a panel in F32. The panel's halves may be of different linear layers, whose ranks
     * begin at different places of z.
     */
    static void up1(long b, float[] z, int first, int second, int ranks, float[] tile, int to) {
        FloatVector a0 = FloatVector.fromArray(FLOATS, tile, to);
        FloatVector a1 = FloatVector.fromArray(FLOATS, tile, to + LANES);
        FloatVector a2 = FloatVector.fromArray(FLOATS, tile, to + 2 * LANES);
        FloatVector a3 = FloatVector.fromArray(FLOATS, tile, to + 3 * LANES);
        for (int r = 0; r < ranks; r++) {
            long at = b + r * (4 * VECTOR);
            FloatVector w0 = FloatVector.fromMemorySegment(FLOATS, ALL, at, LITTLE);
            FloatVector w1 = FloatVector.fromMemorySegment(FLOATS, ALL, at + VECTOR, LITTLE);
            FloatVector w2 = FloatVector.fromMemorySegment(FLOATS, ALL, at + 2 * VECTOR, LITTLE);
            FloatVector w3 = FloatVector.fromMemorySegment(FLOATS, ALL, at + 3 * VECTOR, LITTLE);
            FloatVector ax = FloatVector.broadcast(FLOATS, z[first + r]);
            FloatVector ay = FloatVector.broadcast(FLOATS, z[second + r]);
            a0 = w0.fma(ax, a0);
            a1 = w1.fma(ax, a1);
            a2 = w2.fma(ay, a2);
            a3 = w3.fma(ay, a3);
        }
        a0.intoArray(tile, to);
        a1.intoArray(tile, to + LANES);
        a2.intoArray(tile, to + 2 * LANES);
        a3.intoArray(tile, to + 3 * LANES);
    }

    /** The same in BF16. */
    static void up1Halves(long b, float[] z, int first, int second, int ranks, float[] tile, int to) {
        FloatVector a0 = FloatVector.fromArray(FLOATS, tile, to);
        FloatVector a1 = FloatVector.fromArray(FLOATS, tile, to + LANES);
        FloatVector a2 = FloatVector.fromArray(FLOATS, tile, to + 2 * LANES);
        FloatVector a3 = FloatVector.fromArray(FLOATS, tile, to + 3 * LANES);
        for (int r = 0; r < ranks; r++) {
            long at = b + r * (2 * VECTOR);
            IntVector p = IntVector.fromMemorySegment(INTS, ALL, at, LITTLE);
            IntVector q = IntVector.fromMemorySegment(INTS, ALL, at + VECTOR, LITTLE);
            FloatVector w0 = low(p);
            FloatVector w1 = high(p);
            FloatVector w2 = low(q);
            FloatVector w3 = high(q);
            FloatVector ax = FloatVector.broadcast(FLOATS, z[first + r]);
            FloatVector ay = FloatVector.broadcast(FLOATS, z[second + r]);
            a0 = w0.fma(ax, a0);
            a1 = w1.fma(ax, a1);
            a2 = w2.fma(ay, a2);
            a3 = w3.fma(ay, a3);
        }
        a0.intoArray(tile, to);
        a1.intoArray(tile, to + LANES);
        a2.intoArray(tile, to + 2 * LANES);
        a3.intoArray(tile, to + 3 * LANES);
    }

    /** {@link #up1} of four rows of z, {@code stride} apart, to four rows of the tile. */
    static void up4(long b, float[] z, int first, int second, int stride, int ranks, float[] tile, int to) {
        FloatVector a0 = FloatVector.fromArray(FLOATS, tile, to);
        FloatVector a1 = FloatVector.fromArray(FLOATS, tile, to + LANES);
        FloatVector a2 = FloatVector.fromArray(FLOATS, tile, to + 2 * LANES);
        FloatVector a3 = FloatVector.fromArray(FLOATS, tile, to + 3 * LANES);
        FloatVector b0 = FloatVector.fromArray(FLOATS, tile, to + PANEL);
        FloatVector b1 = FloatVector.fromArray(FLOATS, tile, to + PANEL + LANES);
        FloatVector b2 = FloatVector.fromArray(FLOATS, tile, to + PANEL + 2 * LANES);
        FloatVector b3 = FloatVector.fromArray(FLOATS, tile, to + PANEL + 3 * LANES);
        FloatVector c0 = FloatVector.fromArray(FLOATS, tile, to + 2 * PANEL);
        FloatVector c1 = FloatVector.fromArray(FLOATS, tile, to + 2 * PANEL + LANES);
        FloatVector c2 = FloatVector.fromArray(FLOATS, tile, to + 2 * PANEL + 2 * LANES);
        FloatVector c3 = FloatVector.fromArray(FLOATS, tile, to + 2 * PANEL + 3 * LANES);
        FloatVector d0 = FloatVector.fromArray(FLOATS, tile, to + 3 * PANEL);
        FloatVector d1 = FloatVector.fromArray(FLOATS, tile, to + 3 * PANEL + LANES);
        FloatVector d2 = FloatVector.fromArray(FLOATS, tile, to + 3 * PANEL + 2 * LANES);
        FloatVector d3 = FloatVector.fromArray(FLOATS, tile, to + 3 * PANEL + 3 * LANES);
        for (int r = 0; r < ranks; r++) {
            long at = b + r * (4 * VECTOR);
            FloatVector w0 = FloatVector.fromMemorySegment(FLOATS, ALL, at, LITTLE);
            FloatVector w1 = FloatVector.fromMemorySegment(FLOATS, ALL, at + VECTOR, LITTLE);
            FloatVector w2 = FloatVector.fromMemorySegment(FLOATS, ALL, at + 2 * VECTOR, LITTLE);
            FloatVector w3 = FloatVector.fromMemorySegment(FLOATS, ALL, at + 3 * VECTOR, LITTLE);
            FloatVector ax = FloatVector.broadcast(FLOATS, z[first + r]);
            FloatVector ay = FloatVector.broadcast(FLOATS, z[second + r]);
            a0 = w0.fma(ax, a0);
            a1 = w1.fma(ax, a1);
            a2 = w2.fma(ay, a2);
            a3 = w3.fma(ay, a3);
            FloatVector bx = FloatVector.broadcast(FLOATS, z[first + stride + r]);
            FloatVector by = FloatVector.broadcast(FLOATS, z[second + stride + r]);
            b0 = w0.fma(bx, b0);
            b1 = w1.fma(bx, b1);
            b2 = w2.fma(by, b2);
            b3 = w3.fma(by, b3);
            FloatVector cx = FloatVector.broadcast(FLOATS, z[first + 2 * stride + r]);
            FloatVector cy = FloatVector.broadcast(FLOATS, z[second + 2 * stride + r]);
            c0 = w0.fma(cx, c0);
            c1 = w1.fma(cx, c1);
            c2 = w2.fma(cy, c2);
            c3 = w3.fma(cy, c3);
            FloatVector dx = FloatVector.broadcast(FLOATS, z[first + 3 * stride + r]);
            FloatVector dy = FloatVector.broadcast(FLOATS, z[second + 3 * stride + r]);
            d0 = w0.fma(dx, d0);
            d1 = w1.fma(dx, d1);
            d2 = w2.fma(dy, d2);
            d3 = w3.fma(dy, d3);
        }
        a0.intoArray(tile, to);
        a1.intoArray(tile, to + LANES);
        a2.intoArray(tile, to + 2 * LANES);
        a3.intoArray(tile, to + 3 * LANES);
        b0.intoArray(tile, to + PANEL);
        b1.intoArray(tile, to + PANEL + LANES);
        b2.intoArray(tile, to + PANEL + 2 * LANES);
        b3.intoArray(tile, to + PANEL + 3 * LANES);
        c0.intoArray(tile, to + 2 * PANEL);
        c1.intoArray(tile, to + 2 * PANEL + LANES);
        c2.intoArray(tile, to + 2 * PANEL + 2 * LANES);
        c3.intoArray(tile, to + 2 * PANEL + 3 * LANES);
        d0.intoArray(tile, to + 3 * PANEL);
        d1.intoArray(tile, to + 3 * PANEL + LANES);
        d2.intoArray(tile, to + 3 * PANEL + 2 * LANES);
        d3.intoArray(tile, to + 3 * PANEL + 3 * LANES);
    }

    /** The same in BF16. */
    static void up4Halves(long b, float[] z, int first, int second, int stride, int ranks, float[] tile, int to) {
        FloatVector a0 = FloatVector.fromArray(FLOATS, tile, to);
        FloatVector a1 = FloatVector.fromArray(FLOATS, tile, to + LANES);
        FloatVector a2 = FloatVector.fromArray(FLOATS, tile, to + 2 * LANES);
        FloatVector a3 = FloatVector.fromArray(FLOATS, tile, to + 3 * LANES);
        FloatVector b0 = FloatVector.fromArray(FLOATS, tile, to + PANEL);
        FloatVector b1 = FloatVector.fromArray(FLOATS, tile, to + PANEL + LANES);
        FloatVector b2 = FloatVector.fromArray(FLOATS, tile, to + PANEL + 2 * LANES);
        FloatVector b3 = FloatVector.fromArray(FLOATS, tile, to + PANEL + 3 * LANES);
        FloatVector c0 = FloatVector.fromArray(FLOATS, tile, to + 2 * PANEL);
        FloatVector c1 = FloatVector.fromArray(FLOATS, tile, to + 2 * PANEL + LANES);
        FloatVector c2 = FloatVector.fromArray(FLOATS, tile, to + 2 * PANEL + 2 * LANES);
        FloatVector c3 = FloatVector.fromArray(FLOATS, tile, to + 2 * PANEL + 3 * LANES);
        FloatVector d0 = FloatVector.fromArray(FLOATS, tile, to + 3 * PANEL);
        FloatVector d1 = FloatVector.fromArray(FLOATS, tile, to + 3 * PANEL + LANES);
        FloatVector d2 = FloatVector.fromArray(FLOATS, tile, to + 3 * PANEL + 2 * LANES);
        FloatVector d3 = FloatVector.fromArray(FLOATS, tile, to + 3 * PANEL + 3 * LANES);
        for (int r = 0; r < ranks; r++) {
            long at = b + r * (2 * VECTOR);
            IntVector p = IntVector.fromMemorySegment(INTS, ALL, at, LITTLE);
            IntVector q = IntVector.fromMemorySegment(INTS, ALL, at + VECTOR, LITTLE);
            FloatVector w0 = low(p);
            FloatVector w1 = high(p);
            FloatVector w2 = low(q);
            FloatVector w3 = high(q);
            FloatVector ax = FloatVector.broadcast(FLOATS, z[first + r]);
            FloatVector ay = FloatVector.broadcast(FLOATS, z[second + r]);
            a0 = w0.fma(ax, a0);
            a1 = w1.fma(ax, a1);
            a2 = w2.fma(ay, a2);
            a3 = w3.fma(ay, a3);
            FloatVector bx = FloatVector.broadcast(FLOATS, z[first + stride + r]);
            FloatVector by = FloatVector.broadcast(FLOATS, z[second + stride + r]);
            b0 = w0.fma(bx, b0);
            b1 = w1.fma(bx, b1);
            b2 = w2.fma(by, b2);
            b3 = w3.fma(by, b3);
            FloatVector cx = FloatVector.broadcast(FLOATS, z[first + 2 * stride + r]);
            FloatVector cy = FloatVector.broadcast(FLOATS, z[second + 2 * stride + r]);
            c0 = w0.fma(cx, c0);
            c1 = w1.fma(cx, c1);
            c2 = w2.fma(cy, c2);
            c3 = w3.fma(cy, c3);
            FloatVector dx = FloatVector.broadcast(FLOATS, z[first + 3 * stride + r]);
            FloatVector dy = FloatVector.broadcast(FLOATS, z[second + 3 * stride + r]);
            d0 = w0.fma(dx, d0);
            d1 = w1.fma(dx, d1);
            d2 = w2.fma(dy, d2);
            d3 = w3.fma(dy, d3);
        }
        a0.intoArray(tile, to);
        a1.intoArray(tile, to + LANES);
        a2.intoArray(tile, to + 2 * LANES);
        a3.intoArray(tile, to + 3 * LANES);
        b0.intoArray(tile, to + PANEL);
        b1.intoArray(tile, to + PANEL + LANES);
        b2.intoArray(tile, to + PANEL + 2 * LANES);
        b3.intoArray(tile, to + PANEL + 3 * LANES);
        c0.intoArray(tile, to + 2 * PANEL);
        c1.intoArray(tile, to + 2 * PANEL + LANES);
        c2.intoArray(tile, to + 2 * PANEL + 2 * LANES);
        c3.intoArray(tile, to + 2 * PANEL + 3 * LANES);
        d0.intoArray(tile, to + 3 * PANEL);
        d1.intoArray(tile, to + 3 * PANEL + LANES);
        d2.intoArray(tile, to + 3 * PANEL + 2 * LANES);
        d3.intoArray(tile, to + 3 * PANEL + 3 * LANES);
    }
}
