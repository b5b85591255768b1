package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;
import static dev.jeton.models.cpu.Kernels.Q8_BLOCK;
import static dev.jeton.models.cpu.NativeMemory.ALL;
import static dev.jeton.models.vector.VectorMath.FLOATS;
import static dev.jeton.models.vector.VectorMath.INTS;
import static dev.jeton.models.vector.VectorMath.LANES;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/** Writes weights in the layouts that {@link Kernels} read, from {@code [inputs][PANEL]} floats. */
final class PackKernels {

    /** Bytes of a vector. */
    private static final long VECTOR = 4L * LANES;

    private static final ByteOrder LITTLE = ByteOrder.LITTLE_ENDIAN;
    /** 1.5 * 2^23: adding it leaves the nearest integer in the low bits of the mantissa. */
    private static final float ROUND = 12_582_912f;

    private static final float MOST_HALF = 65_504f;
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private PackKernels() {}

    /** The nearest BF16, ties to even, in the low 16 bits. */
    private static IntVector bf16(FloatVector values) {
        IntVector bits = values.reinterpretAsInts();
        IntVector odd = bits.lanewise(VectorOperators.LSHR, 16).and(1);
        IntVector nearest = bits.add(0x7FFF).add(odd).lanewise(VectorOperators.LSHR, 16);
        VectorMask<Integer> broken = values.compare(VectorOperators.NE, values).cast(INTS);
        return nearest.blend(0x7FC0, broken);
    }

    private static void storePairs(FloatVector low, FloatVector high, long at) {
        bf16(low).or(bf16(high).lanewise(VectorOperators.LSHL, 16)).intoMemorySegment(ALL, at, LITTLE);
    }

    /** {@code count} inputs as BF16. */
    static void halves(float[] turned, int count, long at) {
        for (int i = 0; i < count; i++) {
            int from = i * PANEL;
            long to = at + i * (2L * PANEL);
            storePairs(
                    FloatVector.fromArray(FLOATS, turned, from),
                    FloatVector.fromArray(FLOATS, turned, from + LANES),
                    to);
            storePairs(
                    FloatVector.fromArray(FLOATS, turned, from + 2 * LANES),
                    FloatVector.fromArray(FLOATS, turned, from + 3 * LANES),
                    to + VECTOR);
        }
    }

    /** {@code count} inputs as pairs of BF16; an even number of them. */
    static void pairs(float[] turned, int count, long at) {
        for (int i = 0; i < count; i += 2) {
            int from = i * PANEL;
            for (int lane = 0; lane < PANEL; lane += LANES) {
                storePairs(
                        FloatVector.fromArray(FLOATS, turned, from + lane),
                        FloatVector.fromArray(FLOATS, turned, from + PANEL + lane),
                        at + i * (2L * PANEL) + 4L * lane);
            }
        }
    }

    /**
     * A block of up to 32 inputs as Q8_0: scale = max / 127 as binary16, q = the nearest integer to weight / scale.
     *
     * @param scales scratch of {@link Kernels#PANEL} elements
     */
    static void bytes(float[] turned, int count, float[] scales, long at) {
        for (int quarter = 0; quarter < 4; quarter++) {
            greatest(turned, quarter * LANES, count).div(127f).intoArray(scales, quarter * LANES);
        }
        for (int i = 0; i < PANEL; i++) {
            short half = Float.floatToFloat16(Math.min(scales[i], MOST_HALF));
            scales[i] = Float.float16ToFloat(half);
            ALL.set(SHORT, halfAt(at, i), half);
        }
        FloatVector i0 = inverse(FloatVector.fromArray(FLOATS, scales, 0));
        FloatVector i1 = inverse(FloatVector.fromArray(FLOATS, scales, LANES));
        FloatVector i2 = inverse(FloatVector.fromArray(FLOATS, scales, 2 * LANES));
        FloatVector i3 = inverse(FloatVector.fromArray(FLOATS, scales, 3 * LANES));
        long to = at + 2 * VECTOR;
        for (int i = 0; i < count; i++) {
            int from = i * PANEL;
            IntVector q0 = quantum(turned, from, i0);
            IntVector q1 = quantum(turned, from + LANES, i1).lanewise(VectorOperators.LSHL, 8);
            IntVector q2 = quantum(turned, from + 2 * LANES, i2).lanewise(VectorOperators.LSHL, 16);
            IntVector q3 = quantum(turned, from + 3 * LANES, i3).lanewise(VectorOperators.LSHL, 24);
            q0.or(q1).or(q2).or(q3).intoMemorySegment(ALL, to, LITTLE);
            to += VECTOR;
        }
        for (int i = count; i < Q8_BLOCK; i++) {
            IntVector.zero(INTS).intoMemorySegment(ALL, to, LITTLE);
            to += VECTOR;
        }
    }

    /** Where the sixteen bits of an output are among two vectors of pairs that begin at {@code at}. */
    static long halfAt(long at, int output) {
        int quarter = output / LANES;
        return at + quarter / 2 * VECTOR + 4L * (output % LANES) + 2L * (quarter % 2);
    }

    private static FloatVector greatest(float[] turned, int lane, int count) {
        FloatVector most = FloatVector.zero(FLOATS);
        for (int i = 0; i < count; i++) {
            most = most.max(
                    FloatVector.fromArray(FLOATS, turned, i * PANEL + lane).abs());
        }
        return most;
    }

    private static FloatVector inverse(FloatVector scale) {
        FloatVector zero = FloatVector.zero(FLOATS);
        return zero.blend(FloatVector.broadcast(FLOATS, 1).div(scale), scale.compare(VectorOperators.GT, 0f));
    }

    /** q + 128, between 1 and 255. */
    private static IntVector quantum(float[] turned, int at, FloatVector inverse) {
        FloatVector q =
                FloatVector.fromArray(FLOATS, turned, at).mul(inverse).min(127f).max(-127f);
        return q.add(ROUND).reinterpretAsInts().add(128).and(0xFF);
    }
}
