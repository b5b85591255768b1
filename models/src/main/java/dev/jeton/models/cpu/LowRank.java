package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;
import static dev.jeton.models.cpu.NativeMemory.ALL;
import static dev.jeton.models.vector.VectorMath.LANES;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * What an adapter adds to one multiplication of a layer: {@code B (s A x)}. Where the multiplication is of several
 * linear layers at once (q, k and v; gate and up), their ranks are one after the other, and each half of a panel of B
 * has the ranks of its own linear layer only, and says where among all they begin.
 *
 * <p>In BF16 where the adapter's files are, else in F32: exactly, in either case. Layouts are those of
 * {@link LowRankKernels}. Written by {@link LowRankPacking}, then read by all threads.
 */
final class LowRank {

    /** Panels of B: where each begins, how many ranks it has, and where its halves' ranks begin among all. */
    record Panels(long[] start, int[] ranks, int[] first, int[] second) {}

    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final boolean halves;
    private final int columns;
    private final long a;
    private final long vectorBytes;
    /** Per rank; zeros for what is padding. */
    private final float[] scales;

    private final Panels b;

    /**
     * What is packed already.
     *
     * @param columns inputs
     * @param a the address of the first vector of ranks
     * @param scales of whole vectors of ranks
     */
    LowRank(boolean halves, int columns, long a, float[] scales, Panels b) {
        this.halves = halves;
        this.columns = columns;
        this.a = a;
        this.scales = scales;
        this.b = b;
        vectorBytes = vectorBytes(halves, columns);
    }

    /** Bytes of a vector of ranks. */
    static long vectorBytes(boolean halves, int columns) {
        return 4L * LANES * (halves ? (columns + 1) / 2 : columns);
    }

    /** Vectors of ranks. */
    int vectors() {
        return scales.length / LANES;
    }

    /** Ranks in whole vectors. */
    int paddedRanks() {
        return scales.length;
    }

    /** Bytes of A. */
    long downBytes() {
        return vectors() * vectorBytes;
    }

    /** Multiplications of a row for A. */
    long downSize() {
        return (long) scales.length * columns;
    }

    /** Computes ranks of {@code A x}, those of one vector, for some rows. */
    void down(int vector, float[] x, int from, int stride, int rows, float[] z, int to, int toStride) {
        long w = a + vector * vectorBytes;
        int scale = vector * LANES;
        int even = columns & ~1;
        int r = 0;
        for (; rows - r >= 4; r += 4) {
            int at = from + r * stride;
            int target = to + r * toStride + scale;
            if (halves) {
                LowRankKernels.down4Halves(w, x, at, stride, even, scales, scale, z, target, toStride);
            } else {
                LowRankKernels.down4(w, x, at, stride, even, scales, scale, z, target, toStride);
            }
        }
        for (; r < rows; r++) {
            int at = from + r * stride;
            int target = to + r * toStride + scale;
            if (halves) {
                LowRankKernels.down1Halves(w, x, at, even, scales, scale, z, target);
            } else {
                LowRankKernels.down1(w, x, at, even, scales, scale, z, target);
            }
        }
        for (r = 0; even < columns && r < rows; r++) {
            last(w, x[from + r * stride + even], scale, z, to + r * toStride + scale);
        }
    }

    /** Adds the last of an odd number of inputs. */
    private void last(long vector, float x, int scale, float[] z, int to) {
        long at = vector + columns / 2 * 2L * (halves ? 2 : 4) * LANES;
        for (int lane = 0; lane < LANES; lane++) {
            float weight = halves
                    ? Float.intBitsToFloat(ALL.get(SHORT, at + 4L * lane) << 16)
                    : ALL.get(FLOAT, at + 4L * lane);
            z[to + lane] += scales[scale + lane] * weight * x;
        }
    }

    /** Adds {@code B z} to a panel of some rows of a tile. */
    void up(int panel, float[] z, int from, int stride, int rows, float[] tile, int to) {
        int ranks = b.ranks[panel];
        if (ranks == 0) {
            return;
        }
        long w = b.start[panel];
        int first = from + b.first[panel];
        int second = from + b.second[panel];
        int r = 0;
        for (; rows - r >= 4; r += 4) {
            int at = r * stride;
            if (halves) {
                LowRankKernels.up4Halves(w, z, first + at, second + at, stride, ranks, tile, to + r * PANEL);
            } else {
                LowRankKernels.up4(w, z, first + at, second + at, stride, ranks, tile, to + r * PANEL);
            }
        }
        for (; r < rows; r++) {
            int at = r * stride;
            if (halves) {
                LowRankKernels.up1Halves(w, z, first + at, second + at, ranks, tile, to + r * PANEL);
            } else {
                LowRankKernels.up1(w, z, first + at, second + at, ranks, tile, to + r * PANEL);
            }
        }
    }
}
