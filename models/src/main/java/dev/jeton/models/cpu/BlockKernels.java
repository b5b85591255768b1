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
 * The kernels of {@link Kernels} for ggml's blocks of 256 inputs: Q4_K, Q5_K and Q6_K, at 4.625, 5.625 and 6.5625 bits
 * a weight. Order of summation and rules are the same, and so are the values: of a weight of Q4_K or Q5_K, {@code (d *
 * scale) * q - m * offset}, both products are exact in a float and the difference is rounded once, as ggml's formula
 * has it; one of Q6_K, {@code (d * scale) * (q - 32)}, has 24 significant bits at most.
 *
 * <p>Layouts, for one panel, in vectors of ints. Numbers of one output are in one lane, so that integer dot products
 * over four bytes find four inputs of an output side by side after a shift and a mask; four vectors hold the same
 * inputs of the four quarters of a panel. Inputs follow each other from the lowest bits of an int.
 *
 * <ul>
 *   <li>Q4_K: d as binary16 of quarters 0 and 1, of 2 and 3, m likewise; then 8 times, for each 32 inputs: scales, a
 *       byte for each quarter; offsets likewise; 4 times 4 vectors of four bits of 8 inputs.
 *   <li>Q5_K: the same with 4 vectors of the 32 inputs' fifth bits after the offsets.
 *   <li>Q6_K: d; then 16 times, for each 16 inputs: signed scales; 4 vectors of two upper bits of 16 inputs; twice 4
 *       vectors of four bits of 8 inputs.
 * </ul>
 *
 * <p>Scales are unpacked into scratch before a block's numbers are, and most kernels do half a panel at a time: more in
 * one loop is more than the compiler inlines, and a kernel with a call in it is twenty times slower. For the same
 * reason each is called from one place: what is called from two is inlined twice.
 *
 * <p>Limits. One row takes a mask, a conversion, two fma and a shift for 16 weights (three more operations in Q5_K and
 * Q6_K). Out of the caches a core at 4.2 GHz does 40 billion weights a second in Q4_K, four chains of fma of four
 * cycles each bounding it at 67; half panels have two chains and do 27. Two cores so need what memory delivers.
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

    private static FloatVector reals(long at) {
        return FloatVector.fromMemorySegment(FLOATS, ALL, at, LITTLE);
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

    /** Unpacks the scales and offsets of groups of Q4_K or Q5_K, offsets negated: {@code [groups][2][PANEL]}. */
    private static void scales32(long block, long first, long groupBytes, int groups, long scales) {
        for (int part = 0; part < 4; part++) {
            int half = part % 2;
            int offset = part / 2;
            products(
                    block + part * VECTOR,
                    first + offset * VECTOR,
                    16 * half,
                    groupBytes,
                    groups,
                    1 - 2 * offset,
                    scales + (4 * offset + 2 * half) * VECTOR);
        }
    }

    /** Two bytes of each int of each group, from bit {@code shift} on, times a pair of binary16. */
    private static void products(
            long pairs, long first, int shift, long groupBytes, int groups, float sign, long scales) {
        IntVector p = load(pairs);
        FloatVector d0 = halfLow(p).mul(sign);
        FloatVector d1 = halfHigh(p).mul(sign);
        long at = first;
        long to = scales;
        for (int group = 0; group < groups; group++) {
            IntVector bytes = load(at).lanewise(VectorOperators.LSHR, shift);
            unsigned(bytes, 0).mul(d0).intoMemorySegment(ALL, to, LITTLE);
            unsigned(bytes, 8).mul(d1).intoMemorySegment(ALL, to + VECTOR, LITTLE);
            at += groupBytes;
            to += 8 * VECTOR;
        }
    }

    /** The same for Q6_K, whose offsets are -32 scales. */
    private static void scales16(long block, long first, int groups, long scales) {
        IntVector p = load(block);
        IntVector q = load(block + VECTOR);
        FloatVector d0 = halfLow(p);
        FloatVector d1 = halfHigh(p);
        FloatVector d2 = halfLow(q);
        FloatVector d3 = halfHigh(q);
        long at = first;
        long to = scales;
        for (int group = 0; group < groups; group++) {
            IntVector bytes = load(at);
            FloatVector s0 = signed(bytes, 24).mul(d0);
            FloatVector s1 = signed(bytes, 16).mul(d1);
            FloatVector s2 = signed(bytes, 8).mul(d2);
            FloatVector s3 = signed(bytes, 0).mul(d3);
            s0.intoMemorySegment(ALL, to, LITTLE);
            s1.intoMemorySegment(ALL, to + VECTOR, LITTLE);
            s2.intoMemorySegment(ALL, to + 2 * VECTOR, LITTLE);
            s3.intoMemorySegment(ALL, to + 3 * VECTOR, LITTLE);
            s0.mul(-32f).intoMemorySegment(ALL, to + 4 * VECTOR, LITTLE);
            s1.mul(-32f).intoMemorySegment(ALL, to + 5 * VECTOR, LITTLE);
            s2.mul(-32f).intoMemorySegment(ALL, to + 6 * VECTOR, LITTLE);
            s3.mul(-32f).intoMemorySegment(ALL, to + 7 * VECTOR, LITTLE);
            at += Q6_GROUP;
            to += 8 * VECTOR;
        }
    }

    /** One row by {@code count} inputs of a panel of Q4_K; {@code w} is the start of a group. */
    private static void q4x1Groups(
            long w, long scales, float[] x, int xFrom, int stride, int count, float[] y, int yFrom) {
        FloatVector a00 = FloatVector.fromArray(FLOATS, y, yFrom);
        FloatVector a01 = FloatVector.fromArray(FLOATS, y, yFrom + LANES);
        FloatVector a02 = FloatVector.fromArray(FLOATS, y, yFrom + 2 * LANES);
        FloatVector a03 = FloatVector.fromArray(FLOATS, y, yFrom + 3 * LANES);
        IntVector four = IntVector.broadcast(INTS, 15);
        int x0 = xFrom;
        long at = w;
        long scale = scales;
        for (int i = 0; i < count; i += 32) {
            FloatVector s0 = reals(scale);
            FloatVector s1 = reals(scale + VECTOR);
            FloatVector s2 = reals(scale + 2 * VECTOR);
            FloatVector s3 = reals(scale + 3 * VECTOR);
            FloatVector c0 = reals(scale + 4 * VECTOR);
            FloatVector c1 = reals(scale + 5 * VECTOR);
            FloatVector c2 = reals(scale + 6 * VECTOR);
            FloatVector c3 = reals(scale + 7 * VECTOR);
            scale += 8 * VECTOR;
            at += 2 * VECTOR;
            for (int j = 0; j < 32; j += 8) {
                IntVector v0 = load(at);
                IntVector v1 = load(at + VECTOR);
                IntVector v2 = load(at + 2 * VECTOR);
                IntVector v3 = load(at + 3 * VECTOR);
                at += 4 * VECTOR;
                for (int t = 0; t < 8; t++) {
                    FloatVector b0 = FloatVector.broadcast(FLOATS, x[x0++]);
                    a00 = real(v0.and(four)).fma(s0, c0).fma(b0, a00);
                    a01 = real(v1.and(four)).fma(s1, c1).fma(b0, a01);
                    a02 = real(v2.and(four)).fma(s2, c2).fma(b0, a02);
                    a03 = real(v3.and(four)).fma(s3, c3).fma(b0, a03);
                    v0 = v0.lanewise(VectorOperators.LSHR, 4);
                    v1 = v1.lanewise(VectorOperators.LSHR, 4);
                    v2 = v2.lanewise(VectorOperators.LSHR, 4);
                    v3 = v3.lanewise(VectorOperators.LSHR, 4);
                }
            }
        }
        a00.intoArray(y, yFrom);
        a01.intoArray(y, yFrom + LANES);
        a02.intoArray(y, yFrom + 2 * LANES);
        a03.intoArray(y, yFrom + 3 * LANES);
    }

    /** One row by inputs {@code k} to {@code k + count} of a panel of Q4_K. */
    static void q4x1(
            long panel, int k, long scales, float[] x, int xFrom, int stride, int count, float[] y, int yFrom) {
        for (int i = k; i < k + count; ) {
            int run = Math.min(k + count - i, K_BLOCK - i % K_BLOCK);
            long block = panel + i / K_BLOCK * Q4_BYTES;
            long first = block + 4 * VECTOR + i % K_BLOCK / 32 * Q4_GROUP;
            scales32(block, first, Q4_GROUP, run / 32, scales);
            int from = xFrom + i - k;
            q4x1Groups(first, scales, x, from, stride, run, y, yFrom);
            i += run;
        }
    }

    /** Two rows by {@code count} inputs of half a panel of Q4_K; {@code w} is the start of a group. */
    private static void q4x2Half(
            long w, long scales, float[] x, int xFrom, int stride, int count, float[] y, int yFrom) {
        FloatVector a00 = FloatVector.fromArray(FLOATS, y, yFrom);
        FloatVector a01 = FloatVector.fromArray(FLOATS, y, yFrom + LANES);
        FloatVector a10 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL);
        FloatVector a11 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + LANES);
        IntVector four = IntVector.broadcast(INTS, 15);
        int x0 = xFrom;
        int x1 = xFrom + stride;
        long at = w;
        long scale = scales;
        for (int i = 0; i < count; i += 32) {
            FloatVector s0 = reals(scale);
            FloatVector s1 = reals(scale + VECTOR);
            FloatVector c0 = reals(scale + 4 * VECTOR);
            FloatVector c1 = reals(scale + 5 * VECTOR);
            scale += 8 * VECTOR;
            at += 2 * VECTOR;
            for (int j = 0; j < 32; j += 8) {
                IntVector v0 = load(at);
                IntVector v1 = load(at + VECTOR);
                at += 4 * VECTOR;
                for (int t = 0; t < 8; t++) {
                    FloatVector b0 = FloatVector.broadcast(FLOATS, x[x0++]);
                    FloatVector b1 = FloatVector.broadcast(FLOATS, x[x1++]);
                    FloatVector w0 = real(v0.and(four)).fma(s0, c0);
                    a00 = w0.fma(b0, a00);
                    a10 = w0.fma(b1, a10);
                    FloatVector w1 = real(v1.and(four)).fma(s1, c1);
                    a01 = w1.fma(b0, a01);
                    a11 = w1.fma(b1, a11);
                    v0 = v0.lanewise(VectorOperators.LSHR, 4);
                    v1 = v1.lanewise(VectorOperators.LSHR, 4);
                }
            }
        }
        a00.intoArray(y, yFrom);
        a01.intoArray(y, yFrom + LANES);
        a10.intoArray(y, yFrom + PANEL);
        a11.intoArray(y, yFrom + PANEL + LANES);
    }

    /** Two rows by inputs {@code k} to {@code k + count} of a panel of Q4_K. */
    static void q4x2(
            long panel, int k, long scales, float[] x, int xFrom, int stride, int count, float[] y, int yFrom) {
        for (int i = k; i < k + count; ) {
            int run = Math.min(k + count - i, K_BLOCK - i % K_BLOCK);
            long block = panel + i / K_BLOCK * Q4_BYTES;
            long first = block + 4 * VECTOR + i % K_BLOCK / 32 * Q4_GROUP;
            scales32(block, first, Q4_GROUP, run / 32, scales);
            int from = xFrom + i - k;
            for (int half = 0; half < 2; half++) {
                long skip = 2 * half * VECTOR;
                q4x2Half(first + skip, scales + skip, x, from, stride, run, y, yFrom + 2 * half * LANES);
            }
            i += run;
        }
    }

    /** Widens {@code count} inputs of half a panel of Q4_K to F32; {@code w} is the start of a group. */
    private static void widenQ4Half(long w, long scales, int count, long slab) {
        long to = slab;
        IntVector four = IntVector.broadcast(INTS, 15);
        long at = w;
        long scale = scales;
        for (int i = 0; i < count; i += 32) {
            FloatVector s0 = reals(scale);
            FloatVector s1 = reals(scale + VECTOR);
            FloatVector c0 = reals(scale + 4 * VECTOR);
            FloatVector c1 = reals(scale + 5 * VECTOR);
            scale += 8 * VECTOR;
            at += 2 * VECTOR;
            for (int j = 0; j < 32; j += 8) {
                IntVector v0 = load(at);
                IntVector v1 = load(at + VECTOR);
                at += 4 * VECTOR;
                for (int t = 0; t < 8; t++) {
                    real(v0.and(four)).fma(s0, c0).intoMemorySegment(ALL, to, LITTLE);
                    real(v1.and(four)).fma(s1, c1).intoMemorySegment(ALL, to + VECTOR, LITTLE);
                    v0 = v0.lanewise(VectorOperators.LSHR, 4);
                    v1 = v1.lanewise(VectorOperators.LSHR, 4);
                    to += 4 * VECTOR;
                }
            }
        }
    }

    /** Widens inputs {@code k} to {@code k + count} of a panel of Q4_K to F32. */
    static void widenQ4(long panel, int k, int count, long scales, long slab) {
        for (int i = k; i < k + count; ) {
            int run = Math.min(k + count - i, K_BLOCK - i % K_BLOCK);
            long block = panel + i / K_BLOCK * Q4_BYTES;
            long first = block + 4 * VECTOR + i % K_BLOCK / 32 * Q4_GROUP;
            scales32(block, first, Q4_GROUP, run / 32, scales);
            long to = slab + (i - k) * 4L * PANEL;
            for (int half = 0; half < 2; half++) {
                long skip = 2 * half * VECTOR;
                widenQ4Half(first + skip, scales + skip, run, to + skip);
            }
            i += run;
        }
    }

    /** One row by {@code count} inputs of half a panel of Q5_K; {@code w} is the start of a group. */
    private static void q5x1Half(
            long w, long scales, float[] x, int xFrom, int stride, int count, float[] y, int yFrom) {
        FloatVector a00 = FloatVector.fromArray(FLOATS, y, yFrom);
        FloatVector a01 = FloatVector.fromArray(FLOATS, y, yFrom + LANES);
        IntVector four = IntVector.broadcast(INTS, 15);
        IntVector above = IntVector.broadcast(INTS, 16);
        int x0 = xFrom;
        long at = w;
        long scale = scales;
        for (int i = 0; i < count; i += 32) {
            FloatVector s0 = reals(scale);
            FloatVector s1 = reals(scale + VECTOR);
            FloatVector c0 = reals(scale + 4 * VECTOR);
            FloatVector c1 = reals(scale + 5 * VECTOR);
            scale += 8 * VECTOR;
            IntVector h0 = load(at + 2 * VECTOR).lanewise(VectorOperators.ROL, 4);
            IntVector h1 = load(at + 3 * VECTOR).lanewise(VectorOperators.ROL, 4);
            at += 6 * VECTOR;
            for (int j = 0; j < 32; j += 8) {
                IntVector v0 = load(at);
                IntVector v1 = load(at + VECTOR);
                at += 4 * VECTOR;
                for (int t = 0; t < 8; t++) {
                    FloatVector b0 = FloatVector.broadcast(FLOATS, x[x0++]);
                    a00 = real(v0.and(four).or(h0.and(above))).fma(s0, c0).fma(b0, a00);
                    a01 = real(v1.and(four).or(h1.and(above))).fma(s1, c1).fma(b0, a01);
                    v0 = v0.lanewise(VectorOperators.LSHR, 4);
                    v1 = v1.lanewise(VectorOperators.LSHR, 4);
                    h0 = h0.lanewise(VectorOperators.ROR, 1);
                    h1 = h1.lanewise(VectorOperators.ROR, 1);
                }
            }
        }
        a00.intoArray(y, yFrom);
        a01.intoArray(y, yFrom + LANES);
    }

    /** One row by inputs {@code k} to {@code k + count} of a panel of Q5_K. */
    static void q5x1(
            long panel, int k, long scales, float[] x, int xFrom, int stride, int count, float[] y, int yFrom) {
        for (int i = k; i < k + count; ) {
            int run = Math.min(k + count - i, K_BLOCK - i % K_BLOCK);
            long block = panel + i / K_BLOCK * Q5_BYTES;
            long first = block + 4 * VECTOR + i % K_BLOCK / 32 * Q5_GROUP;
            scales32(block, first, Q5_GROUP, run / 32, scales);
            int from = xFrom + i - k;
            for (int half = 0; half < 2; half++) {
                long skip = 2 * half * VECTOR;
                q5x1Half(first + skip, scales + skip, x, from, stride, run, y, yFrom + 2 * half * LANES);
            }
            i += run;
        }
    }

    /** Two rows by {@code count} inputs of half a panel of Q5_K; {@code w} is the start of a group. */
    private static void q5x2Half(
            long w, long scales, float[] x, int xFrom, int stride, int count, float[] y, int yFrom) {
        FloatVector a00 = FloatVector.fromArray(FLOATS, y, yFrom);
        FloatVector a01 = FloatVector.fromArray(FLOATS, y, yFrom + LANES);
        FloatVector a10 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL);
        FloatVector a11 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + LANES);
        IntVector four = IntVector.broadcast(INTS, 15);
        IntVector above = IntVector.broadcast(INTS, 16);
        int x0 = xFrom;
        int x1 = xFrom + stride;
        long at = w;
        long scale = scales;
        for (int i = 0; i < count; i += 32) {
            FloatVector s0 = reals(scale);
            FloatVector s1 = reals(scale + VECTOR);
            FloatVector c0 = reals(scale + 4 * VECTOR);
            FloatVector c1 = reals(scale + 5 * VECTOR);
            scale += 8 * VECTOR;
            IntVector h0 = load(at + 2 * VECTOR).lanewise(VectorOperators.ROL, 4);
            IntVector h1 = load(at + 3 * VECTOR).lanewise(VectorOperators.ROL, 4);
            at += 6 * VECTOR;
            for (int j = 0; j < 32; j += 8) {
                IntVector v0 = load(at);
                IntVector v1 = load(at + VECTOR);
                at += 4 * VECTOR;
                for (int t = 0; t < 8; t++) {
                    FloatVector b0 = FloatVector.broadcast(FLOATS, x[x0++]);
                    FloatVector b1 = FloatVector.broadcast(FLOATS, x[x1++]);
                    FloatVector w0 = real(v0.and(four).or(h0.and(above))).fma(s0, c0);
                    a00 = w0.fma(b0, a00);
                    a10 = w0.fma(b1, a10);
                    FloatVector w1 = real(v1.and(four).or(h1.and(above))).fma(s1, c1);
                    a01 = w1.fma(b0, a01);
                    a11 = w1.fma(b1, a11);
                    v0 = v0.lanewise(VectorOperators.LSHR, 4);
                    v1 = v1.lanewise(VectorOperators.LSHR, 4);
                    h0 = h0.lanewise(VectorOperators.ROR, 1);
                    h1 = h1.lanewise(VectorOperators.ROR, 1);
                }
            }
        }
        a00.intoArray(y, yFrom);
        a01.intoArray(y, yFrom + LANES);
        a10.intoArray(y, yFrom + PANEL);
        a11.intoArray(y, yFrom + PANEL + LANES);
    }

    /** Two rows by inputs {@code k} to {@code k + count} of a panel of Q5_K. */
    static void q5x2(
            long panel, int k, long scales, float[] x, int xFrom, int stride, int count, float[] y, int yFrom) {
        for (int i = k; i < k + count; ) {
            int run = Math.min(k + count - i, K_BLOCK - i % K_BLOCK);
            long block = panel + i / K_BLOCK * Q5_BYTES;
            long first = block + 4 * VECTOR + i % K_BLOCK / 32 * Q5_GROUP;
            scales32(block, first, Q5_GROUP, run / 32, scales);
            int from = xFrom + i - k;
            for (int half = 0; half < 2; half++) {
                long skip = 2 * half * VECTOR;
                q5x2Half(first + skip, scales + skip, x, from, stride, run, y, yFrom + 2 * half * LANES);
            }
            i += run;
        }
    }

    /** Widens {@code count} inputs of half a panel of Q5_K to F32; {@code w} is the start of a group. */
    private static void widenQ5Half(long w, long scales, int count, long slab) {
        long to = slab;
        IntVector four = IntVector.broadcast(INTS, 15);
        IntVector above = IntVector.broadcast(INTS, 16);
        long at = w;
        long scale = scales;
        for (int i = 0; i < count; i += 32) {
            FloatVector s0 = reals(scale);
            FloatVector s1 = reals(scale + VECTOR);
            FloatVector c0 = reals(scale + 4 * VECTOR);
            FloatVector c1 = reals(scale + 5 * VECTOR);
            scale += 8 * VECTOR;
            IntVector h0 = load(at + 2 * VECTOR).lanewise(VectorOperators.ROL, 4);
            IntVector h1 = load(at + 3 * VECTOR).lanewise(VectorOperators.ROL, 4);
            at += 6 * VECTOR;
            for (int j = 0; j < 32; j += 8) {
                IntVector v0 = load(at);
                IntVector v1 = load(at + VECTOR);
                at += 4 * VECTOR;
                for (int t = 0; t < 8; t++) {
                    real(v0.and(four).or(h0.and(above))).fma(s0, c0).intoMemorySegment(ALL, to, LITTLE);
                    real(v1.and(four).or(h1.and(above))).fma(s1, c1).intoMemorySegment(ALL, to + VECTOR, LITTLE);
                    v0 = v0.lanewise(VectorOperators.LSHR, 4);
                    v1 = v1.lanewise(VectorOperators.LSHR, 4);
                    h0 = h0.lanewise(VectorOperators.ROR, 1);
                    h1 = h1.lanewise(VectorOperators.ROR, 1);
                    to += 4 * VECTOR;
                }
            }
        }
    }

    /** Widens inputs {@code k} to {@code k + count} of a panel of Q5_K to F32. */
    static void widenQ5(long panel, int k, int count, long scales, long slab) {
        for (int i = k; i < k + count; ) {
            int run = Math.min(k + count - i, K_BLOCK - i % K_BLOCK);
            long block = panel + i / K_BLOCK * Q5_BYTES;
            long first = block + 4 * VECTOR + i % K_BLOCK / 32 * Q5_GROUP;
            scales32(block, first, Q5_GROUP, run / 32, scales);
            long to = slab + (i - k) * 4L * PANEL;
            for (int half = 0; half < 2; half++) {
                long skip = 2 * half * VECTOR;
                widenQ5Half(first + skip, scales + skip, run, to + skip);
            }
            i += run;
        }
    }

    /** One row by {@code count} inputs of half a panel of Q6_K; {@code w} is the start of a group. */
    private static void q6x1Half(
            long w, long scales, float[] x, int xFrom, int stride, int count, float[] y, int yFrom) {
        FloatVector a00 = FloatVector.fromArray(FLOATS, y, yFrom);
        FloatVector a01 = FloatVector.fromArray(FLOATS, y, yFrom + LANES);
        IntVector four = IntVector.broadcast(INTS, 15);
        IntVector above = IntVector.broadcast(INTS, 48);
        int x0 = xFrom;
        long at = w;
        long scale = scales;
        for (int i = 0; i < count; i += 16) {
            FloatVector s0 = reals(scale);
            FloatVector s1 = reals(scale + VECTOR);
            FloatVector c0 = reals(scale + 4 * VECTOR);
            FloatVector c1 = reals(scale + 5 * VECTOR);
            scale += 8 * VECTOR;
            IntVector h0 = load(at + VECTOR).lanewise(VectorOperators.ROL, 4);
            IntVector h1 = load(at + 2 * VECTOR).lanewise(VectorOperators.ROL, 4);
            at += 5 * VECTOR;
            for (int j = 0; j < 16; j += 8) {
                IntVector v0 = load(at);
                IntVector v1 = load(at + VECTOR);
                at += 4 * VECTOR;
                for (int t = 0; t < 8; t++) {
                    FloatVector b0 = FloatVector.broadcast(FLOATS, x[x0++]);
                    a00 = real(v0.and(four).or(h0.and(above))).fma(s0, c0).fma(b0, a00);
                    a01 = real(v1.and(four).or(h1.and(above))).fma(s1, c1).fma(b0, a01);
                    v0 = v0.lanewise(VectorOperators.LSHR, 4);
                    v1 = v1.lanewise(VectorOperators.LSHR, 4);
                    h0 = h0.lanewise(VectorOperators.ROR, 2);
                    h1 = h1.lanewise(VectorOperators.ROR, 2);
                }
            }
        }
        a00.intoArray(y, yFrom);
        a01.intoArray(y, yFrom + LANES);
    }

    /** One row by inputs {@code k} to {@code k + count} of a panel of Q6_K. */
    static void q6x1(
            long panel, int k, long scales, float[] x, int xFrom, int stride, int count, float[] y, int yFrom) {
        for (int i = k; i < k + count; ) {
            int run = Math.min(k + count - i, K_BLOCK - i % K_BLOCK);
            long block = panel + i / K_BLOCK * Q6_BYTES;
            long first = block + 2 * VECTOR + i % K_BLOCK / 16 * Q6_GROUP;
            scales16(block, first, run / 16, scales);
            int from = xFrom + i - k;
            for (int half = 0; half < 2; half++) {
                long skip = 2 * half * VECTOR;
                q6x1Half(first + skip, scales + skip, x, from, stride, run, y, yFrom + 2 * half * LANES);
            }
            i += run;
        }
    }

    /** Two rows by {@code count} inputs of half a panel of Q6_K; {@code w} is the start of a group. */
    private static void q6x2Half(
            long w, long scales, float[] x, int xFrom, int stride, int count, float[] y, int yFrom) {
        FloatVector a00 = FloatVector.fromArray(FLOATS, y, yFrom);
        FloatVector a01 = FloatVector.fromArray(FLOATS, y, yFrom + LANES);
        FloatVector a10 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL);
        FloatVector a11 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + LANES);
        IntVector four = IntVector.broadcast(INTS, 15);
        IntVector above = IntVector.broadcast(INTS, 48);
        int x0 = xFrom;
        int x1 = xFrom + stride;
        long at = w;
        long scale = scales;
        for (int i = 0; i < count; i += 16) {
            FloatVector s0 = reals(scale);
            FloatVector s1 = reals(scale + VECTOR);
            FloatVector c0 = reals(scale + 4 * VECTOR);
            FloatVector c1 = reals(scale + 5 * VECTOR);
            scale += 8 * VECTOR;
            IntVector h0 = load(at + VECTOR).lanewise(VectorOperators.ROL, 4);
            IntVector h1 = load(at + 2 * VECTOR).lanewise(VectorOperators.ROL, 4);
            at += 5 * VECTOR;
            for (int j = 0; j < 16; j += 8) {
                IntVector v0 = load(at);
                IntVector v1 = load(at + VECTOR);
                at += 4 * VECTOR;
                for (int t = 0; t < 8; t++) {
                    FloatVector b0 = FloatVector.broadcast(FLOATS, x[x0++]);
                    FloatVector b1 = FloatVector.broadcast(FLOATS, x[x1++]);
                    FloatVector w0 = real(v0.and(four).or(h0.and(above))).fma(s0, c0);
                    a00 = w0.fma(b0, a00);
                    a10 = w0.fma(b1, a10);
                    FloatVector w1 = real(v1.and(four).or(h1.and(above))).fma(s1, c1);
                    a01 = w1.fma(b0, a01);
                    a11 = w1.fma(b1, a11);
                    v0 = v0.lanewise(VectorOperators.LSHR, 4);
                    v1 = v1.lanewise(VectorOperators.LSHR, 4);
                    h0 = h0.lanewise(VectorOperators.ROR, 2);
                    h1 = h1.lanewise(VectorOperators.ROR, 2);
                }
            }
        }
        a00.intoArray(y, yFrom);
        a01.intoArray(y, yFrom + LANES);
        a10.intoArray(y, yFrom + PANEL);
        a11.intoArray(y, yFrom + PANEL + LANES);
    }

    /** Two rows by inputs {@code k} to {@code k + count} of a panel of Q6_K. */
    static void q6x2(
            long panel, int k, long scales, float[] x, int xFrom, int stride, int count, float[] y, int yFrom) {
        for (int i = k; i < k + count; ) {
            int run = Math.min(k + count - i, K_BLOCK - i % K_BLOCK);
            long block = panel + i / K_BLOCK * Q6_BYTES;
            long first = block + 2 * VECTOR + i % K_BLOCK / 16 * Q6_GROUP;
            scales16(block, first, run / 16, scales);
            int from = xFrom + i - k;
            for (int half = 0; half < 2; half++) {
                long skip = 2 * half * VECTOR;
                q6x2Half(first + skip, scales + skip, x, from, stride, run, y, yFrom + 2 * half * LANES);
            }
            i += run;
        }
    }

    /** Widens {@code count} inputs of half a panel of Q6_K to F32; {@code w} is the start of a group. */
    private static void widenQ6Half(long w, long scales, int count, long slab) {
        long to = slab;
        IntVector four = IntVector.broadcast(INTS, 15);
        IntVector above = IntVector.broadcast(INTS, 48);
        long at = w;
        long scale = scales;
        for (int i = 0; i < count; i += 16) {
            FloatVector s0 = reals(scale);
            FloatVector s1 = reals(scale + VECTOR);
            FloatVector c0 = reals(scale + 4 * VECTOR);
            FloatVector c1 = reals(scale + 5 * VECTOR);
            scale += 8 * VECTOR;
            IntVector h0 = load(at + VECTOR).lanewise(VectorOperators.ROL, 4);
            IntVector h1 = load(at + 2 * VECTOR).lanewise(VectorOperators.ROL, 4);
            at += 5 * VECTOR;
            for (int j = 0; j < 16; j += 8) {
                IntVector v0 = load(at);
                IntVector v1 = load(at + VECTOR);
                at += 4 * VECTOR;
                for (int t = 0; t < 8; t++) {
                    real(v0.and(four).or(h0.and(above))).fma(s0, c0).intoMemorySegment(ALL, to, LITTLE);
                    real(v1.and(four).or(h1.and(above))).fma(s1, c1).intoMemorySegment(ALL, to + VECTOR, LITTLE);
                    v0 = v0.lanewise(VectorOperators.LSHR, 4);
                    v1 = v1.lanewise(VectorOperators.LSHR, 4);
                    h0 = h0.lanewise(VectorOperators.ROR, 2);
                    h1 = h1.lanewise(VectorOperators.ROR, 2);
                    to += 4 * VECTOR;
                }
            }
        }
    }

    /** Widens inputs {@code k} to {@code k + count} of a panel of Q6_K to F32. */
    static void widenQ6(long panel, int k, int count, long scales, long slab) {
        for (int i = k; i < k + count; ) {
            int run = Math.min(k + count - i, K_BLOCK - i % K_BLOCK);
            long block = panel + i / K_BLOCK * Q6_BYTES;
            long first = block + 2 * VECTOR + i % K_BLOCK / 16 * Q6_GROUP;
            scales16(block, first, run / 16, scales);
            long to = slab + (i - k) * 4L * PANEL;
            for (int half = 0; half < 2; half++) {
                long skip = 2 * half * VECTOR;
                widenQ6Half(first + skip, scales + skip, run, to + skip);
            }
            i += run;
        }
    }
}
