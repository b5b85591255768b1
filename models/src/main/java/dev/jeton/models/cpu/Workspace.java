package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;
import static dev.jeton.models.vector.VectorMath.LANES;

import dev.jeton.models.sampler.Sampler;
import java.lang.foreign.SegmentAllocator;

/** Scratch of one compute thread, allocated once. */
final class Workspace {

    /** Sums of one panel, with spare rows. */
    final float[] tile;
    /** The address of a widened slice of a panel. */
    final long slab;
    /** The address of the scales, as floats, of what is being read. */
    final long scales;
    /** Rows of inputs that this thread rounds for itself. */
    final HalfRows halves;
    /**
     * Where the first of the rows that {@link MatMul#panel} multiplies is in BF16; set where the matrix wants it so.
     */
    long inputHalves;
    /** Normalised rows of a small batch, and the phase they were made for. */
    final float[] normed;
    /** What adapters' ranks are for a small batch, and the multiplication they were computed for. */
    final float[] ranks = new float[StepAdapters.OWN_FLOATS];

    long adapted = -1;

    long normedPhase = -1;
    /** Takes the words that were read ahead, so that reading them is not optimised away. */
    int sink;

    final float[] lanes = new float[LANES];
    final Attention attention;
    final Sampler sampler;

    /** For products of formats that take inputs in F32. */
    Workspace(int tileRows, int normedFloats, int headDim, int vocabulary, SegmentAllocator memory) {
        this(tileRows, normedFloats, 0, new Attention(HeadWidths.of(headDim), memory), vocabulary, memory);
    }

    Workspace(
            int tileRows,
            int normedFloats,
            long halvesSize,
            Attention attention,
            int vocabulary,
            SegmentAllocator memory) {
        tile = new float[(tileRows + MatMul.SPARE_ROWS) * PANEL];
        slab = memory.allocate(4L * MatMul.SLICE * PANEL, 64).address();
        scales = memory.allocate(4L * MatMul.DIRECT_SLICE / Kernels.Q8_BLOCK * 2 * PANEL, 64)
                .address();
        normed = new float[normedFloats];
        halves = new HalfRows(halvesSize, memory);
        this.attention = attention;
        sampler = new Sampler(vocabulary);
    }
}
