package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.NativeMemory.ALL;
import static dev.jeton.models.vector.VectorMath.FLOATS;
import static dev.jeton.models.vector.VectorMath.INTS;
import static dev.jeton.models.vector.VectorMath.LANES;

import dev.jeton.models.vector.VectorMath;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * The inner loops of {@link Attention}. Scores: a vector spans tokens, each lane adds over the head's elements in
 * order. Values: a vector spans the head's elements, each lane adds over tokens in order. So neither reduces across
 * lanes.
 *
 * <p>Limit of a decoding row: reading K and V once, 8 bytes a token and element in F32, 4 in BF16.
 */
final class AttentionKernels {

    /** Tokens of a segment: scores are taken, exponentiated and applied by absolute segments of this many tokens. */
    static final int SEGMENT = 256;

    /** Bytes of a vector. */
    private static final long VECTOR = 4L * LANES;

    private static final ByteOrder LITTLE = ByteOrder.LITTLE_ENDIAN;

    private AttentionKernels() {}

    /** Sets scores [from, to) outside [low, high] to minus infinity; from and to are multiples of LANES. */
    static void mask(float[] scores, int at, int from, int to, int low, int high) {
        for (int t = from; t < Math.min(low, to); t++) {
            scores[at + t] = Float.NEGATIVE_INFINITY;
        }
        for (int t = Math.max(from, high + 1); t < to; t++) {
            scores[at + t] = Float.NEGATIVE_INFINITY;
        }
    }

    /** The greatest of scores [from, to). */
    static float max(float[] scores, int at, int from, int to) {
        FloatVector best = FloatVector.broadcast(FLOATS, Float.NEGATIVE_INFINITY);
        for (int t = from; t < to; t += LANES) {
            FloatVector s = FloatVector.fromArray(FLOATS, scores, at + t);
            VectorMask<Float> greater = s.compare(VectorOperators.GT, best);
            best = best.blend(s, greater);
        }
        return best.reduceLanes(VectorOperators.MAX);
    }

    /** Replaces scores [from, to) by e^(score - max) and adds them, lane by lane, to {@code sums[sumsAt]}. */
    static void exponents(float[] scores, int at, int from, int to, float max, float[] sums, int sumsAt) {
        FloatVector sum = FloatVector.fromArray(FLOATS, sums, sumsAt);
        for (int t = from; t < to; t += LANES) {
            FloatVector p =
                    VectorMath.exp(FloatVector.fromArray(FLOATS, scores, at + t).sub(max));
            p.intoArray(scores, at + t);
            sum = sum.add(p);
        }
        sum.intoArray(sums, sumsAt);
    }

    /** e^x by the same polynomial as {@link #exponents}. */
    static float exponent(float x) {
        return VectorMath.exp(FloatVector.broadcast(FLOATS, x)).lane(0);
    }

    /** Multiplies {@code count} (a multiple of LANES) floats by {@code factor}. */
    static void scale(float[] values, int at, int count, float factor) {
        for (int i = 0; i < count; i += LANES) {
            FloatVector.fromArray(FLOATS, values, at + i).mul(factor).intoArray(values, at + i);
        }
    }

    /**
     * Widens one vector of tokens' keys of BF16: {@code [element][token]} of floats.
     *
     * @param at words {@code [pair of elements][token]}, pairs {@code step} bytes apart
     */
    static void widenKeys(long at, long step, int headDim, long to) {
        long from = at;
        for (long end = to + headDim * VECTOR; to < end; to += 2 * VECTOR) {
            widen(from, to);
            from += step;
        }
    }

    /** Widens {@code vectors} vectors of words of values. */
    static void widenValues(long at, int vectors, long to) {
        for (int i = 0; i < vectors; i++) {
            widen(at + i * VECTOR, to + i * 2 * VECTOR);
        }
    }

    private static void widen(long words, long to) {
        IntVector pair = IntVector.fromMemorySegment(INTS, ALL, words, LITTLE);
        pair.lanewise(VectorOperators.LSHL, 16).intoMemorySegment(ALL, to, LITTLE);
        pair.and(0xFFFF_0000).intoMemorySegment(ALL, to + VECTOR, LITTLE);
    }

