package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;
import static dev.jeton.models.cpu.NativeMemory.ALL;
import static dev.jeton.models.vector.VectorMath.FLOATS;
import static dev.jeton.models.vector.VectorMath.INTS;
import static dev.jeton.models.vector.VectorMath.LANES;

import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;

/**
 * The kernels of {@link Kernels} for MXFP4: blocks of 32 inputs that share a power of two, each a number of four bits,
 * at 4.25 bits a weight. Order of summation and rules are the same. A weight is its number, one of 0, 0.5, 1, 1.5, 2,
 * 3, 4 and 6 or of their negatives, times 2^(e - 127) for a byte e: exact in a float, also where that is below the
 * least normal one, and infinite where it is beyond the greatest.
 *
 * <p>Layout, for one panel, in vectors of ints, as {@link BlockKernels} has Q4_K: for each 32 inputs the powers, a byte
 * for each quarter of the panel; then 4 times 4 vectors of four bits of 8 inputs, a sign above two bits of exponent
 * above one of mantissa.
 *
 * <p>A vector of sixteen floats is the table of the numbers, which a permutation reads. Shorter ones hold no such
 * table: there the three lower bits become a float's exponent and mantissa, g, which is the number where that is one or
 * more; below it is 2 g - 1, and so the less of the two everywhere.
 *
 * <p>Limits. One row takes a mask, a permutation, a product, a fma and a shift for 16 weights, as many operations as
 * Q4_K; out of a cache a core does 45 billion weights a second where Q4_K does 32. Without the table it takes eleven,
 * and the compiler inlines no more than half a panel: 0.6 of Q4_K. A core that memory gives 33 GB/s asks for 62
 * billion.
 */
final class Mxfp4Kernels {

    /** Inputs that share a power of two. */
    static final int BLOCK = 32;

    /** Bytes of a vector. */
    private static final long VECTOR = 4L * LANES;

    /** Bytes of a block of inputs of one panel. */
    static final long BYTES = 17 * VECTOR;

