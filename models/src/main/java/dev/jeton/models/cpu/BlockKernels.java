package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;
import static dev.jeton.models.cpu.Kernels.halfHigh;
import static dev.jeton.models.cpu.Kernels.halfLow;
import static dev.jeton.models.cpu.NativeMemory.ALL;
import static dev.jeton.models.vector.VectorMath.FLOATS;
import static dev.jeton.models.vector.VectorMath.INTS;
import static dev.jeton.models.vector.VectorMath.LANES;

import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * The kernels of {@link Kernels} for ggml's blocks of 256 inputs: Q4_K, Q5_K and Q6_K, at 4.625, 5.625 and 6.5625 bits a
 * weight. Order of summation and rules are the same, and so are the values: of a weight of Q4_K or Q5_K, {@code (d *
 * scale) * q - m * offset}, both products are exact in a float and the difference is rounded once, as ggml's formula has
 * it; one of Q6_K, {@code (d * scale) * (q - 32)}, has 24 significant bits at most.
 *
 * <p>Layouts, for one panel, in vectors of ints. Numbers of one output are in one lane, so that integer dot products over
 * four bytes find four inputs of an output side by side after a shift and a mask; four vectors hold the same inputs of
 * the four quarters of a panel. Input i of eight is in the low half of byte i / 2 of an int where it is even, in the high
 * half where it is odd.
 *
 * <ul>
 *   <li>Q4_K: d as binary16 of quarters 0 and 1, of 2 and 3, m likewise; then 8 times, for each 32 inputs: scales, a
 *       byte for each quarter; offsets likewise; 4 times 4 vectors of 8 inputs.
 *   <li>Q5_K: the same with 4 vectors of fifth bits after the offsets: of inputs 8 j and on, input i's is bit {@code 8 (i
 *       / 2) + 2 j + i % 2}.
 *   <li>Q6_K: d; then 16 times, for each 16 inputs: signed scales; 4 vectors of upper bits, of inputs 8 j and on, input
 *       i's are bits {@code 8 (i / 2) + 4 j + 2 (i % 2)} and the next; twice 4 vectors of lower bits of 8 inputs.
 * </ul>
 *
 * <p>Limits. One row takes a shift, a mask, a conversion and two fma for 16 weights (two more operations in Q5_K, three in
 * Q6_K): a core at 4 GHz does some 40 billion weights a second, 23 GB/s of Q4_K, so that two are near what memory
 * delivers.
 */
final class BlockKernels {

    /** Inputs of a block. */
    static final int K_BLOCK = 256;

    /** Bytes of a vector. */
    private static final long VECTOR = 4L * LANES;

    /** Bytes of a group of inputs that share a scale, and of a block. */
    static final long Q4_GROUP = 18 * VECTOR;

    static final long Q4_BYTES = 4 * VECTOR + 8 * Q4_GROUP;
    static final long Q5_GROUP = 22 * VECTOR;
    static final long Q5_BYTES = 4 * VECTOR + 8 * Q5_GROUP;
    static final long Q6_GROUP = 13 * VECTOR;
    static final long Q6_BYTES = 2 * VECTOR + 16 * Q6_GROUP;

    private static final ByteOrder LITTLE = ByteOrder.LITTLE_ENDIAN;

    private BlockKernels() {}

    private static IntVector load(long at) {
        return IntVector.fromMemorySegment(INTS, ALL, at, LITTLE);
    }

    private static FloatVector real(IntVector whole) {
        return (FloatVector) whole.convert(VectorOperators.I2F, 0);
    }

    private static FloatVector unsigned(IntVector bytes, int shift) {
        return real(bytes.lanewise(VectorOperators.LSHR, shift).and(0xFF));
    }

    private static FloatVector signed(IntVector bytes, int shift) {
        return real(bytes.lanewise(VectorOperators.LSHL, shift).lanewise(VectorOperators.ASHR, 24));
    }

    /** Upper bits, turned so that the first input's are at bit 4. */
    private static IntVector upper(long at) {
        return load(at).lanewise(VectorOperators.ROL, 4);
    }

    private static FloatVector even(IntVector v, FloatVector s, FloatVector c) {
        return real(v.and(15)).fma(s, c);
    }

    private static FloatVector odd(IntVector v, FloatVector s, FloatVector c) {
        return real(v.lanewise(VectorOperators.LSHR, 4).and(15)).fma(s, c);
    }

    private static FloatVector even5(IntVector v, IntVector h, FloatVector s, FloatVector c) {
        return real(v.and(15).or(h.and(16))).fma(s, c);
    }

    private static FloatVector odd5(IntVector v, IntVector h, FloatVector s, FloatVector c) {
        IntVector low = v.lanewise(VectorOperators.LSHR, 4).and(15);
        return real(low.or(h.lanewise(VectorOperators.LSHR, 1).and(16))).fma(s, c);
    }

    private static FloatVector even6(IntVector v, IntVector h, FloatVector s, FloatVector c) {
        return real(v.and(15).or(h.and(48))).fma(s, c);
    }

    private static FloatVector odd6(IntVector v, IntVector h, FloatVector s, FloatVector c) {
        IntVector low = v.lanewise(VectorOperators.LSHR, 4).and(15);
        return real(low.or(h.lanewise(VectorOperators.LSHR, 2).and(48))).fma(s, c);
    }

