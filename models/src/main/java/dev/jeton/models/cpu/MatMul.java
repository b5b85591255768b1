package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;

/**
 * Multiplies rows of activations with one panel of a matrix, into a tile that already holds what is added to (zeros, a
 * bias or the residual).
 *
 * <p>Few rows read the panel as it is kept. More rows go by slices of {@value #SLICE} inputs, which stay in the first
 * cache while all rows pass over them; slices of other formats than F32 are widened once into scratch first. Both ways
 * add in the order that {@link Kernels} states, so they give the same bits. Memory is read ahead of both: see
 * {@link Prefetch}.
 *
 * <p>Pairs of BF16 are read by a kernel in C ({@link NativeKernels}), whatever the number of rows, which takes inputs
 * as {@link HalfRows}, and so are quantised panels where the processor multiplies BF16. Where it does not, another
 * kernel in C reads quantised panels, with the same bits as here.
 *
 * <p>The kernels run on one, two, four or six rows; a remainder of three or five takes the next larger kernel, whose
 * surplus rows read and write spare memory: inputs and tiles have {@value #SPARE_ROWS} rows more than they need.
 */
final class MatMul {

    /** Rows that inputs and tiles must have beyond those asked for. */
    static final int SPARE_ROWS = 2;

    /** Inputs of a slice: 64 outputs of 128 inputs are 32 KB in F32. A multiple of 32. */
    static final int SLICE = 128;

    /** Most inputs that are read as they are kept in one go. */
    static final int DIRECT_SLICE = 512;

    /** How far ahead lines are prefetched. */
    private static final long AHEAD_BYTES = 8192;

    /** Up to this many rows BF16 panels are read as they are. */
    private static final int DIRECT_ROWS_BF16 = 4;

    /** The same for the quantised ones: Q8_0's kernel for four rows was three times slower than widening first. */
    private static final int DIRECT_ROWS_QUANTISED = 2;

    private MatMul() {}

    /**
     * {@code tile[r][n] += sum over k of x[r][k] * w[n][k]} for the outputs n of a panel.
     *
     * @param x rows of inputs, the first at {@code from}, {@code stride} apart
     * @param end address up to which the caller goes on reading the matrix after this panel
     * @param work whose tile is {@code [rows + SPARE_ROWS][PANEL]}
     */
    static void panel(PackedMatrix w, int panel, float[] x, int from, int stride, int rows, long end, Workspace work) {
        PackedMatrix.Format format = w.format(panel);
        if (format == PackedMatrix.Format.BF16_PAIRS) {
            NativeKernels.bf16(w.start(panel), work.inputHalves, w.columns(), rows, work.tile);
        } else if (w.order() == HalfRows.Order.HALVES_OF_EIGHT && NativeKernels.halves(format)) {
            NativeKernels.halves(format, w.start(panel), work.inputHalves, w.columns(), rows, work.tile, end);
        } else if (NativeKernels.reads(format)) {
            NativeKernels.blocks(format, w.start(panel), x, from, stride, w.columns(), rows, work.tile, end);
        } else {
            vectors(w, panel, x, from, stride, rows, end, work);
        }
    }

    /** The same by the Vector API, for all formats but pairs of BF16. */
    static void vectors(
            PackedMatrix w, int panel, float[] x, int from, int stride, int rows, long end, Workspace work) {
        PackedMatrix.Format format = w.format(panel);
        if (format == PackedMatrix.Format.F32) {
            int slice = rows <= 6 ? w.columns() : SLICE;
            for (int k = 0; k < w.columns(); k += slice) {
                int count = Math.min(slice, w.columns() - k);
                f32(w.address(panel, k), x, from + k, stride, count, rows, work.tile);
            }
            return;
        }
        boolean direct = rows <= directRows(format);
        int slice = direct ? directSlice(w, format) : SLICE;
        long ahead = aheadBytes(w, w.sliceBytes(panel, slice));
        long at = w.start(panel);
        for (int k = 0; k < w.columns(); k += slice) {
            int count = Math.min(slice, w.columns() - k);
            long next = k + count < w.columns() ? w.address(panel, k + count) : w.start(panel + 1);
            read(w, Math.min(end, at + ahead), Math.min(end, next + ahead), work);
            if (direct) {
                direct(w, panel, k, x, from + k, stride, count, rows, work);
            } else {
                w.widen(panel, k, count, work);
                f32(work.slab, x, from + k, stride, count, rows, work.tile);
            }
            at = next;
        }
    }