    /** Scores of 1 query against one vector of tokens. */
    static void scores1(long at, long step, float[] q, int headDim, float[] scores, int to) {
        FloatVector a0 = FloatVector.zero(FLOATS);
        long from = at;
        for (int d = 0; d < headDim; d++) {
            FloatVector k = FloatVector.fromMemorySegment(FLOATS, ALL, from, LITTLE);
            from += step;
            a0 = k.fma(FloatVector.broadcast(FLOATS, q[d]), a0);
        }
        a0.intoArray(scores, to);
    }

    /** Scores of 4 queries against one vector of tokens. */
    static void scores4(long at, long step, float[] q, int headDim, float[] scores, int to) {
        FloatVector a0 = FloatVector.zero(FLOATS);
        FloatVector a1 = FloatVector.zero(FLOATS);
        FloatVector a2 = FloatVector.zero(FLOATS);
        FloatVector a3 = FloatVector.zero(FLOATS);
        long from = at;
        for (int d = 0; d < headDim; d++) {
            FloatVector k = FloatVector.fromMemorySegment(FLOATS, ALL, from, LITTLE);
            from += step;
            a0 = k.fma(FloatVector.broadcast(FLOATS, q[d]), a0);
            a1 = k.fma(FloatVector.broadcast(FLOATS, q[headDim + d]), a1);
            a2 = k.fma(FloatVector.broadcast(FLOATS, q[2 * headDim + d]), a2);
            a3 = k.fma(FloatVector.broadcast(FLOATS, q[3 * headDim + d]), a3);
        }
        a0.intoArray(scores, to);
        a1.intoArray(scores, to + SEGMENT);
        a2.intoArray(scores, to + 2 * SEGMENT);
        a3.intoArray(scores, to + 3 * SEGMENT);
    }

    /** Scores of 8 queries against one vector of tokens. */
    static void scores8(long at, long step, float[] q, int headDim, float[] scores, int to) {
        FloatVector a0 = FloatVector.zero(FLOATS);
        FloatVector a1 = FloatVector.zero(FLOATS);
        FloatVector a2 = FloatVector.zero(FLOATS);
        FloatVector a3 = FloatVector.zero(FLOATS);
        FloatVector a4 = FloatVector.zero(FLOATS);
        FloatVector a5 = FloatVector.zero(FLOATS);
        FloatVector a6 = FloatVector.zero(FLOATS);
        FloatVector a7 = FloatVector.zero(FLOATS);
        long from = at;
        for (int d = 0; d < headDim; d++) {
            FloatVector k = FloatVector.fromMemorySegment(FLOATS, ALL, from, LITTLE);
            from += step;
            a0 = k.fma(FloatVector.broadcast(FLOATS, q[d]), a0);
            a1 = k.fma(FloatVector.broadcast(FLOATS, q[headDim + d]), a1);
            a2 = k.fma(FloatVector.broadcast(FLOATS, q[2 * headDim + d]), a2);
            a3 = k.fma(FloatVector.broadcast(FLOATS, q[3 * headDim + d]), a3);
            a4 = k.fma(FloatVector.broadcast(FLOATS, q[4 * headDim + d]), a4);
            a5 = k.fma(FloatVector.broadcast(FLOATS, q[5 * headDim + d]), a5);
            a6 = k.fma(FloatVector.broadcast(FLOATS, q[6 * headDim + d]), a6);
            a7 = k.fma(FloatVector.broadcast(FLOATS, q[7 * headDim + d]), a7);
        }
        a0.intoArray(scores, to);
        a1.intoArray(scores, to + SEGMENT);
        a2.intoArray(scores, to + 2 * SEGMENT);
        a3.intoArray(scores, to + 3 * SEGMENT);
        a4.intoArray(scores, to + 4 * SEGMENT);
        a5.intoArray(scores, to + 5 * SEGMENT);
        a6.intoArray(scores, to + 6 * SEGMENT);
        a7.intoArray(scores, to + 7 * SEGMENT);
    }

