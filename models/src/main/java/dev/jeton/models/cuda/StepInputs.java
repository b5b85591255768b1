package dev.jeton.models.cuda;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.TokenMasks;
import java.lang.foreign.MemorySegment;

/**
 * One step's input in pinned memory, written at launch and copied to the device as one piece; and what the host must
 * remember of the step until its result is read.
 *
 * <p>Owned by the engine's thread; one for each step in flight.
 */
final class StepInputs {

    private final MemorySegment target;
    private final int groups;
    private final long mostBlocks;

    /** Rows of the step. */
    int rows;
    /** Input tokens. */
    int tokens;
    /** Rows of logits. */
    int logitRows;
    /** Positions that wait for a grammar mask. */
    int masks;
    /** Ints of {@link #target} that count. */
    int used;
    /** Whether every row is one input that is sampled, without scores of a prompt. */
    boolean decodes;
    /** Whether log-probabilities of prompts are wanted. */
    boolean scored;
    /** Whether any row goes through an adapter. */
    boolean adapted;

    final int[] slot;
    final long[] epoch;
    final int[] flags;
    final int[] inputStart;
    final int[] drafts;
    final int[] logitStart;
    /** Input token of each row of logits. */
    final int[] logitToken;

    /** The token after each input that is scored, or -1. */
    private final int[] scoredToken;

    /** @param target ints in pinned memory, as many as {@link #mostInts} says */
    StepInputs(MemorySegment target, int groups, int maxRows, int maxTokens, long mostBlocks) {
        this.target = target;
        this.groups = groups;
        this.mostBlocks = mostBlocks;
        slot = new int[maxRows];
        epoch = new long[maxRows];
        flags = new int[maxRows];
        inputStart = new int[maxRows + 1];
        drafts = new int[maxRows];
        logitStart = new int[maxRows + 1];
        logitToken = new int[maxTokens];
        scoredToken = new int[maxTokens];
    }

    /** Ints that any step of these bounds fits in. */
    static long mostInts(int groups, int maxRows, int maxTokens, long mostBlocks) {
        return new StepLayout(maxRows, maxTokens, maxTokens, groups).blocks() + mostBlocks;
    }

    /** Counts what the batch asks for; before {@link #write}, since the layout depends on it. */
    void count(StepBatch batch) {
        rows = batch.rows();
        tokens = batch.tokenCount();
        logitRows = 0;
        masks = 0;
        scored = false;
        adapted = false;
        System.arraycopy(batch.slot, 0, slot, 0, rows);
        System.arraycopy(batch.flags, 0, flags, 0, rows);
        System.arraycopy(batch.inputStart, 0, inputStart, 0, rows + 1);
        System.arraycopy(batch.drafts, 0, drafts, 0, rows);
        for (int row = 0; row < rows; row++) {
            logitStart[row] = logitRows;
            for (int t = firstLogit(row); t < inputStart[row + 1]; t++) {
                logitToken[logitRows++] = t;
            }
            if (has(row, StepBatch.MASKED)) {
                masks += 1 + drafts[row];
            }
            scored |= has(row, StepBatch.PROMPT_LOG_PROBABILITIES);
            adapted |= batch.adapter[row] != 0;
        }
        logitStart[rows] = logitRows;
        decodes = tokens == rows && logitRows == rows && !scored;
    }

    private int firstLogit(int row) {
        if (has(row, StepBatch.PROMPT_LOG_PROBABILITIES)) {
            return inputStart[row];
        }
        return has(row, StepBatch.SAMPLE | StepBatch.POOLED) ? firstSample(row) : inputStart[row + 1];
    }

    /** The first input of a sampling row whose logits are sampled: the one before its drafts. */
    int firstSample(int row) {
        return inputStart[row + 1] - 1 - drafts[row];
    }

    /** The first row of logits of a batch row that is sampled. */
    int firstSampledLogit(int row) {
        return logitStart[row + 1] - 1 - drafts[row];
    }

