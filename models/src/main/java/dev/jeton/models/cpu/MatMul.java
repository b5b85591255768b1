package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;

import java.lang.foreign.MemorySegment;

/**
 * Multiplies rows of activations with one panel of a matrix, into a tile that already holds what is added to (zeros, a
 * bias or the residual).
 *
 * <p>Few rows read the panel as it is kept. More rows go by slices of {@value #SLICE} inputs, which stay in the first
 * cache while all rows pass over them; BF16 and Q8_0 slices are widened once into scratch first. Both ways add in the
 * order that {@link Kernels} states, so they give the same bits.
 *
 * <p>The kernels run on one, two, four or six rows; a remainder of three or five takes the next larger kernel, whose
 * surplus rows read and write spare memory: inputs and tiles have {@value #SPARE_ROWS} rows more than they need.
 */
final class MatMul {

    /** Rows that inputs and tiles must have beyond those asked for. */
    static final int SPARE_ROWS = 2;

    /** Inputs of a slice: 64 outputs of 128 inputs are 32 KB in F32. A multiple of 32. */
    static final int SLICE = 128;

    /** Up to this many rows BF16 and Q8_0 panels are read as they are. */
    private static final int DIRECT_ROWS = 4;

    private MatMul() {}

    /**
     * {@code tile[r][n] += sum over k of x[r][k] * w[n][k]} for the outputs n of a panel.
     *
     * @param x rows of inputs, the first at {@code from}, {@code stride} apart
     * @param tile {@code [rows + SPARE_ROWS][PANEL]}
     * @param slab scratch of {@code SLICE * PANEL} floats
     */
    static void panel(
            PackedMatrix w, int panel, float[] x, int from, int stride, int rows, float[] tile, MemorySegment slab) {
        int columns = w.columns();
        switch (w.format()) {
            case F32 -> {
                if (rows <= 6) {
                    f32(w.data(), w.offset(panel, 0), x, from, stride, columns, rows, tile);
                } else {
                    for (int k = 0; k < columns; k += SLICE) {
                        int count = Math.min(SLICE, columns - k);
                        f32(w.data(), w.offset(panel, k), x, from + k, stride, count, rows, tile);
                    }
                }
            }
            case BF16 -> {
                if (rows <= DIRECT_ROWS) {
                    bf16(w.data(), w.offset(panel, 0), x, from, stride, columns, rows, tile);
                } else {
                    widened(w, panel, x, from, stride, rows, tile, slab);
                }
            }
            case Q8_0 -> {
                if (rows <= DIRECT_ROWS) {
                    q8(w.data(), w.offset(panel, 0), x, from, stride, columns, rows, tile);
                } else {
                    widened(w, panel, x, from, stride, rows, tile, slab);
                }
            }
        }
    }

    private static void widened(
            PackedMatrix w, int panel, float[] x, int from, int stride, int rows, float[] tile, MemorySegment slab) {
        for (int k = 0; k < w.columns(); k += SLICE) {
            int count = Math.min(SLICE, w.columns() - k);
            w.widen(panel, k, count, slab);
            f32(slab, 0, x, from + k, stride, count, rows, tile);
        }
    }

    private static void f32(
            MemorySegment w, long at, float[] x, int from, int stride, int count, int rows, float[] tile) {
        int r = 0;
        for (; rows - r >= 5 && rows - r != 8; r += 6) {
            Kernels.f32x6(w, at, x, from + r * stride, stride, count, tile, r * PANEL);
        }
        for (; rows - r >= 3; r += 4) {
            Kernels.f32x4(w, at, x, from + r * stride, stride, count, tile, r * PANEL);
        }
        if (rows - r == 2) {
            Kernels.f32x2(w, at, x, from + r * stride, stride, count, tile, r * PANEL);
        } else if (rows - r == 1) {
            Kernels.f32x1(w, at, x, from + r * stride, stride, count, tile, r * PANEL);
        }
    }

    private static void bf16(
            MemorySegment w, long at, float[] x, int from, int stride, int count, int rows, float[] tile) {
        switch (rows) {
            case 1 -> Kernels.bf16x1(w, at, x, from, stride, count, tile, 0);
            case 2 -> Kernels.bf16x2(w, at, x, from, stride, count, tile, 0);
            default -> Kernels.bf16x4(w, at, x, from, stride, count, tile, 0);
        }
    }

    private static void q8(
            MemorySegment w, long at, float[] x, int from, int stride, int count, int rows, float[] tile) {
        switch (rows) {
            case 1 -> Kernels.q8x1(w, at, x, from, stride, count, tile, 0);
            case 2 -> Kernels.q8x2(w, at, x, from, stride, count, tile, 0);
            default -> Kernels.q8x4(w, at, x, from, stride, count, tile, 0);
        }
    }
}
