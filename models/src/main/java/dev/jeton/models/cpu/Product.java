package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;

import java.lang.foreign.SegmentAllocator;

/**
 * The multiplication that a {@link DecoderStep} is at: its matrix, its rows of inputs, and how it is cut into tiles of
 * whole panels and of blocks of rows.
 *
 * <p>Where the matrix wants inputs in BF16 they are rounded first. Few are rounded by every thread for itself, at its
 * first tile; many by all threads together, in a phase before: that is a barrier more, which few would not pay for.
 *
 * <p>Laid out by whoever advances the step; its tiles then only read it.
 */
final class Product {

    /** What tiles of a multiplication begin with, and what becomes of them. */
    interface Ends {

        /** Writes what the sums of a panel of some rows begin with to the workspace's tile. */
        void fill(int panel, int row, int rows, Workspace workspace);

        /** Takes them. */
        void take(int panel, int row, int rows, Workspace workspace);
    }

    /** Rows that a tile has at most; a multiple of six. */
    static final int TILE_ROWS = 132;

    /** Up to this many numbers every thread rounds all rows for itself: a microsecond or two. */
    private static final long PRIVATE_HALVES = 1 << 15;

    private static final int ROUND_ROWS = 8;
    private static final long TILE_NANOS = 12_000;

    private final int threads;
    private final HalfRows rounded;
    private long number;
    private PackedMatrix matrix;
    private float[] input = new float[0];
    private int stride;
    private int rows;
    private int panelsPerTile;
    private int rowsPerTile;
    private int rowBlocks;

    /**
     * Room for the rows of any product of a model.
     *
     * @param any one of its matrices
     * @param halves numbers of a row of inputs in BF16, at most; 0 where none are wanted so
     */
    Product(PackedMatrix any, int halves, int maxRows, int threads, SegmentAllocator memory) {
        this.threads = threads;
        matrix = any;
        rounded = new HalfRows((long) maxRows * halves, memory);
    }

    /** Numbers that a thread rounds for itself at most. */
    static long privateHalves(int halves) {
        return halves == 0 ? 0 : PRIVATE_HALVES;
    }

    /** Lays out {@code from · w}: rows of inputs from the first on. */
    void begin(PackedMatrix w, float[] from, int inputStride, int count) {
        number++;
        matrix = w;
        input = from;
        stride = inputStride;
        rows = count;
        rowBlocks = (rows + TILE_ROWS - 1) / TILE_ROWS;
        rowsPerTile = rowBlocks == 1 ? rows : ((rows + rowBlocks - 1) / rowBlocks + 5) / 6 * 6;
        panelsPerTile = panelsPerTile(w, rowsPerTile, w.panels(), threads);
    }

    /** About 16 bytes and 128 operations a nanosecond: only the tile's size hangs on it, not the result. */
    static int panelsPerTile(PackedMatrix w, int rows, int allPanels, int threads) {
        long nanos = Math.max(w.bytes() / w.panels() / 16, 2L * rows * PANEL * w.columns() / 128);
        int wanted = (int) Math.max(1, TILE_NANOS / Math.max(1, nanos));
        int fair = Math.max(1, allPanels / (4 * threads));
        return Math.min(wanted, fair);
    }

    PackedMatrix matrix() {
        return matrix;
    }

    float[] input() {
        return input;
    }

    int tiles() {
        return rowBlocks * ((matrix.panels() + panelsPerTile - 1) / panelsPerTile);
    }

    /** The first row of a tile. */
    int row(int tile) {
        return tile % rowBlocks * rowsPerTile;
    }

    int rows(int tile) {
        return Math.min(rowsPerTile, rows - row(tile));
    }

    /** The first panel of a tile. */
    int panel(int tile) {
        return tile / rowBlocks * panelsPerTile;
    }

    int endPanel(int tile) {
        return Math.min(matrix.panels(), panel(tile) + panelsPerTile);
    }

    /** Tiles of the phase in which all threads round the inputs; 0 where there is none. */
    int roundTiles() {
        return roundedTogether() ? (rows + ROUND_ROWS - 1) / ROUND_ROWS : 0;
    }

    private boolean roundedTogether() {
        return (long) rows * HalfRows.stride(matrix) > PRIVATE_HALVES;
    }

    /** Rounds inputs of a tile; nothing past the last, where adapters have more tiles in that phase. */
    void round(int tile) {
        if (tile >= roundTiles()) {
            return;
        }
        int from = tile * ROUND_ROWS;
        rounded.round(input, from * stride, stride, matrix, from, Math.min(ROUND_ROWS, rows - from));
    }

    /**
     * Computes a tile.
     *
     * @param from the inputs, {@link #input} or a thread's own copy of them
     */
    void tile(int tile, float[] from, Workspace workspace, Ends ends) {
        int row = row(tile);
        int rows = rows(tile);
        int first = panel(tile);
        int end = endPanel(tile);
        long endAddress = matrix.start(end);
        MatMul.begin(matrix, first, endAddress, workspace);
        for (int panel = first; panel < end; panel++) {
            ends.fill(panel, row, rows, workspace);
            multiply(from, tile, panel, endAddress, workspace);
            ends.take(panel, row, rows, workspace);
        }
    }

    /** Computes a panel of a tile into the workspace's tile. */
    void multiply(float[] from, int tile, int panel, long end, Workspace workspace) {
        int row = row(tile);
        if (matrix.order() != HalfRows.Order.FLOATS) {
            workspace.inputHalves = halves(from, workspace).row(row, matrix);
        }
        MatMul.panel(matrix, panel, from, row * stride, stride, rows(tile), end, workspace);
    }

    private HalfRows halves(float[] from, Workspace workspace) {
        if (roundedTogether()) {
            return rounded;
        }
        HalfRows own = workspace.halves;
        // experts count upwards
        if (!own.holds(-2 - number)) {
            own.round(from, 0, stride, matrix, 0, rows);
        }
        return own;
    }
}