    /** The token whose log-probability is asked for at an input that has logits, or -1. */
    int following(int input) {
        return scoredToken[input];
    }

    boolean has(int row, int flag) {
        return (flags[row] & flag) != 0;
    }

    /** Writes the batch that was just counted. */
    void write(StepBatch batch, StepLayout layout) {
        assert rows <= layout.rows() && tokens <= layout.tokens() && logitRows <= layout.logitRows();
        long blocks = 0;
        for (int g = 0; g < groups; g++) {
            blocks += rows == 0 ? 0 : batch.tableStart[g][rows];
        }
        if (blocks > mostBlocks) {
            throw new EngineException("%d blocks in a step; the engine takes %d".formatted(blocks, mostBlocks));
        }
        for (int chunk = 0; chunk < layout.chunks(); chunk++) {
            int header = layout.header(chunk);
            set(header, rows);
            set(header + 1, tokens);
            set(header + 2, Math.clamp(logitRows - (long) chunk * StepLayout.CHUNK, 0, StepLayout.CHUNK));
        }
        copy(slot, rows, layout.slot());
        copy(flags, rows, layout.flags());
        copy(batch.position, rows, layout.position());
        copy(inputStart, rows + 1, layout.inputStart());
        copy(drafts, rows, layout.drafts());
        copy(batch.adapter, rows, layout.adapter());
        copy(logitStart, rows + 1, layout.logitStart());
        copy(batch.tokens, tokens, layout.token());
        copy(logitToken, logitRows, layout.logitToken());
        writeLogits(batch, layout);
        writeTables(batch, layout);
    }

    private void writeLogits(StepBatch batch, StepLayout layout) {
        int mask = 0;
        for (int row = 0; row < rows; row++) {
            boolean sample = has(row, StepBatch.SAMPLE);
            boolean score = has(row, StepBatch.PROMPT_LOG_PROBABILITIES);
            boolean masked = has(row, StepBatch.MASKED);
            for (int i = logitStart[row]; i < logitStart[row + 1]; i++) {
                int input = logitToken[i];
                boolean last = input + 1 == inputStart[row + 1];
                int position = sample ? input - firstSample(row) : -1;
                set(layout.logitRow() + i, row);
                set(layout.logitSample() + i, Math.max(-1, position));
                scoredToken[input] = score ? last ? batch.following[row] : batch.tokens[input + 1] : -1;
                set(layout.logitScore() + i, scoredToken[input]);
                set(layout.logitMask() + i, masked && position >= 0 ? mask++ : -1);
            }
        }
    }

    /**
     * Says which mask each row of logits has, where that is not the one of its position: rows without one are sampled
     * as if they were not marked. What was sent at the launch may still be on its way; nobody reads it before sampling.
     *
     * @return whether anything is to be sent again
     */
    boolean place(TokenMasks given, StepLayout layout) {
        if (given.masks() == given.positions()) {
            return false;
        }
        int position = 0;
        for (int row = 0; row < rows; row++) {
            for (int i = firstSampledLogit(row); has(row, StepBatch.MASKED) && i < logitStart[row + 1]; i++) {
                set(layout.logitMask() + i, given.places()[position++]);
            }
        }
        return true;
    }

    private void writeTables(StepBatch batch, StepLayout layout) {
        int at = 0;
        for (int g = 0; g < groups; g++) {
            int[] starts = rows == 0 ? new int[1] : batch.tableStart[g];
            for (int row = 0; row <= rows; row++) {
                set(layout.tableStart(g) + row, at + starts[row]);
            }
            copy(batch.blocks[g], starts[rows], layout.blocks() + at);
            at += starts[rows];
        }
        used = layout.blocks() + at;
    }

    private void set(int at, int value) {
        target.setAtIndex(JAVA_INT, at, value);
    }

    private void copy(int[] from, int count, int at) {
        MemorySegment.copy(from, 0, target, JAVA_INT, 4L * at, count);
    }
}
