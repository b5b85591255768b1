package dev.jeton.models.engine;

import java.util.Arrays;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What one step brought, in flat arrays by row; owned and reused by the engine.
 *
 * <p>Public arrays for the same reason as in {@link StepBatch}; only the engine writes them.
 */
public final class StepResult {

    /** Nanoseconds of the owner's monotonic clock at which the device began this step. */
    public long startNanos;
    /** Nanoseconds of the same clock at which the device ended it. */
    public long endNanos;
    /** Per row: tokens accepted (0 without SAMPLE; 1; or up to drafts + 1); -1 where the row failed. */
    public int[] accepted = new int[16];
    /** Per row: index into {@link #tokens} and {@link #logProbabilities} of its first accepted token. */
    public int[] tokenStart = new int[16];
    /** Accepted tokens of all rows. */
    public int[] tokens = new int[16];
    /** Per accepted token: its log-probability where asked for, else NaN. */
    public float[] logProbabilities = new float[16];
    /** Per accepted token: how many alternatives follow in the two arrays below. */
    public int[] topCount = new int[16];
    /** Alternatives, {@link SamplingParameters#MAX_LOG_PROBABILITIES} places per accepted token, most likely first. */
    public int[] topTokens = new int[0];
    /** Log-probabilities of {@link #topTokens}. */
    public float[] topLogProbabilities = new float[0];
    /** Per input token of the batch: log-probability of the token after it, where asked for. */
    public float[] promptLogProbabilities = new float[0];
    /** Per input token of the batch: alternatives, as {@link #topTokens}; empty where no row asked. */
    public int[] promptTopTokens = new int[0];
    /** Log-probabilities of {@link #promptTopTokens}. */
    public float[] promptTopLogProbabilities = new float[0];

    /** Length of the vectors below; 0 where no row asked for one. */
    public int pooledWidth;
    /** Of rows with {@link StepBatch#POOLED}: the vector, from {@code row * pooledWidth} on. */
    public float[] pooled = new float[0];

    private @Nullable String[] failures = new String[16];
    private int rows;
    private int tokenCount;

    /** Makes room for a step and forgets the one before. */
    public void reset(int rowCount) {
        if (accepted.length < rowCount) {
            int capacity = Math.max(2 * accepted.length, rowCount);
            accepted = new int[capacity];
            tokenStart = new int[capacity];
            failures = new String[capacity];
        }
        Arrays.fill(failures, 0, Math.max(rows, rowCount), null);
        rows = rowCount;
        tokenCount = 0;
        startNanos = 0;
        endNanos = 0;
        pooledWidth = 0;
    }

    /** Makes room for a vector of each row. */
    public void reservePooled(int width) {
        pooledWidth = width;
        if (pooled.length < rows * width) {
            pooled = new float[rows * width];
        }
    }

    /** Rows of the step. */
    public int rows() {
        return rows;
    }

    /** Appends an accepted token to the row that is being written; rows are written in order. */
    public int addToken(int token, float logProbability) {
        int index = tokenCount++;
        if (index == tokens.length) {
            int capacity = 2 * tokens.length;
            tokens = Arrays.copyOf(tokens, capacity);
            logProbabilities = Arrays.copyOf(logProbabilities, capacity);
            topCount = Arrays.copyOf(topCount, capacity);
        }
        tokens[index] = token;
        logProbabilities[index] = logProbability;
        topCount[index] = 0;
        return index;
    }

    /** Makes sure that alternatives of accepted token {@code index} can be written. */
    public void reserveTop(int index) {
        int needed = (index + 1) * SamplingParameters.MAX_LOG_PROBABILITIES;
        if (topTokens.length < needed) {
            topTokens = Arrays.copyOf(topTokens, 2 * needed);
            topLogProbabilities = Arrays.copyOf(topLogProbabilities, 2 * needed);
        }
    }

    /** Begins row {@code row}: its tokens are those added until the next row begins. */
    public void beginRow(int row) {
        tokenStart[row] = tokenCount;
        accepted[row] = 0;
    }

    /** Marks a row as failed, with what happened in words. */
    public void fail(int row, String message) {
        accepted[row] = -1;
        failures[row] = message;
    }

    /** Why a row failed, if it did. */
    public Optional<String> failure(int row) {
        return Optional.ofNullable(failures[row]);
    }
}