    /** Begins to read a panel that does not follow the one before. */
    static void begin(PackedMatrix w, int panel, long end, Workspace work) {
        if (w.format(panel) != PackedMatrix.Format.F32) {
            long at = w.start(panel);
            read(w, at, Math.min(end, at + aheadBytes(w, w.sliceBytes(panel, SLICE))), work);
        }
    }

    private static int directRows(PackedMatrix.Format format) {
        return format == PackedMatrix.Format.BF16 ? DIRECT_ROWS_BF16 : DIRECT_ROWS_QUANTISED;
    }

    /**
     * Inputs of a slice that is read as it is kept: prefetching goes hand in hand with computing; touching is better
     * done in long runs. Blocks of 256 are not cut: each begins with work of its own.
     */
    private static int directSlice(PackedMatrix w, PackedMatrix.Format format) {
        if (!w.beyondCaches() || !Prefetch.AVAILABLE) {
            return DIRECT_SLICE;
        }
        return switch (format) {
            case F32, BF16, BF16_PAIRS, Q8_0 -> 64;
            case MXFP4, Q4_K, Q5_K, Q6_K -> BlockKernels.K_BLOCK;
        };
    }

    private static long aheadBytes(PackedMatrix w, long sliceBytes) {
        return w.beyondCaches() && Prefetch.AVAILABLE ? AHEAD_BYTES : sliceBytes;
    }

    private static void read(PackedMatrix w, long from, long to, Workspace work) {
        if (!w.beyondCaches()) {
            return;
        }
        if (Prefetch.AVAILABLE) {
            Prefetch.lines(from, to);
        } else {
            work.sink ^= Kernels.touch(from, to);
        }
    }

    private static void f32(long w, float[] x, int from, int stride, int count, int rows, float[] tile) {
        int r = 0;
        for (; rows - r >= 5 && rows - r != 8; r += 6) {
            Kernels.f32x6(w, x, from + r * stride, stride, count, tile, r * PANEL);
        }
        for (; rows - r >= 3; r += 4) {
            Kernels.f32x4(w, x, from + r * stride, stride, count, tile, r * PANEL);
        }
        if (rows - r == 2) {
            Kernels.f32x2(w, x, from + r * stride, stride, count, tile, r * PANEL);
        } else if (rows - r == 1) {
            Kernels.f32x1(w, x, from + r * stride, stride, count, tile, r * PANEL);
        }
    }

    private static void direct(
            PackedMatrix w, int panel, int k, float[] x, int from, int stride, int count, int rows, Workspace work) {
        long at = w.address(panel, k);
        long start = w.start(panel);
        long scales = work.scales;
        float[] tile = work.tile;
        switch (w.format(panel)) {
            case BF16 -> {
                switch (rows) {
                    case 1 -> Kernels.bf16x1(at, x, from, stride, count, tile, 0);
                    case 2 -> Kernels.bf16x2(at, x, from, stride, count, tile, 0);
                    default -> Kernels.bf16x4(at, x, from, stride, count, tile, 0);
                }
            }
            case Q8_0 -> {
                Kernels.scalesQ8(at, count, scales);
                if (rows == 1) {
                    Kernels.q8x1(at, scales, x, from, stride, count, tile, 0);
                } else {
                    Kernels.q8x2(at, scales, x, from, stride, count, tile, 0);
                }
            }
            case MXFP4 -> {
                if (rows == 1) {
                    Mxfp4Kernels.x1(at, scales, x, from, stride, count, tile, 0);
                } else {
                    Mxfp4Kernels.x2(at, scales, x, from, stride, count, tile, 0);
                }
            }
            case Q4_K -> {
                if (rows == 1) {
                    BlockKernels.q4x1(start, k, scales, x, from, stride, count, tile, 0);
                } else {
                    BlockKernels.q4x2(start, k, scales, x, from, stride, count, tile, 0);
                }
            }
            case Q5_K -> {
                if (rows == 1) {
                    BlockKernels.q5x1(start, k, scales, x, from, stride, count, tile, 0);
                } else {
                    BlockKernels.q5x2(start, k, scales, x, from, stride, count, tile, 0);
                }
            }
            case Q6_K -> {
                if (rows == 1) {
                    BlockKernels.q6x1(start, k, scales, x, from, stride, count, tile, 0);
                } else {
                    BlockKernels.q6x2(start, k, scales, x, from, stride, count, tile, 0);
                }
            }
            case F32, BF16_PAIRS -> throw new IllegalStateException("such panels have a way of their own");
        }
    }
}