    /** Adds 1 vector of values, weighted, to the outputs of 1 query. */
    static void values1x1(long at, long step, float[] p, int from, int count, float[] out, int to, int width) {
        FloatVector a00 = FloatVector.fromArray(FLOATS, out, to);
        long row = at;
        for (int t = 0; t < count; t++) {
            FloatVector v0 = FloatVector.fromMemorySegment(FLOATS, ALL, row, LITTLE);
            row += step;
            FloatVector p0 = FloatVector.broadcast(FLOATS, p[from + t]);
            a00 = v0.fma(p0, a00);
        }
        a00.intoArray(out, to);
    }

    /** Adds 2 vectors of values, weighted, to the outputs of 1 query. */
    static void values1x2(long at, long step, float[] p, int from, int count, float[] out, int to, int width) {
        FloatVector a00 = FloatVector.fromArray(FLOATS, out, to);
        FloatVector a01 = FloatVector.fromArray(FLOATS, out, to + LANES);
        long row = at;
        for (int t = 0; t < count; t++) {
            FloatVector v0 = FloatVector.fromMemorySegment(FLOATS, ALL, row, LITTLE);
            FloatVector v1 = FloatVector.fromMemorySegment(FLOATS, ALL, row + VECTOR, LITTLE);
            row += step;
            FloatVector p0 = FloatVector.broadcast(FLOATS, p[from + t]);
            a00 = v0.fma(p0, a00);
            a01 = v1.fma(p0, a01);
        }
        a00.intoArray(out, to);
        a01.intoArray(out, to + LANES);
    }

    /** Adds 3 vectors of values, weighted, to the outputs of 1 query. */
    static void values1x3(long at, long step, float[] p, int from, int count, float[] out, int to, int width) {
        FloatVector a00 = FloatVector.fromArray(FLOATS, out, to);
        FloatVector a01 = FloatVector.fromArray(FLOATS, out, to + LANES);
        FloatVector a02 = FloatVector.fromArray(FLOATS, out, to + 2 * LANES);
        long row = at;
        for (int t = 0; t < count; t++) {
            FloatVector v0 = FloatVector.fromMemorySegment(FLOATS, ALL, row, LITTLE);
            FloatVector v1 = FloatVector.fromMemorySegment(FLOATS, ALL, row + VECTOR, LITTLE);
            FloatVector v2 = FloatVector.fromMemorySegment(FLOATS, ALL, row + 2 * VECTOR, LITTLE);
            row += step;
            FloatVector p0 = FloatVector.broadcast(FLOATS, p[from + t]);
            a00 = v0.fma(p0, a00);
            a01 = v1.fma(p0, a01);
            a02 = v2.fma(p0, a02);
        }
        a00.intoArray(out, to);
        a01.intoArray(out, to + LANES);
        a02.intoArray(out, to + 2 * LANES);
    }

    /** Adds 4 vectors of values, weighted, to the outputs of 1 query. */
    static void values1x4(long at, long step, float[] p, int from, int count, float[] out, int to, int width) {
        FloatVector a00 = FloatVector.fromArray(FLOATS, out, to);
        FloatVector a01 = FloatVector.fromArray(FLOATS, out, to + LANES);
        FloatVector a02 = FloatVector.fromArray(FLOATS, out, to + 2 * LANES);
        FloatVector a03 = FloatVector.fromArray(FLOATS, out, to + 3 * LANES);
        long row = at;
        for (int t = 0; t < count; t++) {
            FloatVector v0 = FloatVector.fromMemorySegment(FLOATS, ALL, row, LITTLE);
            FloatVector v1 = FloatVector.fromMemorySegment(FLOATS, ALL, row + VECTOR, LITTLE);
            FloatVector v2 = FloatVector.fromMemorySegment(FLOATS, ALL, row + 2 * VECTOR, LITTLE);
            FloatVector v3 = FloatVector.fromMemorySegment(FLOATS, ALL, row + 3 * VECTOR, LITTLE);
            row += step;
            FloatVector p0 = FloatVector.broadcast(FLOATS, p[from + t]);
            a00 = v0.fma(p0, a00);
            a01 = v1.fma(p0, a01);
            a02 = v2.fma(p0, a02);
            a03 = v3.fma(p0, a03);
        }
        a00.intoArray(out, to);
        a01.intoArray(out, to + LANES);
        a02.intoArray(out, to + 2 * LANES);
        a03.intoArray(out, to + 3 * LANES);
    }

