package dev.jeton.models.engine;

import java.util.Arrays;

/**
 * One step's ragged batch of rows in flat arrays, filled by the scheduler and read by the engine; reused from step to
 * step, so nothing is allocated per row once the arrays have grown to a batch's size.
 *
 * <p>A row is what one sequence does in this step: its slot feeds {@code inputs(r)} tokens at positions
 * {@code position(r)} onward. The tokens are given, or (flag {@link #LAST_TOKEN}) one token that the slot sampled
 * itself in the step before, which the caller need not know yet. The last {@code drafts(r)} of the given tokens are
 * drafts to be verified. For every layer group the row has a block table that covers all its positions; entries of
 * blocks that fell out of a group's window are -1.
 *
 * <p>Public arrays, because engines read them in tight loops; only the owner of the batch writes them, through the
 * methods below.
 */
public final class StepBatch {

    /** The row's only input is the token that its slot sampled last. */
    public static final int LAST_TOKEN = 1;

    /** A token is sampled from the logits at the row's last input. */
    public static final int SAMPLE = 2;

    /** For each input, the log-probability of the token that follows it (the next input; then {@link #following}). */
    public static final int PROMPT_LOG_PROBABILITIES = 4;

    /** The output is a vector: the pooled hidden state over the sequence's tokens, or the scores of labels. */
    public static final int POOLED = 8;

    /** Sampling waits for {@link Engine#masks}. */
    public static final int MASKED = 16;

    private final int groups;
    private int rows;
    private int tokenCount;

    /** Per row: the slot. */
    public int[] slot = new int[16];
    /** Per row: the adapter, 0 for none. */
    public int[] adapter = new int[16];
    /** Per row: an or of the flags above. */
    public int[] flags = new int[16];
    /** Per row: the position of its first input, which is the number of tokens whose K and V are in its blocks. */
    public int[] position = new int[16];
    /** Per row: index into {@link #tokens} of its first input; {@code inputStart[rows]} is the end of the last. */
    public int[] inputStart = new int[17];
    /** Per row: how many of its last inputs are drafts. */
    public int[] drafts = new int[16];
    /** Per row: the token after its last input where prompt log-probabilities are asked for, or -1. */
    public int[] following = new int[16];
    /** All rows' inputs one after the other; a LAST_TOKEN row has one entry, whose value is undefined. */
    public int[] tokens = new int[256];
    /** Per group: all rows' block ids one after the other. */
    public final int[][] blocks;
    /** Per group and row: index into {@link #blocks} of its first; entry {@code rows} is the end of the last. */
    public final int[][] tableStart;

    /** A batch for an engine of {@code groups} layer groups. */
    public StepBatch(int groups) {
        this.groups = groups;
        blocks = new int[groups][256];
        tableStart = new int[groups][17];
    }

    /** Empties the batch; the arrays stay. */
    public void clear() {
        rows = 0;
        tokenCount = 0;
    }

    /** Rows so far. */
    public int rows() {
        return rows;
    }

    /** Inputs of all rows. */
    public int tokenCount() {
        return tokenCount;
    }

    /** Layer groups, each with a block table per row. */
    public int groups() {
        return groups;
    }

    /** Inputs of a row, drafts included. */
    public int inputs(int row) {
        return inputStart[row + 1] - inputStart[row];
    }

    /** Whether the row has the flag. */
    public boolean has(int row, int flag) {
        return (flags[row] & flag) != 0;
    }

    /** Blocks in a row's table of a group. */
    public int tableLength(int group, int row) {
        return tableStart[group][row + 1] - tableStart[group][row];
    }

    /**
     * Begins a row of given tokens: {@code count} of {@code source} from {@code from}. Tables follow, group by group.
     */
    public int addRow(int rowSlot, int rowFlags, int firstPosition, int[] source, int from, int count) {
        int row = begin(rowSlot, rowFlags, firstPosition, count);
        System.arraycopy(source, from, tokens, inputStart[row], count);
        return row;
    }

    /** Has the newest row go through an adapter; 0 for none, as it is without. */
    public void useAdapter(int rowAdapter) {
        adapter[rows - 1] = rowAdapter;
    }

    /** Begins a row whose input is its slot's last token. Tables follow, group by group. */
    public int addLastTokenRow(int rowSlot, int rowFlags, int firstPosition) {
        return begin(rowSlot, rowFlags | LAST_TOKEN, firstPosition, 1);
    }

    private int begin(int rowSlot, int rowFlags, int firstPosition, int count) {
        int row = rows;
        if (row + 1 >= inputStart.length) {
            growRows();
        }
        if (tokenCount + count > tokens.length) {
            tokens = Arrays.copyOf(tokens, Math.max(2 * tokens.length, tokenCount + count));
        }
        slot[row] = rowSlot;
        adapter[row] = 0;
        flags[row] = rowFlags;
        position[row] = firstPosition;
        drafts[row] = 0;
        following[row] = -1;
        inputStart[row] = tokenCount;
        tokenCount += count;
        inputStart[row + 1] = tokenCount;
        for (int g = 0; g < groups; g++) {
            tableStart[g][row + 1] = row == 0 ? 0 : tableStart[g][row];
            if (row == 0) {
                tableStart[g][0] = 0;
            }
        }
        rows = row + 1;
        return row;
    }

    /** Appends block ids to the newest row's table of a group. */
    public void addBlocks(int group, int[] source, int from, int count) {
        int end = tableStart[group][rows];
        if (end + count > blocks[group].length) {
            blocks[group] = Arrays.copyOf(blocks[group], Math.max(2 * blocks[group].length, end + count));
        }
        System.arraycopy(source, from, blocks[group], end, count);
        tableStart[group][rows] = end + count;
    }

    private void growRows() {
        int capacity = 2 * slot.length;
        slot = Arrays.copyOf(slot, capacity);
        adapter = Arrays.copyOf(adapter, capacity);
        flags = Arrays.copyOf(flags, capacity);
        position = Arrays.copyOf(position, capacity);
        inputStart = Arrays.copyOf(inputStart, capacity + 1);
        drafts = Arrays.copyOf(drafts, capacity);
        following = Arrays.copyOf(following, capacity);
        for (int g = 0; g < groups; g++) {
            tableStart[g] = Arrays.copyOf(tableStart[g], capacity + 1);
        }
    }
}
