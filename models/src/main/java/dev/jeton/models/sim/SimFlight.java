package dev.jeton.models.sim;

import dev.jeton.models.engine.StepResult;
import java.util.Arrays;

/** A step of the sim engine between its launch and its await, and what it still is to sample. Single-threaded. */
final class SimFlight {

    final StepResult result = new StepResult();
    /**
     * Positions at which is sampled, row by row: the row, its slot, what the token is a function of, and the draft that
     * follows, or -1.
     */
    int[] row = new int[16];

    int[] slot = new int[16];
    long[] hash = new long[16];
    int[] draft = new int[16];
    boolean[] masked = new boolean[16];
    int positions;
    int maskedPositions;
    boolean waitsForMasks;

    void add(int rowIndex, int rowSlot, long drawn, int next, boolean bound) {
        if (positions == row.length) {
            row = Arrays.copyOf(row, 2 * positions);
            slot = Arrays.copyOf(slot, 2 * positions);
            hash = Arrays.copyOf(hash, 2 * positions);
            draft = Arrays.copyOf(draft, 2 * positions);
            masked = Arrays.copyOf(masked, 2 * positions);
        }
        row[positions] = rowIndex;
        slot[positions] = rowSlot;
        hash[positions] = drawn;
        draft[positions] = next;
        masked[positions++] = bound;
        maskedPositions += bound ? 1 : 0;
        waitsForMasks |= bound;
    }
}