    /** Adds 1 vector of values, weighted, to the outputs of 4 queries. */
    static void values4x1(long at, long step, float[] p, int from, int count, float[] out, int to, int width) {
        FloatVector a00 = FloatVector.fromArray(FLOATS, out, to);
        FloatVector a10 = FloatVector.fromArray(FLOATS, out, to + width);
        FloatVector a20 = FloatVector.fromArray(FLOATS, out, to + 2 * width);
        FloatVector a30 = FloatVector.fromArray(FLOATS, out, to + 3 * width);
        long row = at;
        for (int t = 0; t < count; t++) {
            FloatVector v0 = FloatVector.fromMemorySegment(FLOATS, ALL, row, LITTLE);
            row += step;
            FloatVector p0 = FloatVector.broadcast(FLOATS, p[from + t]);
            a00 = v0.fma(p0, a00);
            FloatVector p1 = FloatVector.broadcast(FLOATS, p[from + SEGMENT + t]);
            a10 = v0.fma(p1, a10);
            FloatVector p2 = FloatVector.broadcast(FLOATS, p[from + 2 * SEGMENT + t]);
            a20 = v0.fma(p2, a20);
            FloatVector p3 = FloatVector.broadcast(FLOATS, p[from + 3 * SEGMENT + t]);
            a30 = v0.fma(p3, a30);
        }
        a00.intoArray(out, to);
        a10.intoArray(out, to + width);
        a20.intoArray(out, to + 2 * width);
        a30.intoArray(out, to + 3 * width);
    }

    /** Adds 2 vectors of values, weighted, to the outputs of 4 queries. */
    static void values4x2(long at, long step, float[] p, int from, int count, float[] out, int to, int width) {
        FloatVector a00 = FloatVector.fromArray(FLOATS, out, to);
        FloatVector a01 = FloatVector.fromArray(FLOATS, out, to + LANES);
        FloatVector a10 = FloatVector.fromArray(FLOATS, out, to + width);
        FloatVector a11 = FloatVector.fromArray(FLOATS, out, to + width + LANES);
        FloatVector a20 = FloatVector.fromArray(FLOATS, out, to + 2 * width);
        FloatVector a21 = FloatVector.fromArray(FLOATS, out, to + 2 * width + LANES);
        FloatVector a30 = FloatVector.fromArray(FLOATS, out, to + 3 * width);
        FloatVector a31 = FloatVector.fromArray(FLOATS, out, to + 3 * width + LANES);
        long row = at;
        for (int t = 0; t < count; t++) {
            FloatVector v0 = FloatVector.fromMemorySegment(FLOATS, ALL, row, LITTLE);
            FloatVector v1 = FloatVector.fromMemorySegment(FLOATS, ALL, row + VECTOR, LITTLE);
            row += step;
            FloatVector p0 = FloatVector.broadcast(FLOATS, p[from + t]);
            a00 = v0.fma(p0, a00);
            a01 = v1.fma(p0, a01);
            FloatVector p1 = FloatVector.broadcast(FLOATS, p[from + SEGMENT + t]);
            a10 = v0.fma(p1, a10);
            a11 = v1.fma(p1, a11);
            FloatVector p2 = FloatVector.broadcast(FLOATS, p[from + 2 * SEGMENT + t]);
            a20 = v0.fma(p2, a20);
            a21 = v1.fma(p2, a21);
            FloatVector p3 = FloatVector.broadcast(FLOATS, p[from + 3 * SEGMENT + t]);
            a30 = v0.fma(p3, a30);
            a31 = v1.fma(p3, a31);
        }
        a00.intoArray(out, to);
        a01.intoArray(out, to + LANES);
        a10.intoArray(out, to + width);
        a11.intoArray(out, to + width + LANES);
        a20.intoArray(out, to + 2 * width);
        a21.intoArray(out, to + 2 * width + LANES);
        a30.intoArray(out, to + 3 * width);
        a31.intoArray(out, to + 3 * width + LANES);
    }

