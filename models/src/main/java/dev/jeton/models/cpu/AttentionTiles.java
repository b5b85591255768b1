package dev.jeton.models.cpu;

import dev.jeton.models.rows.StepRows;
import java.util.Arrays;

/**
 * A step's attention in tiles of some heads and some positions of one row, the same for all layers. Rows with the
 * longest context first would balance best; decodes are even, so rows go in order.
 *
 * <p>Laid out by whoever begins a step; its tiles then only read it.
 */
final class AttentionTiles {

    /** Positions of a tile, at most. */
    static final int POSITIONS = 32;

    private int count;
    private int[] rowOf = new int[64];
    private int[] headOf = new int[64];
    private int[] fromOf = new int[64];

    /**
     * Lays out a step.
     *
     * @param heads of each row
     * @param together how many of them a tile has, at most
     */
    void begin(StepRows batch, int heads, int together) {
        count = 0;
        for (int row = 0; row < batch.rows; row++) {
            int positions = batch.inputStart[row + 1] - batch.inputStart[row];
            for (int from = 0; from < positions; from += POSITIONS) {
                for (int head = 0; head < heads; head += together) {
                    add(row, head, from);
                }
            }
        }
    }

    private void add(int row, int head, int from) {
        if (count == rowOf.length) {
            rowOf = Arrays.copyOf(rowOf, 2 * count);
            headOf = Arrays.copyOf(headOf, 2 * count);
            fromOf = Arrays.copyOf(fromOf, 2 * count);
        }
        rowOf[count] = row;
        headOf[count] = head;
        fromOf[count++] = from;
    }

    /** How many there are. */
    int count() {
        return count;
    }

    /** A tile's row of the batch. */
    int row(int tile) {
        return rowOf[tile];
    }

    /** Its first head. */
    int head(int tile) {
        return headOf[tile];
    }

    /** Its first token among the step's. */
    int first(int tile, StepRows batch) {
        return batch.inputStart[rowOf[tile]] + fromOf[tile];
    }

    /** How many positions it has. */
    int positions(int tile, StepRows batch) {
        return Math.min(POSITIONS, batch.inputStart[rowOf[tile] + 1] - first(tile, batch));
    }
}