    /** One row by inputs {@code k} to {@code k + count} of a panel of Q4_K. */
    static void q4x1(long panel, int k, float[] x, int xFrom, int stride, int count, float[] y, int yFrom) {
        FloatVector a00 = FloatVector.fromArray(FLOATS, y, yFrom);
        FloatVector a01 = FloatVector.fromArray(FLOATS, y, yFrom + LANES);
        FloatVector a02 = FloatVector.fromArray(FLOATS, y, yFrom + 2 * LANES);
        FloatVector a03 = FloatVector.fromArray(FLOATS, y, yFrom + 3 * LANES);
        int at0 = xFrom;
        for (int i = k; i < k + count; ) {
            long block = panel + i / K_BLOCK * Q4_BYTES;
            int end = Math.min(k + count, (i / K_BLOCK + 1) * K_BLOCK);
            IntVector p = load(block);
            IntVector q = load(block + VECTOR);
            FloatVector d0 = halfLow(p);
            FloatVector d1 = halfHigh(p);
            FloatVector d2 = halfLow(q);
            FloatVector d3 = halfHigh(q);
            IntVector o = load(block + 2 * VECTOR);
            IntVector r = load(block + 3 * VECTOR);
            FloatVector m0 = halfLow(o).neg();
            FloatVector m1 = halfHigh(o).neg();
            FloatVector m2 = halfLow(r).neg();
            FloatVector m3 = halfHigh(r).neg();
            for (; i < end; i += 32) {
                long at = block + 4 * VECTOR + i % K_BLOCK / 32 * Q4_GROUP;
                IntVector scales = load(at);
                IntVector offsets = load(at + VECTOR);
                FloatVector s0 = unsigned(scales, 0).mul(d0);
                FloatVector s1 = unsigned(scales, 8).mul(d1);
                FloatVector s2 = unsigned(scales, 16).mul(d2);
                FloatVector s3 = unsigned(scales, 24).mul(d3);
                FloatVector c0 = unsigned(offsets, 0).mul(m0);
                FloatVector c1 = unsigned(offsets, 8).mul(m1);
                FloatVector c2 = unsigned(offsets, 16).mul(m2);
                FloatVector c3 = unsigned(offsets, 24).mul(m3);
                at += 2 * VECTOR;
                for (int j = 0; j < 32; j += 8) {
                    IntVector v0 = load(at);
                    IntVector v1 = load(at + VECTOR);
                    IntVector v2 = load(at + 2 * VECTOR);
                    IntVector v3 = load(at + 3 * VECTOR);
                    at += 4 * VECTOR;
                    for (int t = 0; t < 4; t++) {
                        FloatVector b00 = FloatVector.broadcast(FLOATS, x[at0]);
                        a00 = even(v0, s0, c0).fma(b00, a00);
                        a01 = even(v1, s1, c1).fma(b00, a01);
                        a02 = even(v2, s2, c2).fma(b00, a02);
                        a03 = even(v3, s3, c3).fma(b00, a03);
                        FloatVector b01 = FloatVector.broadcast(FLOATS, x[at0 + 1]);
                        a00 = odd(v0, s0, c0).fma(b01, a00);
                        a01 = odd(v1, s1, c1).fma(b01, a01);
                        a02 = odd(v2, s2, c2).fma(b01, a02);
                        a03 = odd(v3, s3, c3).fma(b01, a03);
                        v0 = v0.lanewise(VectorOperators.LSHR, 8);
                        v1 = v1.lanewise(VectorOperators.LSHR, 8);
                        v2 = v2.lanewise(VectorOperators.LSHR, 8);
                        v3 = v3.lanewise(VectorOperators.LSHR, 8);
                        at0 += 2;
                    }
                }
            }
        }
        a00.intoArray(y, yFrom);
        a01.intoArray(y, yFrom + LANES);
        a02.intoArray(y, yFrom + 2 * LANES);
        a03.intoArray(y, yFrom + 3 * LANES);
    }