    /** Adds 3 vectors of values, weighted, to the outputs of 4 queries. */
    static void values4x3(long at, long step, float[] p, int from, int count, float[] out, int to, int width) {
        FloatVector a00 = FloatVector.fromArray(FLOATS, out, to);
        FloatVector a01 = FloatVector.fromArray(FLOATS, out, to + LANES);
        FloatVector a02 = FloatVector.fromArray(FLOATS, out, to + 2 * LANES);
        FloatVector a10 = FloatVector.fromArray(FLOATS, out, to + width);
        FloatVector a11 = FloatVector.fromArray(FLOATS, out, to + width + LANES);
        FloatVector a12 = FloatVector.fromArray(FLOATS, out, to + width + 2 * LANES);
        FloatVector a20 = FloatVector.fromArray(FLOATS, out, to + 2 * width);
        FloatVector a21 = FloatVector.fromArray(FLOATS, out, to + 2 * width + LANES);
        FloatVector a22 = FloatVector.fromArray(FLOATS, out, to + 2 * width + 2 * LANES);
        FloatVector a30 = FloatVector.fromArray(FLOATS, out, to + 3 * width);
        FloatVector a31 = FloatVector.fromArray(FLOATS, out, to + 3 * width + LANES);
        FloatVector a32 = FloatVector.fromArray(FLOATS, out, to + 3 * width + 2 * LANES);
        long row = at;
        for (int t = 0; t < count; t++) {
            FloatVector v0 = FloatVector.fromMemorySegment(FLOATS, ALL, row, LITTLE);
            FloatVector v1 = FloatVector.fromMemorySegment(FLOATS, ALL, row + VECTOR, LITTLE);
            FloatVector v2 = FloatVector.fromMemorySegment(FLOATS, ALL, row + 2 * VECTOR, LITTLE);
            row += step;
            FloatVector p0 = FloatVector.broadcast(FLOATS, p[from + t]);
            a00 = v0.fma(p0, a00);
            a01 = v1.fma(p0, a01);
            a02 = v2.fma(p0, a02);
            FloatVector p1 = FloatVector.broadcast(FLOATS, p[from + SEGMENT + t]);
            a10 = v0.fma(p1, a10);
            a11 = v1.fma(p1, a11);
            a12 = v2.fma(p1, a12);
            FloatVector p2 = FloatVector.broadcast(FLOATS, p[from + 2 * SEGMENT + t]);
            a20 = v0.fma(p2, a20);
            a21 = v1.fma(p2, a21);
            a22 = v2.fma(p2, a22);
            FloatVector p3 = FloatVector.broadcast(FLOATS, p[from + 3 * SEGMENT + t]);
            a30 = v0.fma(p3, a30);
            a31 = v1.fma(p3, a31);
            a32 = v2.fma(p3, a32);
        }
        a00.intoArray(out, to);
        a01.intoArray(out, to + LANES);
        a02.intoArray(out, to + 2 * LANES);
        a10.intoArray(out, to + width);
        a11.intoArray(out, to + width + LANES);
        a12.intoArray(out, to + width + 2 * LANES);
        a20.intoArray(out, to + 2 * width);
        a21.intoArray(out, to + 2 * width + LANES);
        a22.intoArray(out, to + 2 * width + 2 * LANES);
        a30.intoArray(out, to + 3 * width);
        a31.intoArray(out, to + 3 * width + LANES);
        a32.intoArray(out, to + 3 * width + 2 * LANES);
    }

