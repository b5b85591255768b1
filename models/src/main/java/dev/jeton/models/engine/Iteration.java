package dev.jeton.models.engine;

import java.util.Arrays;

/**
 * What a {@link SequenceEngine} did in one iteration, row by row, in flat arrays; filled by the engine and reused.
 *
 * <p>Public arrays for the same reason as in {@link StepBatch}.
 */
public final class Iteration {

    /** Nanoseconds of the owner's monotonic clock at which the device began it. */
    public long startNanos;
    /** Nanoseconds of the same clock at which the device ended it. */
    public long endNanos;
    /** Per row: the sequence. */
    public long[] id = new long[16];
    /** Per row: prompt tokens computed; 0 in a decode. */
    public int[] prefill = new int[16];
    /** Per row: tokens generated. */
    public int[] generated = new int[16];
    /**
     * Per row: tokens whose K and V are there afterwards. What a sequence's first row has of them beyond what it
     * computed was found in the engine's cache.
     */
    public int[] context = new int[16];

    private int rows;

    /** Rows. */
    public int rows() {
        return rows;
    }

    /** Forgets the iteration before. */
    public void clear() {
        rows = 0;
    }

    /** Appends a row. */
    public void add(long sequence, int prefillTokens, int generatedTokens, int contextTokens) {
        if (rows == id.length) {
            int capacity = 2 * rows;
            id = Arrays.copyOf(id, capacity);
            prefill = Arrays.copyOf(prefill, capacity);
            generated = Arrays.copyOf(generated, capacity);
            context = Arrays.copyOf(context, capacity);
        }
        id[rows] = sequence;
        prefill[rows] = prefillTokens;
        generated[rows] = generatedTokens;
        context[rows] = contextTokens;
        rows++;
    }
}
