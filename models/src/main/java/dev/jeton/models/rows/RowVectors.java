package dev.jeton.models.rows;

import dev.jeton.models.VectorHead;
import dev.jeton.models.engine.StepBatch;

/**
 * What states of rows' last tokens become in a model that gives vectors.
 *
 * <p>{@link #take} is called by compute threads, for different rows at once; it writes entries of its own row only.
 */
public final class RowVectors {

    private final StepRows batch;
    private final RowSampling results;
    private final VectorHead head;
    private final int hidden;
    private final int width;

    /**
     * @param results of the same rows
     * @param hidden elements of a state
     * @param width elements of a vector
     */
    RowVectors(StepRows batch, RowSampling results, VectorHead head, int hidden, int width) {
        this.batch = batch;
        this.results = results;
        this.head = head;
        this.hidden = hidden;
        this.width = width;
    }

    /** Takes the state of row {@code row}'s last token, which begins at {@code offset}. */
    public void take(int row, float[] states, int offset) {
        if (batch.has(row, StepBatch.POOLED) && !head.write(states, offset, hidden, results.vectors(), row * width)) {
            results.fail(row, VectorHead.DAMAGED);
        }
    }
}