    /** Adds 4 vectors of values, weighted, to the outputs of 4 queries. */
    static void values4x4(long at, long step, float[] p, int from, int count, float[] out, int to, int width) {
        FloatVector a00 = FloatVector.fromArray(FLOATS, out, to);
        FloatVector a01 = FloatVector.fromArray(FLOATS, out, to + LANES);
        FloatVector a02 = FloatVector.fromArray(FLOATS, out, to + 2 * LANES);
        FloatVector a03 = FloatVector.fromArray(FLOATS, out, to + 3 * LANES);
        FloatVector a10 = FloatVector.fromArray(FLOATS, out, to + width);
        FloatVector a11 = FloatVector.fromArray(FLOATS, out, to + width + LANES);
        FloatVector a12 = FloatVector.fromArray(FLOATS, out, to + width + 2 * LANES);
        FloatVector a13 = FloatVector.fromArray(FLOATS, out, to + width + 3 * LANES);
        FloatVector a20 = FloatVector.fromArray(FLOATS, out, to + 2 * width);
        FloatVector a21 = FloatVector.fromArray(FLOATS, out, to + 2 * width + LANES);
        FloatVector a22 = FloatVector.fromArray(FLOATS, out, to + 2 * width + 2 * LANES);
        FloatVector a23 = FloatVector.fromArray(FLOATS, out, to + 2 * width + 3 * LANES);
        FloatVector a30 = FloatVector.fromArray(FLOATS, out, to + 3 * width);
        FloatVector a31 = FloatVector.fromArray(FLOATS, out, to + 3 * width + LANES);
        FloatVector a32 = FloatVector.fromArray(FLOATS, out, to + 3 * width + 2 * LANES);
        FloatVector a33 = FloatVector.fromArray(FLOATS, out, to + 3 * width + 3 * LANES);
        long row = at;
        for (int t = 0; t < count; t++) {
            FloatVector v0 = FloatVector.fromMemorySegment(FLOATS, ALL, row, LITTLE);
            FloatVector v1 = FloatVector.fromMemorySegment(FLOATS, ALL, row + VECTOR, LITTLE);
            FloatVector v2 = FloatVector.fromMemorySegment(FLOATS, ALL, row + 2 * VECTOR, LITTLE);
            FloatVector v3 = FloatVector.fromMemorySegment(FLOATS, ALL, row + 3 * VECTOR, LITTLE);
            row += step;
            FloatVector p0 = FloatVector.broadcast(FLOATS, p[from + t]);
            a00 = v0.fma(p0, a00);
            a01 = v1.fma(p0, a01);
            a02 = v2.fma(p0, a02);
            a03 = v3.fma(p0, a03);
            FloatVector p1 = FloatVector.broadcast(FLOATS, p[from + SEGMENT + t]);
            a10 = v0.fma(p1, a10);
            a11 = v1.fma(p1, a11);
            a12 = v2.fma(p1, a12);
            a13 = v3.fma(p1, a13);
            FloatVector p2 = FloatVector.broadcast(FLOATS, p[from + 2 * SEGMENT + t]);
            a20 = v0.fma(p2, a20);
            a21 = v1.fma(p2, a21);
            a22 = v2.fma(p2, a22);
            a23 = v3.fma(p2, a23);
            FloatVector p3 = FloatVector.broadcast(FLOATS, p[from + 3 * SEGMENT + t]);
            a30 = v0.fma(p3, a30);
            a31 = v1.fma(p3, a31);
            a32 = v2.fma(p3, a32);
            a33 = v3.fma(p3, a33);
        }
        a00.intoArray(out, to);
        a01.intoArray(out, to + LANES);
        a02.intoArray(out, to + 2 * LANES);
        a03.intoArray(out, to + 3 * LANES);
        a10.intoArray(out, to + width);
        a11.intoArray(out, to + width + LANES);
        a12.intoArray(out, to + width + 2 * LANES);
        a13.intoArray(out, to + width + 3 * LANES);
        a20.intoArray(out, to + 2 * width);
        a21.intoArray(out, to + 2 * width + LANES);
        a22.intoArray(out, to + 2 * width + 2 * LANES);
        a23.intoArray(out, to + 2 * width + 3 * LANES);
        a30.intoArray(out, to + 3 * width);
        a31.intoArray(out, to + 3 * width + LANES);
        a32.intoArray(out, to + 3 * width + 2 * LANES);
        a33.intoArray(out, to + 3 * width + 3 * LANES);
    }
}