    private static final float[] NUMBERS = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6, 0, -0.5f, -1, -1.5f, -2, -3, -4, -6};

    /**
     * Bits of a float: its exponent, 2^-127 and 0.5, and where an exponent's last bits and the first of a mantissa are.
     */
    private static final int EXPONENT = 0x7F800000;

    private static final int LEAST = 0x00400000;
    private static final int HALF = 0x3F000000;
    private static final int THREE_BITS = 0x01C00000;
    private static final int SIGN = 0x80000000;

    private static final ByteOrder LITTLE = ByteOrder.LITTLE_ENDIAN;

    private Mxfp4Kernels() {}

    /** The number of four bits, by its float. */
    static float number(int bits) {
        return NUMBERS[bits];
    }

    /** The power of two of a byte. */
    static float power(int e) {
        return Float.intBitsToFloat(Math.max(e << 23, LEAST));
    }

    private static IntVector load(long at) {
        return IntVector.fromMemorySegment(INTS, ALL, at, LITTLE);
    }

    private static FloatVector reals(long at) {
        return FloatVector.fromMemorySegment(FLOATS, ALL, at, LITTLE);
    }

    /** As much of the table as a vector holds. */
    private static IntVector table() {
        return FloatVector.fromArray(FLOATS, NUMBERS, 0).reinterpretAsInts();
    }

    /** Numbers of the lowest four bits of ints. */
    private static FloatVector number(IntVector bits, IntVector table) {
        if (LANES == NUMBERS.length) {
            return bits.and(15).selectFrom(table).reinterpretAsFloats();
        }
        FloatVector g = bits.lanewise(VectorOperators.LSHL, 22)
                .and(THREE_BITS)
                .add(HALF)
                .reinterpretAsFloats();
        FloatVector below = g.fma(FloatVector.broadcast(FLOATS, 2), FloatVector.broadcast(FLOATS, -1));
        // neither is negative, so ints compare as the floats do, and min of ints is one instruction
        return g.reinterpretAsInts()
                .min(below.reinterpretAsInts())
                .or(bits.lanewise(VectorOperators.LSHL, 28).and(SIGN))
                .reinterpretAsFloats();
    }

    /** Powers of bytes whose lowest bits have been shifted to where a float's exponent is: zero is 2^-127. */
    private static FloatVector powers(IntVector there) {
        return there.and(EXPONENT).max(LEAST).reinterpretAsFloats();
    }

    /** Unpacks the powers of blocks: {@code [count / 32][PANEL]}. */
    private static void powers(long w, int count, long scales) {
        long at = w;
        long to = scales;
        for (int i = 0; i < count; i += BLOCK) {
            IntVector bytes = load(at);
            powers(bytes.lanewise(VectorOperators.LSHL, 23)).intoMemorySegment(ALL, to, LITTLE);
            powers(bytes.lanewise(VectorOperators.LSHL, 15)).intoMemorySegment(ALL, to + VECTOR, LITTLE);
            powers(bytes.lanewise(VectorOperators.LSHL, 7)).intoMemorySegment(ALL, to + 2 * VECTOR, LITTLE);
            powers(bytes.lanewise(VectorOperators.LSHR, 1)).intoMemorySegment(ALL, to + 3 * VECTOR, LITTLE);
            at += BYTES;
            to += 4 * VECTOR;
        }
    }

    /** One row by {@code count} inputs of a panel; {@code w} is the start of a block. */
    static void x1(long w, long scales, float[] x, int xFrom, int stride, int count, float[] y, int yFrom) {
        powers(w, count, scales);
        if (LANES == NUMBERS.length) {
            x1Panel(w, scales, x, xFrom, count, y, yFrom);
            return;
        }
        for (int half = 0; half < 2; half++) {
            long skip = 2 * half * VECTOR;
            x1Half(w + skip, scales + skip, x, xFrom, count, y, yFrom + 2 * half * LANES);
        }
    }

    private static void x1Panel(long w, long scales, float[] x, int xFrom, int count, float[] y, int yFrom) {
        FloatVector a00 = FloatVector.fromArray(FLOATS, y, yFrom);
        FloatVector a01 = FloatVector.fromArray(FLOATS, y, yFrom + LANES);
        FloatVector a02 = FloatVector.fromArray(FLOATS, y, yFrom + 2 * LANES);
        FloatVector a03 = FloatVector.fromArray(FLOATS, y, yFrom + 3 * LANES);
        IntVector table = table();
        int x0 = xFrom;
        long at = w;
        long scale = scales;
        for (int i = 0; i < count; i += BLOCK) {
            FloatVector s0 = reals(scale);
            FloatVector s1 = reals(scale + VECTOR);
            FloatVector s2 = reals(scale + 2 * VECTOR);
            FloatVector s3 = reals(scale + 3 * VECTOR);
            scale += 4 * VECTOR;
            at += VECTOR;
            for (int j = 0; j < BLOCK; j += 8) {
                IntVector v0 = load(at);
                IntVector v1 = load(at + VECTOR);
                IntVector v2 = load(at + 2 * VECTOR);
                IntVector v3 = load(at + 3 * VECTOR);
                at += 4 * VECTOR;
                for (int t = 0; t < 8; t++) {
                    FloatVector b0 = FloatVector.broadcast(FLOATS, x[x0++]);
                    a00 = number(v0, table).mul(s0).fma(b0, a00);
                    a01 = number(v1, table).mul(s1).fma(b0, a01);
                    a02 = number(v2, table).mul(s2).fma(b0, a02);
                    a03 = number(v3, table).mul(s3).fma(b0, a03);
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

    /** The same for half a panel; {@code w} is the start of a block, or half a panel's vectors behind it. */
    private static void x1Half(long w, long scales, float[] x, int xFrom, int count, float[] y, int yFrom) {
        FloatVector a00 = FloatVector.fromArray(FLOATS, y, yFrom);
        FloatVector a01 = FloatVector.fromArray(FLOATS, y, yFrom + LANES);
        IntVector table = table();
        int x0 = xFrom;
        long at = w;
        long scale = scales;
        for (int i = 0; i < count; i += BLOCK) {
            FloatVector s0 = reals(scale);
            FloatVector s1 = reals(scale + VECTOR);
            scale += 4 * VECTOR;
            at += VECTOR;
            for (int j = 0; j < BLOCK; j += 8) {
                IntVector v0 = load(at);
                IntVector v1 = load(at + VECTOR);
                at += 4 * VECTOR;
                for (int t = 0; t < 8; t++) {
                    FloatVector b0 = FloatVector.broadcast(FLOATS, x[x0++]);
                    a00 = number(v0, table).mul(s0).fma(b0, a00);
                    a01 = number(v1, table).mul(s1).fma(b0, a01);
                    v0 = v0.lanewise(VectorOperators.LSHR, 4);
                    v1 = v1.lanewise(VectorOperators.LSHR, 4);
                }
            }
        }
        a00.intoArray(y, yFrom);
        a01.intoArray(y, yFrom + LANES);
    }

    /** Two rows by {@code count} inputs of a panel; {@code w} is the start of a block. */
    static void x2(long w, long scales, float[] x, int xFrom, int stride, int count, float[] y, int yFrom) {
        powers(w, count, scales);
        for (int half = 0; half < 2; half++) {
            long skip = 2 * half * VECTOR;
            x2Half(w + skip, scales + skip, x, xFrom, stride, count, y, yFrom + 2 * half * LANES);
        }
    }

    private static void x2Half(long w, long scales, float[] x, int xFrom, int stride, int count, float[] y, int yFrom) {
        FloatVector a00 = FloatVector.fromArray(FLOATS, y, yFrom);
        FloatVector a01 = FloatVector.fromArray(FLOATS, y, yFrom + LANES);
        FloatVector a10 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL);
        FloatVector a11 = FloatVector.fromArray(FLOATS, y, yFrom + PANEL + LANES);
        IntVector table = table();
        int x0 = xFrom;
        int x1 = xFrom + stride;
        long at = w;
        long scale = scales;
        for (int i = 0; i < count; i += BLOCK) {
            FloatVector s0 = reals(scale);
            FloatVector s1 = reals(scale + VECTOR);
            scale += 4 * VECTOR;
            at += VECTOR;
            for (int j = 0; j < BLOCK; j += 8) {
                IntVector v0 = load(at);
                IntVector v1 = load(at + VECTOR);
                at += 4 * VECTOR;
                for (int t = 0; t < 8; t++) {
                    FloatVector b0 = FloatVector.broadcast(FLOATS, x[x0++]);
                    FloatVector b1 = FloatVector.broadcast(FLOATS, x[x1++]);
                    FloatVector w0 = number(v0, table).mul(s0);
                    a00 = w0.fma(b0, a00);
                    a10 = w0.fma(b1, a10);
                    FloatVector w1 = number(v1, table).mul(s1);
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

    /** Widens {@code count} inputs of a panel to F32; {@code w} is the start of a block. */
    static void widen(long w, long scales, int count, long slab) {
        powers(w, count, scales);
        for (int half = 0; half < 2; half++) {
            long skip = 2 * half * VECTOR;
            widenHalf(w + skip, scales + skip, count, slab + skip);
        }
    }

    private static void widenHalf(long w, long scales, int count, long slab) {
        IntVector table = table();
        long to = slab;
        long at = w;
        long scale = scales;
        for (int i = 0; i < count; i += BLOCK) {
            FloatVector s0 = reals(scale);
            FloatVector s1 = reals(scale + VECTOR);
            scale += 4 * VECTOR;
            at += VECTOR;
            for (int j = 0; j < BLOCK; j += 8) {
                IntVector v0 = load(at);
                IntVector v1 = load(at + VECTOR);
                at += 4 * VECTOR;
                for (int t = 0; t < 8; t++) {
                    number(v0, table).mul(s0).intoMemorySegment(ALL, to, LITTLE);
                    number(v1, table).mul(s1).intoMemorySegment(ALL, to + VECTOR, LITTLE);
                    v0 = v0.lanewise(VectorOperators.LSHR, 4);
                    v1 = v1.lanewise(VectorOperators.LSHR, 4);
                    to += 4 * VECTOR;
                }
            }
        }
    }
}
