package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;

import dev.jeton.models.rows.StepRows;

/**
 * The rows of a {@link DecoderStep} that get logits, at most {@value #MOST_ROWS} at a time: which they are, their
 * logits, and their sampling, in tiles of one row of the batch. In a model that gives vectors, rows' normalised states
 * are in the place of logits.
 *
 * <p>Owned by the step; tiles write disjoint parts.
 */
final class StepLogits {

    /** What happens to rows of logits. */
    interface Sampling {
        /** Takes rows of logits of batch row {@code row}: entries [first, end) of {@link StepRows#logitToken}. */
        void take(int row, int first, int end, float[] logits, int offset, int stride, Workspace workspace);
    }

    /** Most rows of logits held at once. */
    private static final int MOST_ROWS = 64;

    private final StepRows batch;
    private final Sampling sampling;
    private final float cap;
    private final int stride;
    private final float[] logits;
    private final int[] rowOf;
    private int from;
    private int end;

    /**
     * @param logits of {@code rows(maxTokens)} rows, {@code stride} apart; or states
     * @param cap that logits are squeezed under; 0 for none
     */
    StepLogits(float[] logits, int stride, float cap, StepRows batch, Sampling sampling, int maxTokens) {
        this.batch = batch;
        this.sampling = sampling;
        this.cap = cap;
        this.logits = logits;
        this.stride = stride;
        rowOf = new int[rows(maxTokens)];
    }

    /** Most rows held at once. */
    static int rows(int maxTokens) {
        return Math.min(MOST_ROWS, maxTokens);
    }

    void begin() {
        from = 0;
        end = 0;
    }

    /** Goes on to the next rows; returns how many, 0 at the end. */
    int next() {
        from = end;
        end = Math.min(batch.logitCount, from + MOST_ROWS);
        return end - from;
    }

    /** The token of one of them. */
    int token(int row) {
        return batch.logitToken[from + row];
    }

    /** Takes a panel of logits of some of them. */
    void put(float[] tile, int panel, int row, int rows) {
        if (cap > 0) {
            RowKernels.cap(tile, 0, rows * PANEL, cap);
        }
        RowKernels.copyOut(tile, rows, logits, row * stride + panel * PANEL, stride);
    }

    /** Lists the rows of the batch whose logits are there; returns how many. */
    int sampled() {
        int rows = 0;
        int last = -1;
        for (int i = from; i < end; i++) {
            int row = batch.tokenRow[batch.logitToken[i]];
            if (row != last) {
                rowOf[rows++] = row;
                last = row;
            }
        }
        return rows;
    }

    /** Samples one of those. */
    void sample(int tile, Workspace workspace) {
        int row = rowOf[tile];
        int first = Math.max(from, batch.logitStart[row]);
        int stop = Math.min(end, batch.logitStart[row + 1]);
        sampling.take(row, first, stop, logits, (first - from) * stride, stride, workspace);
    }
}
