package dev.jeton.scheduler;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** What one step did, row by row, in flat arrays; reused from step to step, so a listener copies what it keeps. */
public final class StepRecord {

    /** The row computed prompt tokens for the first time. */
    public static final byte PREFILL = 0;
    /** The row computed the next token of a running sequence. */
    public static final byte DECODE = 1;
    /** The row computed tokens again that were lost to preemption. */
    public static final byte RECOMPUTE = 2;
    /** The row's sequence had ended before the step did, by itself or by the server: nothing of it is delivered. */
    public static final byte OVERRUN = 3;
    /** The row's sequence had ended before the step did because its client hung up or did not read. */
    public static final byte CANCELLED = 4;
    /** The engine failed the row: nothing of it is delivered. */
    public static final byte FAILED = 5;

    /** Whether the tenant pays for rows of a kind; otherwise the house does. */
    public static boolean tenantPays(byte kind) {
        return kind == PREFILL || kind == DECODE || kind == CANCELLED;
    }

    /** Counts steps from 0. */
    public long step;
    /** When the device began it. */
    public long startNanos;
    /** When the device ended it; not before {@link #startNanos}, which is not before the end of the step before. */
    public long endNanos;
    /** Per row: whose it was. */
    public @Nullable GenerationRequest[] request = new GenerationRequest[16];
    /** Per row: which of the request's sequences. */
    public int[] sequence = new int[16];
    /** Per row: one of the kinds above. */
    public byte[] kind = new byte[16];
    /** Per row: tokens computed. */
    public int[] tokens = new int[16];
    /** Per row: tokens of which K and V were read, summed over its inputs' reads of whole tiles: its context. */
    public int[] kvTokens = new int[16];
    /** Per row: nanoseconds attributed; they sum to the step's time, {@code endNanos - startNanos}. */
    public long[] nanos = new long[16];

    private int rows;

    /** Rows of the step. */
    public int rows() {
        return rows;
    }

    /** Forgets the step before. */
    public void clear() {
        Arrays.fill(request, 0, rows, null);
        rows = 0;
    }

    /** Appends a row. */
    public void add(GenerationRequest owner, int sequenceIndex, byte rowKind, int rowTokens, int rowKvTokens) {
        if (rows == sequence.length) {
            int capacity = 2 * rows;
            request = Arrays.copyOf(request, capacity);
            sequence = Arrays.copyOf(sequence, capacity);
            kind = Arrays.copyOf(kind, capacity);
            tokens = Arrays.copyOf(tokens, capacity);
            kvTokens = Arrays.copyOf(kvTokens, capacity);
            nanos = Arrays.copyOf(nanos, capacity);
        }
        request[rows] = owner;
        sequence[rows] = sequenceIndex;
        kind[rows] = rowKind;
        tokens[rows] = rowTokens;
        kvTokens[rows] = rowKvTokens;
        rows++;
    }
}