    /** Two rows by inputs {@code k} to {@code k + count} of a panel of Q4_K. */
    static void q4x2(long panel, int k, float[] x, int xFrom, int stride, int count, float[] y, int yFrom) {
        FloatVector a00 = FloatVector.fromArray(FLOATS, y, yFrom);
        FloatVector a01 = FloatVector.fromArray(FLOATS, y, yFrom + LANES);
        FloatVector a02 = FloatVector.fromArray(FLOATS, y, yFrom + 2 * LANES);
        FloatVector a03 = FloatVector.fromArray(FLOATS, y, yFrom + 3 * LANES);
        FloatVector a10 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL);
        FloatVector a11 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + LANES);
        FloatVector a12 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + 2 * LANES);
        FloatVector a13 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + 3 * LANES);
        int at0 = xFrom;
        int at1 = xFrom + stride;
        for (int i = k; i < k + count; ) {
            long block = panel + i / K_BLOCK * Q4_BYTES;
            int end = Math.min(k + count, (i / K_BLOCK + 1) * K_BLOCK);
            IntVector p = load(block);
            IntVector q = load(block + VECTOR);
            FloatVector d0 = halfLow(p);
            FloatVector d1 = halfHigh(p);
            FloatVector d2 = halfLow(q);
            FloatVector d3 = halfHigh(q);
            IntVector o = load(block + 2 * VECTOR);
            IntVector r = load(block + 3 * VECTOR);
            FloatVector m0 = halfLow(o).neg();
            FloatVector m1 = halfHigh(o).neg();
            FloatVector m2 = halfLow(r).neg();
            FloatVector m3 = halfHigh(r).neg();
            for (; i < end; i += 32) {
                long at = block + 4 * VECTOR + i % K_BLOCK / 32 * Q4_GROUP;
                IntVector scales = load(at);
                IntVector offsets = load(at + VECTOR);
                FloatVector s0 = unsigned(scales, 0).mul(d0);
                FloatVector s1 = unsigned(scales, 8).mul(d1);
                FloatVector s2 = unsigned(scales, 16).mul(d2);
                FloatVector s3 = unsigned(scales, 24).mul(d3);
                FloatVector c0 = unsigned(offsets, 0).mul(m0);
                FloatVector c1 = unsigned(offsets, 8).mul(m1);
                FloatVector c2 = unsigned(offsets, 16).mul(m2);
                FloatVector c3 = unsigned(offsets, 24).mul(m3);
                at += 2 * VECTOR;
                for (int j = 0; j < 32; j += 8) {
                    IntVector v0 = load(at);
                    IntVector v1 = load(at + VECTOR);
                    IntVector v2 = load(at + 2 * VECTOR);
                    IntVector v3 = load(at + 3 * VECTOR);
                    at += 4 * VECTOR;
                    for (int t = 0; t < 4; t++) {
                        FloatVector b00 = FloatVector.broadcast(FLOATS, x[at0]);
                        FloatVector b10 = FloatVector.broadcast(FLOATS, x[at1]);
                        FloatVector w00 = even(v0, s0, c0);
                        a00 = w00.fma(b00, a00);
                        a10 = w00.fma(b10, a10);
                        FloatVector w01 = even(v1, s1, c1);
                        a01 = w01.fma(b00, a01);
                        a11 = w01.fma(b10, a11);
                        FloatVector w02 = even(v2, s2, c2);
                        a02 = w02.fma(b00, a02);
                        a12 = w02.fma(b10, a12);
                        FloatVector w03 = even(v3, s3, c3);
                        a03 = w03.fma(b00, a03);
                        a13 = w03.fma(b10, a13);
                        FloatVector b01 = FloatVector.broadcast(FLOATS, x[at0 + 1]);
                        FloatVector b11 = FloatVector.broadcast(FLOATS, x[at1 + 1]);
                        FloatVector w10 = odd(v0, s0, c0);
                        a00 = w10.fma(b01, a00);
                        a10 = w10.fma(b11, a10);
                        FloatVector w11 = odd(v1, s1, c1);
                        a01 = w11.fma(b01, a01);
                        a11 = w11.fma(b11, a11);
                        FloatVector w12 = odd(v2, s2, c2);
                        a02 = w12.fma(b01, a02);
                        a12 = w12.fma(b11, a12);
                        FloatVector w13 = odd(v3, s3, c3);
                        a03 = w13.fma(b01, a03);
                        a13 = w13.fma(b11, a13);
                        v0 = v0.lanewise(VectorOperators.LSHR, 8);
                        v1 = v1.lanewise(VectorOperators.LSHR, 8);
                        v2 = v2.lanewise(VectorOperators.LSHR, 8);
                        v3 = v3.lanewise(VectorOperators.LSHR, 8);
                        at0 += 2;
                        at1 += 2;
                    }
                }
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

    /** Widens inputs {@code k} to {@code k + count} of a panel of Q4_K to F32. */
    static void widenQ4(long panel, int k, int count, long slab) {
        long to = slab;
        for (int i = k; i < k + count; ) {
            long block = panel + i / K_BLOCK * Q4_BYTES;
            int end = Math.min(k + count, (i / K_BLOCK + 1) * K_BLOCK);
            IntVector p = load(block);
            IntVector q = load(block + VECTOR);
            FloatVector d0 = halfLow(p);
            FloatVector d1 = halfHigh(p);
            FloatVector d2 = halfLow(q);
            FloatVector d3 = halfHigh(q);
            IntVector o = load(block + 2 * VECTOR);
            IntVector r = load(block + 3 * VECTOR);
            FloatVector m0 = halfLow(o).neg();
            FloatVector m1 = halfHigh(o).neg();
            FloatVector m2 = halfLow(r).neg();
            FloatVector m3 = halfHigh(r).neg();
            for (; i < end; i += 32) {
                long at = block + 4 * VECTOR + i % K_BLOCK / 32 * Q4_GROUP;
                IntVector scales = load(at);
                IntVector offsets = load(at + VECTOR);
                FloatVector s0 = unsigned(scales, 0).mul(d0);
                FloatVector s1 = unsigned(scales, 8).mul(d1);
                FloatVector s2 = unsigned(scales, 16).mul(d2);
                FloatVector s3 = unsigned(scales, 24).mul(d3);
                FloatVector c0 = unsigned(offsets, 0).mul(m0);
                FloatVector c1 = unsigned(offsets, 8).mul(m1);
                FloatVector c2 = unsigned(offsets, 16).mul(m2);
                FloatVector c3 = unsigned(offsets, 24).mul(m3);
                at += 2 * VECTOR;
                for (int j = 0; j < 32; j += 8) {
                    IntVector v0 = load(at);
                    IntVector v1 = load(at + VECTOR);
                    IntVector v2 = load(at + 2 * VECTOR);
                    IntVector v3 = load(at + 3 * VECTOR);
                    at += 4 * VECTOR;
                    for (int t = 0; t < 4; t++) {
                        even(v0, s0, c0).intoMemorySegment(ALL, to, LITTLE);
                        even(v1, s1, c1).intoMemorySegment(ALL, to + VECTOR, LITTLE);
                        even(v2, s2, c2).intoMemorySegment(ALL, to + 2 * VECTOR, LITTLE);
                        even(v3, s3, c3).intoMemorySegment(ALL, to + 3 * VECTOR, LITTLE);
                        odd(v0, s0, c0).intoMemorySegment(ALL, to + 4 * VECTOR, LITTLE);
                        odd(v1, s1, c1).intoMemorySegment(ALL, to + 5 * VECTOR, LITTLE);
                        odd(v2, s2, c2).intoMemorySegment(ALL, to + 6 * VECTOR, LITTLE);
                        odd(v3, s3, c3).intoMemorySegment(ALL, to + 7 * VECTOR, LITTLE);
                        v0 = v0.lanewise(VectorOperators.LSHR, 8);
                        v1 = v1.lanewise(VectorOperators.LSHR, 8);
                        v2 = v2.lanewise(VectorOperators.LSHR, 8);
                        v3 = v3.lanewise(VectorOperators.LSHR, 8);
                        to += 8 * VECTOR;
                    }
                }
            }
        }
    }

    /** One row by inputs {@code k} to {@code k + count} of a panel of Q5_K. */
    static void q5x1(long panel, int k, float[] x, int xFrom, int stride, int count, float[] y, int yFrom) {
        FloatVector a00 = FloatVector.fromArray(FLOATS, y, yFrom);
        FloatVector a01 = FloatVector.fromArray(FLOATS, y, yFrom + LANES);
        FloatVector a02 = FloatVector.fromArray(FLOATS, y, yFrom + 2 * LANES);
        FloatVector a03 = FloatVector.fromArray(FLOATS, y, yFrom + 3 * LANES);
        int at0 = xFrom;
        for (int i = k; i < k + count; ) {
            long block = panel + i / K_BLOCK * Q5_BYTES;
            int end = Math.min(k + count, (i / K_BLOCK + 1) * K_BLOCK);
            IntVector p = load(block);
            IntVector q = load(block + VECTOR);
            FloatVector d0 = halfLow(p);
            FloatVector d1 = halfHigh(p);
            FloatVector d2 = halfLow(q);
            FloatVector d3 = halfHigh(q);
            IntVector o = load(block + 2 * VECTOR);
            IntVector r = load(block + 3 * VECTOR);
            FloatVector m0 = halfLow(o).neg();
            FloatVector m1 = halfHigh(o).neg();
            FloatVector m2 = halfLow(r).neg();
            FloatVector m3 = halfHigh(r).neg();
            for (; i < end; i += 32) {
                long at = block + 4 * VECTOR + i % K_BLOCK / 32 * Q5_GROUP;
                IntVector scales = load(at);
                IntVector offsets = load(at + VECTOR);
                FloatVector s0 = unsigned(scales, 0).mul(d0);
                FloatVector s1 = unsigned(scales, 8).mul(d1);
                FloatVector s2 = unsigned(scales, 16).mul(d2);
                FloatVector s3 = unsigned(scales, 24).mul(d3);
                FloatVector c0 = unsigned(offsets, 0).mul(m0);
                FloatVector c1 = unsigned(offsets, 8).mul(m1);
                FloatVector c2 = unsigned(offsets, 16).mul(m2);
                FloatVector c3 = unsigned(offsets, 24).mul(m3);
                IntVector h0 = upper(at + 2 * VECTOR);
                IntVector h1 = upper(at + 3 * VECTOR);
                IntVector h2 = upper(at + 4 * VECTOR);
                IntVector h3 = upper(at + 5 * VECTOR);
                at += 6 * VECTOR;
                for (int j = 0; j < 32; j += 8) {
                    IntVector v0 = load(at);
                    IntVector v1 = load(at + VECTOR);
                    IntVector v2 = load(at + 2 * VECTOR);
                    IntVector v3 = load(at + 3 * VECTOR);
                    at += 4 * VECTOR;
                    for (int t = 0; t < 4; t++) {
                        FloatVector b00 = FloatVector.broadcast(FLOATS, x[at0]);
                        a00 = even5(v0, h0, s0, c0).fma(b00, a00);
                        a01 = even5(v1, h1, s1, c1).fma(b00, a01);
                        a02 = even5(v2, h2, s2, c2).fma(b00, a02);
                        a03 = even5(v3, h3, s3, c3).fma(b00, a03);
                        FloatVector b01 = FloatVector.broadcast(FLOATS, x[at0 + 1]);
                        a00 = odd5(v0, h0, s0, c0).fma(b01, a00);
                        a01 = odd5(v1, h1, s1, c1).fma(b01, a01);
                        a02 = odd5(v2, h2, s2, c2).fma(b01, a02);
                        a03 = odd5(v3, h3, s3, c3).fma(b01, a03);
                        v0 = v0.lanewise(VectorOperators.LSHR, 8);
                        v1 = v1.lanewise(VectorOperators.LSHR, 8);
                        v2 = v2.lanewise(VectorOperators.LSHR, 8);
                        v3 = v3.lanewise(VectorOperators.LSHR, 8);
                        h0 = h0.lanewise(VectorOperators.ROR, 8);
                        h1 = h1.lanewise(VectorOperators.ROR, 8);
                        h2 = h2.lanewise(VectorOperators.ROR, 8);
                        h3 = h3.lanewise(VectorOperators.ROR, 8);
                        at0 += 2;
                    }
                    h0 = h0.lanewise(VectorOperators.ROR, 2);
                    h1 = h1.lanewise(VectorOperators.ROR, 2);
                    h2 = h2.lanewise(VectorOperators.ROR, 2);
                    h3 = h3.lanewise(VectorOperators.ROR, 2);
                }
            }
        }
        a00.intoArray(y, yFrom);
        a01.intoArray(y, yFrom + LANES);
        a02.intoArray(y, yFrom + 2 * LANES);
        a03.intoArray(y, yFrom + 3 * LANES);
    }

    /** Two rows by inputs {@code k} to {@code k + count} of a panel of Q5_K. */
    static void q5x2(long panel, int k, float[] x, int xFrom, int stride, int count, float[] y, int yFrom) {
        FloatVector a00 = FloatVector.fromArray(FLOATS, y, yFrom);
        FloatVector a01 = FloatVector.fromArray(FLOATS, y, yFrom + LANES);
        FloatVector a02 = FloatVector.fromArray(FLOATS, y, yFrom + 2 * LANES);
        FloatVector a03 = FloatVector.fromArray(FLOATS, y, yFrom + 3 * LANES);
        FloatVector a10 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL);
        FloatVector a11 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + LANES);
        FloatVector a12 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + 2 * LANES);
        FloatVector a13 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + 3 * LANES);
        int at0 = xFrom;
        int at1 = xFrom + stride;
        for (int i = k; i < k + count; ) {
            long block = panel + i / K_BLOCK * Q5_BYTES;
            int end = Math.min(k + count, (i / K_BLOCK + 1) * K_BLOCK);
            IntVector p = load(block);
            IntVector q = load(block + VECTOR);
            FloatVector d0 = halfLow(p);
            FloatVector d1 = halfHigh(p);
            FloatVector d2 = halfLow(q);
            FloatVector d3 = halfHigh(q);
            IntVector o = load(block + 2 * VECTOR);
            IntVector r = load(block + 3 * VECTOR);
            FloatVector m0 = halfLow(o).neg();
            FloatVector m1 = halfHigh(o).neg();
            FloatVector m2 = halfLow(r).neg();
            FloatVector m3 = halfHigh(r).neg();
            for (; i < end; i += 32) {
                long at = block + 4 * VECTOR + i % K_BLOCK / 32 * Q5_GROUP;
                IntVector scales = load(at);
                IntVector offsets = load(at + VECTOR);
                FloatVector s0 = unsigned(scales, 0).mul(d0);
                FloatVector s1 = unsigned(scales, 8).mul(d1);
                FloatVector s2 = unsigned(scales, 16).mul(d2);
                FloatVector s3 = unsigned(scales, 24).mul(d3);
                FloatVector c0 = unsigned(offsets, 0).mul(m0);
                FloatVector c1 = unsigned(offsets, 8).mul(m1);
                FloatVector c2 = unsigned(offsets, 16).mul(m2);
                FloatVector c3 = unsigned(offsets, 24).mul(m3);
                IntVector h0 = upper(at + 2 * VECTOR);
                IntVector h1 = upper(at + 3 * VECTOR);
                IntVector h2 = upper(at + 4 * VECTOR);
                IntVector h3 = upper(at + 5 * VECTOR);
                at += 6 * VECTOR;
                for (int j = 0; j < 32; j += 8) {
                    IntVector v0 = load(at);
                    IntVector v1 = load(at + VECTOR);
                    IntVector v2 = load(at + 2 * VECTOR);
                    IntVector v3 = load(at + 3 * VECTOR);
                    at += 4 * VECTOR;
                    for (int t = 0; t < 4; t++) {
                        FloatVector b00 = FloatVector.broadcast(FLOATS, x[at0]);
                        FloatVector b10 = FloatVector.broadcast(FLOATS, x[at1]);
                        FloatVector w00 = even5(v0, h0, s0, c0);
                        a00 = w00.fma(b00, a00);
                        a10 = w00.fma(b10, a10);
                        FloatVector w01 = even5(v1, h1, s1, c1);
                        a01 = w01.fma(b00, a01);
                        a11 = w01.fma(b10, a11);
                        FloatVector w02 = even5(v2, h2, s2, c2);
                        a02 = w02.fma(b00, a02);
                        a12 = w02.fma(b10, a12);
                        FloatVector w03 = even5(v3, h3, s3, c3);
                        a03 = w03.fma(b00, a03);
                        a13 = w03.fma(b10, a13);
                        FloatVector b01 = FloatVector.broadcast(FLOATS, x[at0 + 1]);
                        FloatVector b11 = FloatVector.broadcast(FLOATS, x[at1 + 1]);
                        FloatVector w10 = odd5(v0, h0, s0, c0);
                        a00 = w10.fma(b01, a00);
                        a10 = w10.fma(b11, a10);
                        FloatVector w11 = odd5(v1, h1, s1, c1);
                        a01 = w11.fma(b01, a01);
                        a11 = w11.fma(b11, a11);
                        FloatVector w12 = odd5(v2, h2, s2, c2);
                        a02 = w12.fma(b01, a02);
                        a12 = w12.fma(b11, a12);
                        FloatVector w13 = odd5(v3, h3, s3, c3);
                        a03 = w13.fma(b01, a03);
                        a13 = w13.fma(b11, a13);
                        v0 = v0.lanewise(VectorOperators.LSHR, 8);
                        v1 = v1.lanewise(VectorOperators.LSHR, 8);
                        v2 = v2.lanewise(VectorOperators.LSHR, 8);
                        v3 = v3.lanewise(VectorOperators.LSHR, 8);
                        h0 = h0.lanewise(VectorOperators.ROR, 8);
                        h1 = h1.lanewise(VectorOperators.ROR, 8);
                        h2 = h2.lanewise(VectorOperators.ROR, 8);
                        h3 = h3.lanewise(VectorOperators.ROR, 8);
                        at0 += 2;
                        at1 += 2;
                    }
                    h0 = h0.lanewise(VectorOperators.ROR, 2);
                    h1 = h1.lanewise(VectorOperators.ROR, 2);
                    h2 = h2.lanewise(VectorOperators.ROR, 2);
                    h3 = h3.lanewise(VectorOperators.ROR, 2);
                }
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

    /** Widens inputs {@code k} to {@code k + count} of a panel of Q5_K to F32. */
    static void widenQ5(long panel, int k, int count, long slab) {
        long to = slab;
        for (int i = k; i < k + count; ) {
            long block = panel + i / K_BLOCK * Q5_BYTES;
            int end = Math.min(k + count, (i / K_BLOCK + 1) * K_BLOCK);
            IntVector p = load(block);
            IntVector q = load(block + VECTOR);
            FloatVector d0 = halfLow(p);
            FloatVector d1 = halfHigh(p);
            FloatVector d2 = halfLow(q);
            FloatVector d3 = halfHigh(q);
            IntVector o = load(block + 2 * VECTOR);
            IntVector r = load(block + 3 * VECTOR);
            FloatVector m0 = halfLow(o).neg();
            FloatVector m1 = halfHigh(o).neg();
            FloatVector m2 = halfLow(r).neg();
            FloatVector m3 = halfHigh(r).neg();
            for (; i < end; i += 32) {
                long at = block + 4 * VECTOR + i % K_BLOCK / 32 * Q5_GROUP;
                IntVector scales = load(at);
                IntVector offsets = load(at + VECTOR);
                FloatVector s0 = unsigned(scales, 0).mul(d0);
                FloatVector s1 = unsigned(scales, 8).mul(d1);
                FloatVector s2 = unsigned(scales, 16).mul(d2);
                FloatVector s3 = unsigned(scales, 24).mul(d3);
                FloatVector c0 = unsigned(offsets, 0).mul(m0);
                FloatVector c1 = unsigned(offsets, 8).mul(m1);
                FloatVector c2 = unsigned(offsets, 16).mul(m2);
                FloatVector c3 = unsigned(offsets, 24).mul(m3);
                IntVector h0 = upper(at + 2 * VECTOR);
                IntVector h1 = upper(at + 3 * VECTOR);
                IntVector h2 = upper(at + 4 * VECTOR);
                IntVector h3 = upper(at + 5 * VECTOR);
                at += 6 * VECTOR;
                for (int j = 0; j < 32; j += 8) {
                    IntVector v0 = load(at);
                    IntVector v1 = load(at + VECTOR);
                    IntVector v2 = load(at + 2 * VECTOR);
                    IntVector v3 = load(at + 3 * VECTOR);
                    at += 4 * VECTOR;
                    for (int t = 0; t < 4; t++) {
                        even5(v0, h0, s0, c0).intoMemorySegment(ALL, to, LITTLE);
                        even5(v1, h1, s1, c1).intoMemorySegment(ALL, to + VECTOR, LITTLE);
                        even5(v2, h2, s2, c2).intoMemorySegment(ALL, to + 2 * VECTOR, LITTLE);
                        even5(v3, h3, s3, c3).intoMemorySegment(ALL, to + 3 * VECTOR, LITTLE);
                        odd5(v0, h0, s0, c0).intoMemorySegment(ALL, to + 4 * VECTOR, LITTLE);
                        odd5(v1, h1, s1, c1).intoMemorySegment(ALL, to + 5 * VECTOR, LITTLE);
                        odd5(v2, h2, s2, c2).intoMemorySegment(ALL, to + 6 * VECTOR, LITTLE);
                        odd5(v3, h3, s3, c3).intoMemorySegment(ALL, to + 7 * VECTOR, LITTLE);
                        v0 = v0.lanewise(VectorOperators.LSHR, 8);
                        v1 = v1.lanewise(VectorOperators.LSHR, 8);
                        v2 = v2.lanewise(VectorOperators.LSHR, 8);
                        v3 = v3.lanewise(VectorOperators.LSHR, 8);
                        h0 = h0.lanewise(VectorOperators.ROR, 8);
                        h1 = h1.lanewise(VectorOperators.ROR, 8);
                        h2 = h2.lanewise(VectorOperators.ROR, 8);
                        h3 = h3.lanewise(VectorOperators.ROR, 8);
                        to += 8 * VECTOR;
                    }
                    h0 = h0.lanewise(VectorOperators.ROR, 2);
                    h1 = h1.lanewise(VectorOperators.ROR, 2);
                    h2 = h2.lanewise(VectorOperators.ROR, 2);
                    h3 = h3.lanewise(VectorOperators.ROR, 2);
                }
            }
        }
    }

    /** One row by inputs {@code k} to {@code k + count} of a panel of Q6_K. */
    static void q6x1(long panel, int k, float[] x, int xFrom, int stride, int count, float[] y, int yFrom) {
        FloatVector a00 = FloatVector.fromArray(FLOATS, y, yFrom);
        FloatVector a01 = FloatVector.fromArray(FLOATS, y, yFrom + LANES);
        FloatVector a02 = FloatVector.fromArray(FLOATS, y, yFrom + 2 * LANES);
        FloatVector a03 = FloatVector.fromArray(FLOATS, y, yFrom + 3 * LANES);
        int at0 = xFrom;
        for (int i = k; i < k + count; ) {
            long block = panel + i / K_BLOCK * Q6_BYTES;
            int end = Math.min(k + count, (i / K_BLOCK + 1) * K_BLOCK);
            IntVector p = load(block);
            IntVector q = load(block + VECTOR);
            FloatVector d0 = halfLow(p);
            FloatVector d1 = halfHigh(p);
            FloatVector d2 = halfLow(q);
            FloatVector d3 = halfHigh(q);
            for (; i < end; i += 16) {
                long at = block + 2 * VECTOR + i % K_BLOCK / 16 * Q6_GROUP;
                IntVector scales = load(at);
                FloatVector s0 = signed(scales, 24).mul(d0);
                FloatVector s1 = signed(scales, 16).mul(d1);
                FloatVector s2 = signed(scales, 8).mul(d2);
                FloatVector s3 = signed(scales, 0).mul(d3);
                FloatVector c0 = s0.mul(-32f);
                FloatVector c1 = s1.mul(-32f);
                FloatVector c2 = s2.mul(-32f);
                FloatVector c3 = s3.mul(-32f);
                IntVector h0 = upper(at + VECTOR);
                IntVector h1 = upper(at + 2 * VECTOR);
                IntVector h2 = upper(at + 3 * VECTOR);
                IntVector h3 = upper(at + 4 * VECTOR);
                at += 5 * VECTOR;
                for (int j = 0; j < 16; j += 8) {
                    IntVector v0 = load(at);
                    IntVector v1 = load(at + VECTOR);
                    IntVector v2 = load(at + 2 * VECTOR);
                    IntVector v3 = load(at + 3 * VECTOR);
                    at += 4 * VECTOR;
                    for (int t = 0; t < 4; t++) {
                        FloatVector b00 = FloatVector.broadcast(FLOATS, x[at0]);
                        a00 = even6(v0, h0, s0, c0).fma(b00, a00);
                        a01 = even6(v1, h1, s1, c1).fma(b00, a01);
                        a02 = even6(v2, h2, s2, c2).fma(b00, a02);
                        a03 = even6(v3, h3, s3, c3).fma(b00, a03);
                        FloatVector b01 = FloatVector.broadcast(FLOATS, x[at0 + 1]);
                        a00 = odd6(v0, h0, s0, c0).fma(b01, a00);
                        a01 = odd6(v1, h1, s1, c1).fma(b01, a01);
                        a02 = odd6(v2, h2, s2, c2).fma(b01, a02);
                        a03 = odd6(v3, h3, s3, c3).fma(b01, a03);
                        v0 = v0.lanewise(VectorOperators.LSHR, 8);
                        v1 = v1.lanewise(VectorOperators.LSHR, 8);
                        v2 = v2.lanewise(VectorOperators.LSHR, 8);
                        v3 = v3.lanewise(VectorOperators.LSHR, 8);
                        h0 = h0.lanewise(VectorOperators.ROR, 8);
                        h1 = h1.lanewise(VectorOperators.ROR, 8);
                        h2 = h2.lanewise(VectorOperators.ROR, 8);
                        h3 = h3.lanewise(VectorOperators.ROR, 8);
                        at0 += 2;
                    }
                    h0 = h0.lanewise(VectorOperators.ROR, 4);
                    h1 = h1.lanewise(VectorOperators.ROR, 4);
                    h2 = h2.lanewise(VectorOperators.ROR, 4);
                    h3 = h3.lanewise(VectorOperators.ROR, 4);
                }
            }
        }
        a00.intoArray(y, yFrom);
        a01.intoArray(y, yFrom + LANES);
        a02.intoArray(y, yFrom + 2 * LANES);
        a03.intoArray(y, yFrom + 3 * LANES);
    }

    /** Two rows by inputs {@code k} to {@code k + count} of a panel of Q6_K. */
    static void q6x2(long panel, int k, float[] x, int xFrom, int stride, int count, float[] y, int yFrom) {
        FloatVector a00 = FloatVector.fromArray(FLOATS, y, yFrom);
        FloatVector a01 = FloatVector.fromArray(FLOATS, y, yFrom + LANES);
        FloatVector a02 = FloatVector.fromArray(FLOATS, y, yFrom + 2 * LANES);
        FloatVector a03 = FloatVector.fromArray(FLOATS, y, yFrom + 3 * LANES);
        FloatVector a10 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL);
        FloatVector a11 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + LANES);
        FloatVector a12 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + 2 * LANES);
        FloatVector a13 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + 3 * LANES);
        int at0 = xFrom;
        int at1 = xFrom + stride;
        for (int i = k; i < k + count; ) {
            long block = panel + i / K_BLOCK * Q6_BYTES;
            int end = Math.min(k + count, (i / K_BLOCK + 1) * K_BLOCK);
            IntVector p = load(block);
            IntVector q = load(block + VECTOR);
            FloatVector d0 = halfLow(p);
            FloatVector d1 = halfHigh(p);
            FloatVector d2 = halfLow(q);
            FloatVector d3 = halfHigh(q);
            for (; i < end; i += 16) {
                long at = block + 2 * VECTOR + i % K_BLOCK / 16 * Q6_GROUP;
                IntVector scales = load(at);
                FloatVector s0 = signed(scales, 24).mul(d0);
                FloatVector s1 = signed(scales, 16).mul(d1);
                FloatVector s2 = signed(scales, 8).mul(d2);
                FloatVector s3 = signed(scales, 0).mul(d3);
                FloatVector c0 = s0.mul(-32f);
                FloatVector c1 = s1.mul(-32f);
                FloatVector c2 = s2.mul(-32f);
                FloatVector c3 = s3.mul(-32f);
                IntVector h0 = upper(at + VECTOR);
                IntVector h1 = upper(at + 2 * VECTOR);
                IntVector h2 = upper(at + 3 * VECTOR);
                IntVector h3 = upper(at + 4 * VECTOR);
                at += 5 * VECTOR;
                for (int j = 0; j < 16; j += 8) {
                    IntVector v0 = load(at);
                    IntVector v1 = load(at + VECTOR);
                    IntVector v2 = load(at + 2 * VECTOR);
                    IntVector v3 = load(at + 3 * VECTOR);
                    at += 4 * VECTOR;
                    for (int t = 0; t < 4; t++) {
                        FloatVector b00 = FloatVector.broadcast(FLOATS, x[at0]);
                        FloatVector b10 = FloatVector.broadcast(FLOATS, x[at1]);
                        FloatVector w00 = even6(v0, h0, s0, c0);
                        a00 = w00.fma(b00, a00);
                        a10 = w00.fma(b10, a10);
                        FloatVector w01 = even6(v1, h1, s1, c1);
                        a01 = w01.fma(b00, a01);
                        a11 = w01.fma(b10, a11);
                        FloatVector w02 = even6(v2, h2, s2, c2);
                        a02 = w02.fma(b00, a02);
                        a12 = w02.fma(b10, a12);
                        FloatVector w03 = even6(v3, h3, s3, c3);
                        a03 = w03.fma(b00, a03);
                        a13 = w03.fma(b10, a13);
                        FloatVector b01 = FloatVector.broadcast(FLOATS, x[at0 + 1]);
                        FloatVector b11 = FloatVector.broadcast(FLOATS, x[at1 + 1]);
                        FloatVector w10 = odd6(v0, h0, s0, c0);
                        a00 = w10.fma(b01, a00);
                        a10 = w10.fma(b11, a10);
                        FloatVector w11 = odd6(v1, h1, s1, c1);
                        a01 = w11.fma(b01, a01);
                        a11 = w11.fma(b11, a11);
                        FloatVector w12 = odd6(v2, h2, s2, c2);
                        a02 = w12.fma(b01, a02);
                        a12 = w12.fma(b11, a12);
                        FloatVector w13 = odd6(v3, h3, s3, c3);
                        a03 = w13.fma(b01, a03);
                        a13 = w13.fma(b11, a13);
                        v0 = v0.lanewise(VectorOperators.LSHR, 8);
                        v1 = v1.lanewise(VectorOperators.LSHR, 8);
                        v2 = v2.lanewise(VectorOperators.LSHR, 8);
                        v3 = v3.lanewise(VectorOperators.LSHR, 8);
                        h0 = h0.lanewise(VectorOperators.ROR, 8);
                        h1 = h1.lanewise(VectorOperators.ROR, 8);
                        h2 = h2.lanewise(VectorOperators.ROR, 8);
                        h3 = h3.lanewise(VectorOperators.ROR, 8);
                        at0 += 2;
                        at1 += 2;
                    }
                    h0 = h0.lanewise(VectorOperators.ROR, 4);
                    h1 = h1.lanewise(VectorOperators.ROR, 4);
                    h2 = h2.lanewise(VectorOperators.ROR, 4);
                    h3 = h3.lanewise(VectorOperators.ROR, 4);
                }
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

    /** Widens inputs {@code k} to {@code k + count} of a panel of Q6_K to F32. */
    static void widenQ6(long panel, int k, int count, long slab) {
        long to = slab;
        for (int i = k; i < k + count; ) {
            long block = panel + i / K_BLOCK * Q6_BYTES;
            int end = Math.min(k + count, (i / K_BLOCK + 1) * K_BLOCK);
            IntVector p = load(block);
            IntVector q = load(block + VECTOR);
            FloatVector d0 = halfLow(p);
            FloatVector d1 = halfHigh(p);
            FloatVector d2 = halfLow(q);
            FloatVector d3 = halfHigh(q);
            for (; i < end; i += 16) {
                long at = block + 2 * VECTOR + i % K_BLOCK / 16 * Q6_GROUP;
                IntVector scales = load(at);
                FloatVector s0 = signed(scales, 24).mul(d0);
                FloatVector s1 = signed(scales, 16).mul(d1);
                FloatVector s2 = signed(scales, 8).mul(d2);
                FloatVector s3 = signed(scales, 0).mul(d3);
                FloatVector c0 = s0.mul(-32f);
                FloatVector c1 = s1.mul(-32f);
                FloatVector c2 = s2.mul(-32f);
                FloatVector c3 = s3.mul(-32f);
                IntVector h0 = upper(at + VECTOR);
                IntVector h1 = upper(at + 2 * VECTOR);
                IntVector h2 = upper(at + 3 * VECTOR);
                IntVector h3 = upper(at + 4 * VECTOR);
                at += 5 * VECTOR;
                for (int j = 0; j < 16; j += 8) {
                    IntVector v0 = load(at);
                    IntVector v1 = load(at + VECTOR);
                    IntVector v2 = load(at + 2 * VECTOR);
                    IntVector v3 = load(at + 3 * VECTOR);
                    at += 4 * VECTOR;
                    for (int t = 0; t < 4; t++) {
                        even6(v0, h0, s0, c0).intoMemorySegment(ALL, to, LITTLE);
                        even6(v1, h1, s1, c1).intoMemorySegment(ALL, to + VECTOR, LITTLE);
                        even6(v2, h2, s2, c2).intoMemorySegment(ALL, to + 2 * VECTOR, LITTLE);
                        even6(v3, h3, s3, c3).intoMemorySegment(ALL, to + 3 * VECTOR, LITTLE);
                        odd6(v0, h0, s0, c0).intoMemorySegment(ALL, to + 4 * VECTOR, LITTLE);
                        odd6(v1, h1, s1, c1).intoMemorySegment(ALL, to + 5 * VECTOR, LITTLE);
                        odd6(v2, h2, s2, c2).intoMemorySegment(ALL, to + 6 * VECTOR, LITTLE);
                        odd6(v3, h3, s3, c3).intoMemorySegment(ALL, to + 7 * VECTOR, LITTLE);
                        v0 = v0.lanewise(VectorOperators.LSHR, 8);
                        v1 = v1.lanewise(VectorOperators.LSHR, 8);
                        v2 = v2.lanewise(VectorOperators.LSHR, 8);
                        v3 = v3.lanewise(VectorOperators.LSHR, 8);
                        h0 = h0.lanewise(VectorOperators.ROR, 8);
                        h1 = h1.lanewise(VectorOperators.ROR, 8);
                        h2 = h2.lanewise(VectorOperators.ROR, 8);
                        h3 = h3.lanewise(VectorOperators.ROR, 8);
                        to += 8 * VECTOR;
                    }
                    h0 = h0.lanewise(VectorOperators.ROR, 4);
                    h1 = h1.lanewise(VectorOperators.ROR, 4);
                    h2 = h2.lanewise(VectorOperators.ROR, 4);
                    h3 = h3.lanewise(VectorOperators.ROR, 4);
                }
            }
        }
    }
}
