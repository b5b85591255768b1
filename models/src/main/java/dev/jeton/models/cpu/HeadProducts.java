package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;

import java.util.List;

/**
 * Multiplications of rows with a matrix of each head's own, in tiles of a block of rows and one head: what
 * {@link LatentAttention} does to queries, and to what they attended to.
 *
 * <p>Laid out by whoever advances the step; its tiles then only read it.
 */
final class HeadProducts {

    /** Keys of rounded rows are counted upwards from here: products count downwards from 0, experts upwards. */
    private static final long FIRST_KEY = Long.MIN_VALUE;

    private List<PackedMatrix> matrices = List.of();
    private float[] input = new float[0];
    private int inputAt;
    private int inputStride;
    private int inputHead;
    private float[] output = new float[0];
    private int outputStride;
    private int outputHead;
    private int outputs;
    private int rows;
    private int blocks;
    private long number;

    /** Numbers that the rows of a tile take when a thread rounds them. */
    static long halves(PackedMatrix matrix) {
        return (long) Product.TILE_ROWS * HalfRows.stride(matrix);
    }

    /**
     * Lays out rows.
     *
     * @param of by head, alike in shape
     * @param from rows of inputs, the first head's of the first row at {@code at}
     * @param stride from a row to the next
     * @param head from a head's inputs to the next one's
     */
    void begin(List<PackedMatrix> of, float[] from, int at, int stride, int head, int count) {
        number++;
        matrices = of;
        input = from;
        inputAt = at;
        inputStride = stride;
        inputHead = head;
        rows = count;
        blocks = (count + Product.TILE_ROWS - 1) / Product.TILE_ROWS;
    }

    /**
     * Says where outputs go.
     *
     * @param width of a head's
     * @param stride from a row to the next
     * @param head from a head's to the next one's
     */
    void to(float[] target, int width, int stride, int head) {
        output = target;
        outputs = width;
        outputStride = stride;
        outputHead = head;
    }

    int tiles() {
        return matrices.size() * blocks;
    }

    int head(int tile) {
        return tile / blocks;
    }

    int row(int tile) {
        return tile % blocks * perBlock();
    }

    int rows(int tile) {
        return Math.min(perBlock(), rows - row(tile));
    }

    private int perBlock() {
        return (rows + blocks - 1) / blocks;
    }

    /** Computes a tile. */
    void tile(int tile, Workspace workspace) {
        int head = head(tile);
        int row = row(tile);
        int count = rows(tile);
        PackedMatrix matrix = matrices.get(head);
        int from = inputAt + row * inputStride + head * inputHead;
        if (matrix.order() != HalfRows.Order.FLOATS) {
            if (!workspace.halves.holds(FIRST_KEY + (number << 24) + tile)) {
                workspace.halves.round(input, from, inputStride, matrix, 0, count);
            }
            workspace.inputHalves = workspace.halves.row(0, matrix);
        }
        long end = matrix.start(matrix.panels());
        MatMul.begin(matrix, 0, end, workspace);
        int to = row * outputStride + head * outputHead;
        for (int panel = 0; panel < matrix.panels(); panel++) {
            RowKernels.fillBias(RowKernels.NO_BIAS, panel, count, workspace.tile);
            MatMul.panel(matrix, panel, input, from, inputStride, count, end, workspace);
            int width = Math.min(PANEL, outputs - panel * PANEL);
            RowKernels.copyOut(workspace.tile, count, width, output, to + panel * PANEL, outputStride);
        }
    }
}
