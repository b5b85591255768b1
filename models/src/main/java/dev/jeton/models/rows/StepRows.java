package dev.jeton.models.rows;

import dev.jeton.models.engine.StepBatch;
import java.util.Arrays;

/**
 * The engine's own copy of a batch, with what steps need beside it: each token's row and position, and which tokens get
 * logits. Written at launch by the engine's owner, read by all its threads during the step.
 *
 * <p>Public arrays for the same reason as in {@link StepBatch}; only {@link HostSlots} writes them.
 */
public final class StepRows {

    /** Rows of the step. */
    public int rows;
    /** Inputs of all rows. */
    public int tokenCount;
    /** As in {@link StepBatch}. */
    public final int[] slot;
    /** Per row: which use of its slot it belongs to. */
    final long[] epoch;
    /** As in {@link StepBatch}. */
    public final int[] flags;
    /** As in {@link StepBatch}. */
    public final int[] adapter;
    /** As in {@link StepBatch}. */
    public final int[] position;
    /** As in {@link StepBatch}. */
    public final int[] inputStart;
    /** As in {@link StepBatch}. */
    public final int[] drafts;
    /** As in {@link StepBatch}. */
    public final int[] following;
    /** As in {@link StepBatch}, with the slot's own token where a row asked for it. */
    public final int[] tokens;
    /** Row of each token. */
    public final int[] tokenRow;
    /** Position of each token. */
    public final int[] tokenPosition;
    /** Tokens that get logits, or whose state becomes a vector, in order. */
    public final int[] logitToken;
    /** How many those are. */
    public int logitCount;
    /** Per row: index into {@link #logitToken} of its first; entry {@code rows} is the end of the last. */
    public final int[] logitStart;
    /** Whether any row has more than one input. */
    public boolean chunked;
    /** As in {@link StepBatch}. */
    public final int[][] blocks;
    /** As in {@link StepBatch}. */
    public final int[][] tableStart;

    /** Room for steps of at most so many rows and tokens. */
    public StepRows(int groups, int maxRows, int maxTokens) {
        blocks = new int[groups][0];
        tableStart = new int[groups][maxRows + 1];
        slot = new int[maxRows];
        epoch = new long[maxRows];
        flags = new int[maxRows];
        adapter = new int[maxRows];
        position = new int[maxRows];
        inputStart = new int[maxRows + 1];
        drafts = new int[maxRows];
        following = new int[maxRows];
        logitStart = new int[maxRows + 1];
        tokens = new int[maxTokens];
        tokenRow = new int[maxTokens];
        tokenPosition = new int[maxTokens];
        logitToken = new int[maxTokens];
    }

    /** Copies a batch that was checked before. */
    void copy(StepBatch batch) {
        rows = batch.rows();
        tokenCount = batch.tokenCount();
        System.arraycopy(batch.slot, 0, slot, 0, rows);
        System.arraycopy(batch.flags, 0, flags, 0, rows);
        System.arraycopy(batch.adapter, 0, adapter, 0, rows);
        System.arraycopy(batch.position, 0, position, 0, rows);
        System.arraycopy(batch.inputStart, 0, inputStart, 0, rows + 1);
        System.arraycopy(batch.drafts, 0, drafts, 0, rows);
        System.arraycopy(batch.following, 0, following, 0, rows);
        System.arraycopy(batch.tokens, 0, tokens, 0, tokenCount);
        for (int g = 0; g < blocks.length; g++) {
            System.arraycopy(batch.tableStart[g], 0, tableStart[g], 0, rows + 1);
            int count = tableStart[g][rows];
            if (blocks[g].length < count) {
                blocks[g] = new int[2 * count];
            }
            System.arraycopy(batch.blocks[g], 0, blocks[g], 0, count);
        }
        index();
    }

    private void index() {
        chunked = tokenCount > rows;
        logitCount = 0;
        for (int row = 0; row < rows; row++) {
            int from = inputStart[row];
            int end = inputStart[row + 1];
            Arrays.fill(tokenRow, from, end, row);
            for (int t = from; t < end; t++) {
                tokenPosition[t] = position[row] + t - from;
            }
            logitStart[row] = logitCount;
            for (int t = firstLogit(row); t < end; t++) {
                logitToken[logitCount++] = t;
            }
        }
        logitStart[rows] = logitCount;
    }

    private int firstLogit(int row) {
        if (has(row, StepBatch.PROMPT_LOG_PROBABILITIES)) {
            return inputStart[row];
        }
        return has(row, StepBatch.SAMPLE | StepBatch.POOLED) ? firstSample(row) : inputStart[row + 1];
    }

    /** The first token of a sampling row whose logits are sampled: the one before its drafts. */
    public int firstSample(int row) {
        return inputStart[row + 1] - 1 - drafts[row];
    }

    /** Whether the row has the flag. */
    public boolean has(int row, int flag) {
        return (flags[row] & flag) != 0;
    }
}
