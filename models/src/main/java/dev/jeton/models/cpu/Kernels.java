package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.NativeMemory.ALL;
import static dev.jeton.models.vector.VectorMath.FLOATS;
import static dev.jeton.models.vector.VectorMath.INTS;
import static dev.jeton.models.vector.VectorMath.LANES;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * The inner loops of matrix multiplication: {@code y[r][n] += sum over k of x[r][k] * w[n][k]} for the {@link #PANEL}
 * outputs n of one panel and one, two, four or six rows r.
 *
 * <p><b>One order of summation.</b> A panel holds, for each k, its outputs side by side, so a vector spans outputs and
 * never k. Every output is one lane, and its value is the chain {@code y = fma(w[k], x[k], y)} for k = 0, 1, 2, ... in
 * every kernel: the number of rows, the split of k into calls, and the vector's length change which lanes are computed
 * together, never the order in which one lane adds. Logits are therefore the same bits in every batch.
 *
 * <p><b>One value of a weight.</b> BF16 widens exactly. A Q8_0 weight is q * s with |q| <= 128 and s a binary16 number,
 * as ggml has it: 19 significant bits, exact in a float. So a BF16 or Q8_0 model computes the very bits of an F32 model
 * with the same weights, and the large-batch path may widen a panel once into scratch and use the F32 kernels.
 *
 * <p>Layouts, for one panel: F32 {@code [k][PANEL floats]}. BF16 {@code [k][2 vectors of ints]}, the low half of an int
 * one output and the high half another, so that widening is a shift or a mask. Q8_0 {@code [k / 32][scales as binary16,
 * in the places of BF16 of one k][32][1 vector of ints]}, four outputs in the bytes of an int, stored as q + 128:
 * shifted to the top of a mantissa with the exponent of 256 they are the float 384 + q, and {@code fma(384 + q, s, -384
 * s)} is q * s exactly.
 *
 * <p>Limits. One row is bound by memory: 4, 2 or 1.0625 bytes a weight. Six rows do 24 fma on 4 loads and 6 broadcasts
 * and are bound by the two fma ports (64 floating-point operations a cycle with 512-bit vectors); 24 accumulators, 4
 * weights and a broadcast fill 29 of 32 registers.
 */
final class Kernels {

    /** Outputs of a panel. */
    static final int PANEL = 4 * LANES;

    /** Inputs that share a scale in Q8_0. */
    static final int Q8_BLOCK = 32;

    private static final int LINE = 64;
    private static final ValueLayout.OfInt WORD = ValueLayout.JAVA_INT_UNALIGNED;
    /** Bytes of a vector. */
    private static final long VECTOR = 4L * LANES;

    private static final ByteOrder LITTLE = ByteOrder.LITTLE_ENDIAN;
    private static final float Q8_BIAS = 384f;
    private static final int Q8_EXPONENT = 0x43800000;
    private static final int Q8_MANTISSA = 0x007F8000;
    private static final int HIGH = 0xFFFF0000;
    /** Sign, exponent and mantissa of a binary16 in an int, the latter two three places right of a float's. */
    private static final int HALF_BITS = 0x8FFFE000;
    /** The biases of the exponents are 127 and 15. */
    private static final float HALF_EXPONENT = 0x1p112f;

    private Kernels() {}

    /** The low halves as BF16. */
    static FloatVector low(IntVector pairs) {
        return pairs.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats();
    }

    /** The high halves as BF16. */
    static FloatVector high(IntVector pairs) {
        return pairs.and(HIGH).reinterpretAsFloats();
    }

    /**
     * The low halves as binary16. A shift puts exponent and mantissa in their places, a product corrects the exponent.
     */
    static FloatVector halfLow(IntVector pairs) {
        return half(pairs.lanewise(VectorOperators.LSHL, 16));
    }

    /** The high halves as binary16. */
    static FloatVector halfHigh(IntVector pairs) {
        return half(pairs);
    }

    private static FloatVector half(IntVector high) {
        return high.lanewise(VectorOperators.ASHR, 3)
                .and(HALF_BITS)
                .reinterpretAsFloats()
                .mul(HALF_EXPONENT);
    }

    private static FloatVector byte0(IntVector v) {
        return v.lanewise(VectorOperators.LSHL, 15)
                .and(Q8_MANTISSA)
                .or(Q8_EXPONENT)
                .reinterpretAsFloats();
    }

    private static FloatVector byte1(IntVector v) {
        return v.lanewise(VectorOperators.LSHL, 7)
                .and(Q8_MANTISSA)
                .or(Q8_EXPONENT)
                .reinterpretAsFloats();
    }

    private static FloatVector byte2(IntVector v) {
        return v.lanewise(VectorOperators.LSHR, 1)
                .and(Q8_MANTISSA)
                .or(Q8_EXPONENT)
                .reinterpretAsFloats();
    }

    private static FloatVector byte3(IntVector v) {
        return v.lanewise(VectorOperators.LSHR, 9)
                .and(Q8_MANTISSA)
                .or(Q8_EXPONENT)
                .reinterpretAsFloats();
    }

    /**
     * Reads one word of every cache line of {@code [from, to)} and returns their exclusive or, so that the reads
     * happen.
     *
     * <p>A core has as many lines in flight as its reorder window has loads. The Q8_0 kernel spends some twenty
     * instructions on a line, so the window holds twenty lines and memory delivers a quarter of what it could; this
     * loop spends two. Java has no prefetch instruction; reading a slice ahead of computing on it is the next best.
     */
    static int touch(long from, long to) {
        int lines = (int) ((to - from) / LINE);
        int sink = 0;
        for (int i = 0; i < lines; i++) {
            sink ^= ALL.get(WORD, from + (long) i * LINE);
        }
        return sink;
    }

    /** Widens {@code count} inputs of a BF16 panel to F32. */
    static void widenBf16(long w, int count, long slab) {
        for (int i = 0; i < count; i++) {
            long at = w + i * (2L * PANEL);
            long to = slab + i * (4L * PANEL);
            IntVector p = IntVector.fromMemorySegment(INTS, ALL, at, LITTLE);
            IntVector q = IntVector.fromMemorySegment(INTS, ALL, at + VECTOR, LITTLE);
            low(p).intoMemorySegment(ALL, to, LITTLE);
            high(p).intoMemorySegment(ALL, to + VECTOR, LITTLE);
            low(q).intoMemorySegment(ALL, to + 2 * VECTOR, LITTLE);
            high(q).intoMemorySegment(ALL, to + 3 * VECTOR, LITTLE);
        }
    }

    /**
     * Widens the scales of {@code count} inputs of a Q8_0 panel to {@code [count / 32][PANEL]} floats; in a loop of its
     * own, since with it the kernels below are more than the compiler inlines.
     */
    static void scalesQ8(long w, int count, long scales) {
        long at = w;
        long to = scales;
        for (int k = 0; k < count; k += Q8_BLOCK) {
            IntVector p = IntVector.fromMemorySegment(INTS, ALL, at, LITTLE);
            IntVector q = IntVector.fromMemorySegment(INTS, ALL, at + VECTOR, LITTLE);
            halfLow(p).intoMemorySegment(ALL, to, LITTLE);
            halfHigh(p).intoMemorySegment(ALL, to + VECTOR, LITTLE);
            halfLow(q).intoMemorySegment(ALL, to + 2 * VECTOR, LITTLE);
            halfHigh(q).intoMemorySegment(ALL, to + 3 * VECTOR, LITTLE);
            at += (2 + Q8_BLOCK) * VECTOR;
            to += 4 * VECTOR;
        }
    }

    /** Widens {@code count} inputs of a Q8_0 panel to F32; {@code w} is the start of a block. */
    static void widenQ8(long w, long scales, int count, long slab) {
        long at = w;
        long scale = scales;
        for (int k = 0; k < count; k += Q8_BLOCK) {
            FloatVector s0 = FloatVector.fromMemorySegment(FLOATS, ALL, scale, LITTLE);
            FloatVector s1 = FloatVector.fromMemorySegment(FLOATS, ALL, scale + VECTOR, LITTLE);
            FloatVector s2 = FloatVector.fromMemorySegment(FLOATS, ALL, scale + 2 * VECTOR, LITTLE);
            FloatVector s3 = FloatVector.fromMemorySegment(FLOATS, ALL, scale + 3 * VECTOR, LITTLE);
            scale += 4 * VECTOR;
            FloatVector c0 = s0.mul(-Q8_BIAS);
            FloatVector c1 = s1.mul(-Q8_BIAS);
            FloatVector c2 = s2.mul(-Q8_BIAS);
            FloatVector c3 = s3.mul(-Q8_BIAS);
            at += 2 * VECTOR;
            int end = Math.min(k + Q8_BLOCK, count);
            for (int i = k; i < end; i++) {
                long to = slab + i * (4L * PANEL);
                IntVector v = IntVector.fromMemorySegment(INTS, ALL, at, LITTLE);
                at += VECTOR;
                byte0(v).fma(s0, c0).intoMemorySegment(ALL, to, LITTLE);
                byte1(v).fma(s1, c1).intoMemorySegment(ALL, to + VECTOR, LITTLE);
                byte2(v).fma(s2, c2).intoMemorySegment(ALL, to + 2 * VECTOR, LITTLE);
                byte3(v).fma(s3, c3).intoMemorySegment(ALL, to + 3 * VECTOR, LITTLE);
            }
        }
    }

    /** One row by a panel of F32. */
    static void f32x1(long w, float[] x, int xFrom, int stride, int count, float[] y, int yFrom) {
        FloatVector a00 = FloatVector.fromArray(FLOATS, y, yFrom);
        FloatVector a01 = FloatVector.fromArray(FLOATS, y, yFrom + LANES);
        FloatVector a02 = FloatVector.fromArray(FLOATS, y, yFrom + 2 * LANES);
        FloatVector a03 = FloatVector.fromArray(FLOATS, y, yFrom + 3 * LANES);
        for (int i = 0; i < count; i++) {
            long at = w + i * (4L * PANEL);
            FloatVector w0 = FloatVector.fromMemorySegment(FLOATS, ALL, at, LITTLE);
            FloatVector w1 = FloatVector.fromMemorySegment(FLOATS, ALL, at + VECTOR, LITTLE);
            FloatVector w2 = FloatVector.fromMemorySegment(FLOATS, ALL, at + 2 * VECTOR, LITTLE);
            FloatVector w3 = FloatVector.fromMemorySegment(FLOATS, ALL, at + 3 * VECTOR, LITTLE);
            FloatVector b0 = FloatVector.broadcast(FLOATS, x[xFrom + i]);
            a00 = w0.fma(b0, a00);
            a01 = w1.fma(b0, a01);
            a02 = w2.fma(b0, a02);
            a03 = w3.fma(b0, a03);
        }
        a00.intoArray(y, yFrom);
        a01.intoArray(y, yFrom + LANES);
        a02.intoArray(y, yFrom + 2 * LANES);
        a03.intoArray(y, yFrom + 3 * LANES);
    }

    /** Two rows by a panel of F32. */
    static void f32x2(long w, float[] x, int xFrom, int stride, int count, float[] y, int yFrom) {
        int x1 = xFrom + stride;
        FloatVector a00 = FloatVector.fromArray(FLOATS, y, yFrom);
        FloatVector a01 = FloatVector.fromArray(FLOATS, y, yFrom + LANES);
        FloatVector a02 = FloatVector.fromArray(FLOATS, y, yFrom + 2 * LANES);
        FloatVector a03 = FloatVector.fromArray(FLOATS, y, yFrom + 3 * LANES);
        FloatVector a10 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL);
        FloatVector a11 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + LANES);
        FloatVector a12 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + 2 * LANES);
        FloatVector a13 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + 3 * LANES);
        for (int i = 0; i < count; i++) {
            long at = w + i * (4L * PANEL);
            FloatVector w0 = FloatVector.fromMemorySegment(FLOATS, ALL, at, LITTLE);
            FloatVector w1 = FloatVector.fromMemorySegment(FLOATS, ALL, at + VECTOR, LITTLE);
            FloatVector w2 = FloatVector.fromMemorySegment(FLOATS, ALL, at + 2 * VECTOR, LITTLE);
            FloatVector w3 = FloatVector.fromMemorySegment(FLOATS, ALL, at + 3 * VECTOR, LITTLE);
            FloatVector b0 = FloatVector.broadcast(FLOATS, x[xFrom + i]);
            a00 = w0.fma(b0, a00);
            a01 = w1.fma(b0, a01);
            a02 = w2.fma(b0, a02);
            a03 = w3.fma(b0, a03);
            FloatVector b1 = FloatVector.broadcast(FLOATS, x[x1 + i]);
            a10 = w0.fma(b1, a10);
            a11 = w1.fma(b1, a11);
            a12 = w2.fma(b1, a12);
            a13 = w3.fma(b1, a13);
        }
        a00.intoArray(y, yFrom);
        a01.intoArray(y, yFrom + LANES);
        a02.intoArray(y, yFrom + 2 * LANES);
        a03.intoArray(y, yFrom + 3 * LANES);
        a10.intoArray(y, yFrom + PANEL);
        a11.intoArray(y, yFrom + PANEL + LANES);
        a12.intoArray(y, yFrom + PANEL + 2 * LANES);
        a13.intoArray(y, yFrom + PANEL + 3 * LANES);
    }

    /** Four rows by a panel of F32. */
    static void f32x4(long w, float[] x, int xFrom, int stride, int count, float[] y, int yFrom) {
        int x1 = xFrom + stride;
        int x2 = x1 + stride;
        int x3 = x2 + stride;
        FloatVector a00 = FloatVector.fromArray(FLOATS, y, yFrom);
        FloatVector a01 = FloatVector.fromArray(FLOATS, y, yFrom + LANES);
        FloatVector a02 = FloatVector.fromArray(FLOATS, y, yFrom + 2 * LANES);
        FloatVector a03 = FloatVector.fromArray(FLOATS, y, yFrom + 3 * LANES);
        FloatVector a10 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL);
        FloatVector a11 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + LANES);
        FloatVector a12 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + 2 * LANES);
        FloatVector a13 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + 3 * LANES);
        FloatVector a20 = FloatVector.fromArray(FLOATS, y, yFrom + 2 * PANEL);
        FloatVector a21 = FloatVector.fromArray(FLOATS, y, yFrom + 2 * PANEL + LANES);
        FloatVector a22 = FloatVector.fromArray(FLOATS, y, yFrom + 2 * PANEL + 2 * LANES);
        FloatVector a23 = FloatVector.fromArray(FLOATS, y, yFrom + 2 * PANEL + 3 * LANES);
        FloatVector a30 = FloatVector.fromArray(FLOATS, y, yFrom + 3 * PANEL);
        FloatVector a31 = FloatVector.fromArray(FLOATS, y, yFrom + 3 * PANEL + LANES);
        FloatVector a32 = FloatVector.fromArray(FLOATS, y, yFrom + 3 * PANEL + 2 * LANES);
        FloatVector a33 = FloatVector.fromArray(FLOATS, y, yFrom + 3 * PANEL + 3 * LANES);
        for (int i = 0; i < count; i++) {
            long at = w + i * (4L * PANEL);
            FloatVector w0 = FloatVector.fromMemorySegment(FLOATS, ALL, at, LITTLE);
            FloatVector w1 = FloatVector.fromMemorySegment(FLOATS, ALL, at + VECTOR, LITTLE);
            FloatVector w2 = FloatVector.fromMemorySegment(FLOATS, ALL, at + 2 * VECTOR, LITTLE);
            FloatVector w3 = FloatVector.fromMemorySegment(FLOATS, ALL, at + 3 * VECTOR, LITTLE);
            FloatVector b0 = FloatVector.broadcast(FLOATS, x[xFrom + i]);
            a00 = w0.fma(b0, a00);
            a01 = w1.fma(b0, a01);
            a02 = w2.fma(b0, a02);
            a03 = w3.fma(b0, a03);
            FloatVector b1 = FloatVector.broadcast(FLOATS, x[x1 + i]);
            a10 = w0.fma(b1, a10);
            a11 = w1.fma(b1, a11);
            a12 = w2.fma(b1, a12);
            a13 = w3.fma(b1, a13);
            FloatVector b2 = FloatVector.broadcast(FLOATS, x[x2 + i]);
            a20 = w0.fma(b2, a20);
            a21 = w1.fma(b2, a21);
            a22 = w2.fma(b2, a22);
            a23 = w3.fma(b2, a23);
            FloatVector b3 = FloatVector.broadcast(FLOATS, x[x3 + i]);
            a30 = w0.fma(b3, a30);
            a31 = w1.fma(b3, a31);
            a32 = w2.fma(b3, a32);
            a33 = w3.fma(b3, a33);
        }
        a00.intoArray(y, yFrom);
        a01.intoArray(y, yFrom + LANES);
        a02.intoArray(y, yFrom + 2 * LANES);
        a03.intoArray(y, yFrom + 3 * LANES);
        a10.intoArray(y, yFrom + PANEL);
        a11.intoArray(y, yFrom + PANEL + LANES);
        a12.intoArray(y, yFrom + PANEL + 2 * LANES);
        a13.intoArray(y, yFrom + PANEL + 3 * LANES);
        a20.intoArray(y, yFrom + 2 * PANEL);
        a21.intoArray(y, yFrom + 2 * PANEL + LANES);
        a22.intoArray(y, yFrom + 2 * PANEL + 2 * LANES);
        a23.intoArray(y, yFrom + 2 * PANEL + 3 * LANES);
        a30.intoArray(y, yFrom + 3 * PANEL);
        a31.intoArray(y, yFrom + 3 * PANEL + LANES);
        a32.intoArray(y, yFrom + 3 * PANEL + 2 * LANES);
        a33.intoArray(y, yFrom + 3 * PANEL + 3 * LANES);
    }

    /** Six rows by a panel of F32. */
    static void f32x6(long w, float[] x, int xFrom, int stride, int count, float[] y, int yFrom) {
        int x1 = xFrom + stride;
        int x2 = x1 + stride;
        int x3 = x2 + stride;
        int x4 = x3 + stride;
        int x5 = x4 + stride;
        FloatVector a00 = FloatVector.fromArray(FLOATS, y, yFrom);
        FloatVector a01 = FloatVector.fromArray(FLOATS, y, yFrom + LANES);
        FloatVector a02 = FloatVector.fromArray(FLOATS, y, yFrom + 2 * LANES);
        FloatVector a03 = FloatVector.fromArray(FLOATS, y, yFrom + 3 * LANES);
        FloatVector a10 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL);
        FloatVector a11 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + LANES);
        FloatVector a12 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + 2 * LANES);
        FloatVector a13 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + 3 * LANES);
        FloatVector a20 = FloatVector.fromArray(FLOATS, y, yFrom + 2 * PANEL);
        FloatVector a21 = FloatVector.fromArray(FLOATS, y, yFrom + 2 * PANEL + LANES);
        FloatVector a22 = FloatVector.fromArray(FLOATS, y, yFrom + 2 * PANEL + 2 * LANES);
        FloatVector a23 = FloatVector.fromArray(FLOATS, y, yFrom + 2 * PANEL + 3 * LANES);
        FloatVector a30 = FloatVector.fromArray(FLOATS, y, yFrom + 3 * PANEL);
        FloatVector a31 = FloatVector.fromArray(FLOATS, y, yFrom + 3 * PANEL + LANES);
        FloatVector a32 = FloatVector.fromArray(FLOATS, y, yFrom + 3 * PANEL + 2 * LANES);
        FloatVector a33 = FloatVector.fromArray(FLOATS, y, yFrom + 3 * PANEL + 3 * LANES);
        FloatVector a40 = FloatVector.fromArray(FLOATS, y, yFrom + 4 * PANEL);
        FloatVector a41 = FloatVector.fromArray(FLOATS, y, yFrom + 4 * PANEL + LANES);
        FloatVector a42 = FloatVector.fromArray(FLOATS, y, yFrom + 4 * PANEL + 2 * LANES);
        FloatVector a43 = FloatVector.fromArray(FLOATS, y, yFrom + 4 * PANEL + 3 * LANES);
        FloatVector a50 = FloatVector.fromArray(FLOATS, y, yFrom + 5 * PANEL);
        FloatVector a51 = FloatVector.fromArray(FLOATS, y, yFrom + 5 * PANEL + LANES);
        FloatVector a52 = FloatVector.fromArray(FLOATS, y, yFrom + 5 * PANEL + 2 * LANES);
        FloatVector a53 = FloatVector.fromArray(FLOATS, y, yFrom + 5 * PANEL + 3 * LANES);
        for (int i = 0; i < count; i++) {
            long at = w + i * (4L * PANEL);
            FloatVector w0 = FloatVector.fromMemorySegment(FLOATS, ALL, at, LITTLE);
            FloatVector w1 = FloatVector.fromMemorySegment(FLOATS, ALL, at + VECTOR, LITTLE);
            FloatVector w2 = FloatVector.fromMemorySegment(FLOATS, ALL, at + 2 * VECTOR, LITTLE);
            FloatVector w3 = FloatVector.fromMemorySegment(FLOATS, ALL, at + 3 * VECTOR, LITTLE);
            FloatVector b0 = FloatVector.broadcast(FLOATS, x[xFrom + i]);
            a00 = w0.fma(b0, a00);
            a01 = w1.fma(b0, a01);
            a02 = w2.fma(b0, a02);
            a03 = w3.fma(b0, a03);
            FloatVector b1 = FloatVector.broadcast(FLOATS, x[x1 + i]);
            a10 = w0.fma(b1, a10);
            a11 = w1.fma(b1, a11);
            a12 = w2.fma(b1, a12);
            a13 = w3.fma(b1, a13);
            FloatVector b2 = FloatVector.broadcast(FLOATS, x[x2 + i]);
            a20 = w0.fma(b2, a20);
            a21 = w1.fma(b2, a21);
            a22 = w2.fma(b2, a22);
            a23 = w3.fma(b2, a23);
            FloatVector b3 = FloatVector.broadcast(FLOATS, x[x3 + i]);
            a30 = w0.fma(b3, a30);
            a31 = w1.fma(b3, a31);
            a32 = w2.fma(b3, a32);
            a33 = w3.fma(b3, a33);
            FloatVector b4 = FloatVector.broadcast(FLOATS, x[x4 + i]);
            a40 = w0.fma(b4, a40);
            a41 = w1.fma(b4, a41);
            a42 = w2.fma(b4, a42);
            a43 = w3.fma(b4, a43);
            FloatVector b5 = FloatVector.broadcast(FLOATS, x[x5 + i]);
            a50 = w0.fma(b5, a50);
            a51 = w1.fma(b5, a51);
            a52 = w2.fma(b5, a52);
            a53 = w3.fma(b5, a53);
        }
        a00.intoArray(y, yFrom);
        a01.intoArray(y, yFrom + LANES);
        a02.intoArray(y, yFrom + 2 * LANES);
        a03.intoArray(y, yFrom + 3 * LANES);
        a10.intoArray(y, yFrom + PANEL);
        a11.intoArray(y, yFrom + PANEL + LANES);
        a12.intoArray(y, yFrom + PANEL + 2 * LANES);
        a13.intoArray(y, yFrom + PANEL + 3 * LANES);
        a20.intoArray(y, yFrom + 2 * PANEL);
        a21.intoArray(y, yFrom + 2 * PANEL + LANES);
        a22.intoArray(y, yFrom + 2 * PANEL + 2 * LANES);
        a23.intoArray(y, yFrom + 2 * PANEL + 3 * LANES);
        a30.intoArray(y, yFrom + 3 * PANEL);
        a31.intoArray(y, yFrom + 3 * PANEL + LANES);
        a32.intoArray(y, yFrom + 3 * PANEL + 2 * LANES);
        a33.intoArray(y, yFrom + 3 * PANEL + 3 * LANES);
        a40.intoArray(y, yFrom + 4 * PANEL);
        a41.intoArray(y, yFrom + 4 * PANEL + LANES);
        a42.intoArray(y, yFrom + 4 * PANEL + 2 * LANES);
        a43.intoArray(y, yFrom + 4 * PANEL + 3 * LANES);
        a50.intoArray(y, yFrom + 5 * PANEL);
        a51.intoArray(y, yFrom + 5 * PANEL + LANES);
        a52.intoArray(y, yFrom + 5 * PANEL + 2 * LANES);
        a53.intoArray(y, yFrom + 5 * PANEL + 3 * LANES);
    }

    /** One row by a panel of BF16. */
    static void bf16x1(long w, float[] x, int xFrom, int stride, int count, float[] y, int yFrom) {
        FloatVector a00 = FloatVector.fromArray(FLOATS, y, yFrom);
        FloatVector a01 = FloatVector.fromArray(FLOATS, y, yFrom + LANES);
        FloatVector a02 = FloatVector.fromArray(FLOATS, y, yFrom + 2 * LANES);
        FloatVector a03 = FloatVector.fromArray(FLOATS, y, yFrom + 3 * LANES);
        for (int i = 0; i < count; i++) {
            long at = w + i * (2L * PANEL);
            IntVector p = IntVector.fromMemorySegment(INTS, ALL, at, LITTLE);
            IntVector q = IntVector.fromMemorySegment(INTS, ALL, at + VECTOR, LITTLE);
            FloatVector w0 = low(p);
            FloatVector w1 = high(p);
            FloatVector w2 = low(q);
            FloatVector w3 = high(q);
            FloatVector b0 = FloatVector.broadcast(FLOATS, x[xFrom + i]);
            a00 = w0.fma(b0, a00);
            a01 = w1.fma(b0, a01);
            a02 = w2.fma(b0, a02);
            a03 = w3.fma(b0, a03);
        }
        a00.intoArray(y, yFrom);
        a01.intoArray(y, yFrom + LANES);
        a02.intoArray(y, yFrom + 2 * LANES);
        a03.intoArray(y, yFrom + 3 * LANES);
    }

    /** Two rows by a panel of BF16. */
    static void bf16x2(long w, float[] x, int xFrom, int stride, int count, float[] y, int yFrom) {
        int x1 = xFrom + stride;
        FloatVector a00 = FloatVector.fromArray(FLOATS, y, yFrom);
        FloatVector a01 = FloatVector.fromArray(FLOATS, y, yFrom + LANES);
        FloatVector a02 = FloatVector.fromArray(FLOATS, y, yFrom + 2 * LANES);
        FloatVector a03 = FloatVector.fromArray(FLOATS, y, yFrom + 3 * LANES);
        FloatVector a10 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL);
        FloatVector a11 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + LANES);
        FloatVector a12 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + 2 * LANES);
        FloatVector a13 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + 3 * LANES);
        for (int i = 0; i < count; i++) {
            long at = w + i * (2L * PANEL);
            IntVector p = IntVector.fromMemorySegment(INTS, ALL, at, LITTLE);
            IntVector q = IntVector.fromMemorySegment(INTS, ALL, at + VECTOR, LITTLE);
            FloatVector w0 = low(p);
            FloatVector w1 = high(p);
            FloatVector w2 = low(q);
            FloatVector w3 = high(q);
            FloatVector b0 = FloatVector.broadcast(FLOATS, x[xFrom + i]);
            a00 = w0.fma(b0, a00);
            a01 = w1.fma(b0, a01);
            a02 = w2.fma(b0, a02);
            a03 = w3.fma(b0, a03);
            FloatVector b1 = FloatVector.broadcast(FLOATS, x[x1 + i]);
            a10 = w0.fma(b1, a10);
            a11 = w1.fma(b1, a11);
            a12 = w2.fma(b1, a12);
            a13 = w3.fma(b1, a13);
        }
        a00.intoArray(y, yFrom);
        a01.intoArray(y, yFrom + LANES);
        a02.intoArray(y, yFrom + 2 * LANES);
        a03.intoArray(y, yFrom + 3 * LANES);
        a10.intoArray(y, yFrom + PANEL);
        a11.intoArray(y, yFrom + PANEL + LANES);
        a12.intoArray(y, yFrom + PANEL + 2 * LANES);
        a13.intoArray(y, yFrom + PANEL + 3 * LANES);
    }

    /** Four rows by a panel of BF16. */
    static void bf16x4(long w, float[] x, int xFrom, int stride, int count, float[] y, int yFrom) {
        int x1 = xFrom + stride;
        int x2 = x1 + stride;
        int x3 = x2 + stride;
        FloatVector a00 = FloatVector.fromArray(FLOATS, y, yFrom);
        FloatVector a01 = FloatVector.fromArray(FLOATS, y, yFrom + LANES);
        FloatVector a02 = FloatVector.fromArray(FLOATS, y, yFrom + 2 * LANES);
        FloatVector a03 = FloatVector.fromArray(FLOATS, y, yFrom + 3 * LANES);
        FloatVector a10 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL);
        FloatVector a11 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + LANES);
        FloatVector a12 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + 2 * LANES);
        FloatVector a13 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + 3 * LANES);
        FloatVector a20 = FloatVector.fromArray(FLOATS, y, yFrom + 2 * PANEL);
        FloatVector a21 = FloatVector.fromArray(FLOATS, y, yFrom + 2 * PANEL + LANES);
        FloatVector a22 = FloatVector.fromArray(FLOATS, y, yFrom + 2 * PANEL + 2 * LANES);
        FloatVector a23 = FloatVector.fromArray(FLOATS, y, yFrom + 2 * PANEL + 3 * LANES);
        FloatVector a30 = FloatVector.fromArray(FLOATS, y, yFrom + 3 * PANEL);
        FloatVector a31 = FloatVector.fromArray(FLOATS, y, yFrom + 3 * PANEL + LANES);
        FloatVector a32 = FloatVector.fromArray(FLOATS, y, yFrom + 3 * PANEL + 2 * LANES);
        FloatVector a33 = FloatVector.fromArray(FLOATS, y, yFrom + 3 * PANEL + 3 * LANES);
        for (int i = 0; i < count; i++) {
            long at = w + i * (2L * PANEL);
            IntVector p = IntVector.fromMemorySegment(INTS, ALL, at, LITTLE);
            IntVector q = IntVector.fromMemorySegment(INTS, ALL, at + VECTOR, LITTLE);
            FloatVector w0 = low(p);
            FloatVector w1 = high(p);
            FloatVector w2 = low(q);
            FloatVector w3 = high(q);
            FloatVector b0 = FloatVector.broadcast(FLOATS, x[xFrom + i]);
            a00 = w0.fma(b0, a00);
            a01 = w1.fma(b0, a01);
            a02 = w2.fma(b0, a02);
            a03 = w3.fma(b0, a03);
            FloatVector b1 = FloatVector.broadcast(FLOATS, x[x1 + i]);
            a10 = w0.fma(b1, a10);
            a11 = w1.fma(b1, a11);
            a12 = w2.fma(b1, a12);
            a13 = w3.fma(b1, a13);
            FloatVector b2 = FloatVector.broadcast(FLOATS, x[x2 + i]);
            a20 = w0.fma(b2, a20);
            a21 = w1.fma(b2, a21);
            a22 = w2.fma(b2, a22);
            a23 = w3.fma(b2, a23);
            FloatVector b3 = FloatVector.broadcast(FLOATS, x[x3 + i]);
            a30 = w0.fma(b3, a30);
            a31 = w1.fma(b3, a31);
            a32 = w2.fma(b3, a32);
            a33 = w3.fma(b3, a33);
        }
        a00.intoArray(y, yFrom);
        a01.intoArray(y, yFrom + LANES);
        a02.intoArray(y, yFrom + 2 * LANES);
        a03.intoArray(y, yFrom + 3 * LANES);
        a10.intoArray(y, yFrom + PANEL);
        a11.intoArray(y, yFrom + PANEL + LANES);
        a12.intoArray(y, yFrom + PANEL + 2 * LANES);
        a13.intoArray(y, yFrom + PANEL + 3 * LANES);
        a20.intoArray(y, yFrom + 2 * PANEL);
        a21.intoArray(y, yFrom + 2 * PANEL + LANES);
        a22.intoArray(y, yFrom + 2 * PANEL + 2 * LANES);
        a23.intoArray(y, yFrom + 2 * PANEL + 3 * LANES);
        a30.intoArray(y, yFrom + 3 * PANEL);
        a31.intoArray(y, yFrom + 3 * PANEL + LANES);
        a32.intoArray(y, yFrom + 3 * PANEL + 2 * LANES);
        a33.intoArray(y, yFrom + 3 * PANEL + 3 * LANES);
    }

    /** One row by a panel of Q8_0. */
    static void q8x1(long w, long scales, float[] x, int xFrom, int stride, int count, float[] y, int yFrom) {
        FloatVector a00 = FloatVector.fromArray(FLOATS, y, yFrom);
        FloatVector a01 = FloatVector.fromArray(FLOATS, y, yFrom + LANES);
        FloatVector a02 = FloatVector.fromArray(FLOATS, y, yFrom + 2 * LANES);
        FloatVector a03 = FloatVector.fromArray(FLOATS, y, yFrom + 3 * LANES);
        long at = w;
        long scale = scales;
        for (int k = 0; k < count; k += Q8_BLOCK) {
            FloatVector s0 = FloatVector.fromMemorySegment(FLOATS, ALL, scale, LITTLE);
            FloatVector s1 = FloatVector.fromMemorySegment(FLOATS, ALL, scale + VECTOR, LITTLE);
            FloatVector s2 = FloatVector.fromMemorySegment(FLOATS, ALL, scale + 2 * VECTOR, LITTLE);
            FloatVector s3 = FloatVector.fromMemorySegment(FLOATS, ALL, scale + 3 * VECTOR, LITTLE);
            scale += 4 * VECTOR;
            FloatVector c0 = s0.mul(-Q8_BIAS);
            FloatVector c1 = s1.mul(-Q8_BIAS);
            FloatVector c2 = s2.mul(-Q8_BIAS);
            FloatVector c3 = s3.mul(-Q8_BIAS);
            at += 2 * VECTOR;
            int end = Math.min(k + Q8_BLOCK, count);
            for (int i = k; i < end; i++) {
                IntVector v = IntVector.fromMemorySegment(INTS, ALL, at, LITTLE);
                at += VECTOR;
                FloatVector w0 = byte0(v).fma(s0, c0);
                FloatVector w1 = byte1(v).fma(s1, c1);
                FloatVector w2 = byte2(v).fma(s2, c2);
                FloatVector w3 = byte3(v).fma(s3, c3);
                FloatVector b0 = FloatVector.broadcast(FLOATS, x[xFrom + i]);
                a00 = w0.fma(b0, a00);
                a01 = w1.fma(b0, a01);
                a02 = w2.fma(b0, a02);
                a03 = w3.fma(b0, a03);
            }
        }
        a00.intoArray(y, yFrom);
        a01.intoArray(y, yFrom + LANES);
        a02.intoArray(y, yFrom + 2 * LANES);
        a03.intoArray(y, yFrom + 3 * LANES);
    }

    /** Two rows by a panel of Q8_0. */
    static void q8x2(long w, long scales, float[] x, int xFrom, int stride, int count, float[] y, int yFrom) {
        int x1 = xFrom + stride;
        FloatVector a00 = FloatVector.fromArray(FLOATS, y, yFrom);
        FloatVector a01 = FloatVector.fromArray(FLOATS, y, yFrom + LANES);
        FloatVector a02 = FloatVector.fromArray(FLOATS, y, yFrom + 2 * LANES);
        FloatVector a03 = FloatVector.fromArray(FLOATS, y, yFrom + 3 * LANES);
        FloatVector a10 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL);
        FloatVector a11 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + LANES);
        FloatVector a12 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + 2 * LANES);
        FloatVector a13 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + 3 * LANES);
        long at = w;
        long scale = scales;
        for (int k = 0; k < count; k += Q8_BLOCK) {
            FloatVector s0 = FloatVector.fromMemorySegment(FLOATS, ALL, scale, LITTLE);
            FloatVector s1 = FloatVector.fromMemorySegment(FLOATS, ALL, scale + VECTOR, LITTLE);
            FloatVector s2 = FloatVector.fromMemorySegment(FLOATS, ALL, scale + 2 * VECTOR, LITTLE);
            FloatVector s3 = FloatVector.fromMemorySegment(FLOATS, ALL, scale + 3 * VECTOR, LITTLE);
            scale += 4 * VECTOR;
            FloatVector c0 = s0.mul(-Q8_BIAS);
            FloatVector c1 = s1.mul(-Q8_BIAS);
            FloatVector c2 = s2.mul(-Q8_BIAS);
            FloatVector c3 = s3.mul(-Q8_BIAS);
            at += 2 * VECTOR;
            int end = Math.min(k + Q8_BLOCK, count);
            for (int i = k; i < end; i++) {
                IntVector v = IntVector.fromMemorySegment(INTS, ALL, at, LITTLE);
                at += VECTOR;
                FloatVector w0 = byte0(v).fma(s0, c0);
                FloatVector w1 = byte1(v).fma(s1, c1);
                FloatVector w2 = byte2(v).fma(s2, c2);
                FloatVector w3 = byte3(v).fma(s3, c3);
                FloatVector b0 = FloatVector.broadcast(FLOATS, x[xFrom + i]);
                a00 = w0.fma(b0, a00);
                a01 = w1.fma(b0, a01);
                a02 = w2.fma(b0, a02);
                a03 = w3.fma(b0, a03);
                FloatVector b1 = FloatVector.broadcast(FLOATS, x[x1 + i]);
                a10 = w0.fma(b1, a10);
                a11 = w1.fma(b1, a11);
                a12 = w2.fma(b1, a12);
                a13 = w3.fma(b1, a13);
            }
        }
        a00.intoArray(y, yFrom);
        a01.intoArray(y, yFrom + LANES);
        a02.intoArray(y, yFrom + 2 * LANES);
        a03.intoArray(y, yFrom + 3 * LANES);
        a10.intoArray(y, yFrom + PANEL);
        a11.intoArray(y, yFrom + PANEL + LANES);
        a12.intoArray(y, yFrom + PANEL + 2 * LANES);
        a13.intoArray(y, yFrom + PANEL + 3 * LANES);
    }
}
