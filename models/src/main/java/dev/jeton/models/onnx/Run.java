package dev.jeton.models.onnx;

import dev.jeton.models.rows.StepRows;

/**
 * Rows of a step that go through the graph together: a rectangle of {@code count} rows and as many inputs in each.
 * Reused from run to run; owned by the engine's thread.
 */
final class Run {

    /** How many rows there are. */
    int count;
    /** The step's row. */
    final int[] row;
    /** Its slot, and which use of the slot it belongs to. */
    final int[] slot;

    final long[] use;
    /** Tokens of the sequence that have keys and values. */
    final int[] length;
    /** Where its block table begins in {@link #blocks}. */
    final int[] table;

    int[] blocks = new int[0];
    /** By place in the graph's tensors: which of the rows above is there. */
    final int[] at;

    Run(int maxRows) {
        row = new int[maxRows];
        slot = new int[maxRows];
        use = new long[maxRows];
        length = new int[maxRows];
        table = new int[maxRows];
        at = new int[maxRows];
    }

    /** Begins a run of rows of a step. */
    void clear(StepRows rows) {
        count = 0;
        blocks = rows.blocks[0];
    }

    /** Adds a row. */
    void add(StepRows rows, int stepRow, long slotUse) {
        row[count] = stepRow;
        slot[count] = rows.slot[stepRow];
        use[count] = slotUse;
        length[count] = rows.position[stepRow];
        table[count] = rows.tableStart[0][stepRow];
        at[count] = count;
        count++;
    }

    /** Length of the longest row. */
    int longest() {
        int longest = 0;
        for (int i = 0; i < count; i++) {
            longest = Math.max(longest, length[i]);
        }
        return longest;
    }
}
