package dev.jeton.models.cuda;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;

/**
 * What a step leaves on the device and how the host reads it. All that every step brings lies together, for one copy;
 * alternatives and scores of prompts follow in pieces of their own that are copied only where a row asks.
 *
 * <p>Offsets count ints (a float takes the place of an int); every array begins at 16 bytes.
 */
final class StepOutputs {

    /** Alternatives of a row of logits. */
    static final int TOP = SamplingParameters.MAX_LOG_PROBABILITIES;

    private static final int NOT_FINITE = 1;
    private static final String DAMAGED = "the model's logits are not finite; its weights or the input are damaged";

    private StepOutputs() {}

    /**
     * Places of a step's results.
     *
     * @param rows most rows
     * @param logitRows most rows of logits
     */
    record Layout(int rows, int logitRows) {

        private static int aligned(int ints) {
            return (ints + 3) / 4 * 4;
        }

        int accepted() {
            return 0;
        }

        int sampled() {
            return aligned(rows);
        }

        int status() {
            return sampled() + aligned(logitRows);
        }

        int logProbability() {
            return status() + aligned(logitRows);
        }

        /** The end of what every step brings. */
        int plain() {
            return logProbability() + aligned(logitRows);
        }

        int topTokens() {
            return plain();
        }

        int topValues() {
            return topTokens() + logitRows * TOP;
        }

        /** The end of what a step with alternatives brings. */
        int tops() {
            return topValues() + logitRows * TOP;
        }

        int score() {
            return tops();
        }

        int scoreTopTokens() {
            return score() + aligned(logitRows);
        }

        int scoreTopValues() {
            return scoreTopTokens() + logitRows * TOP;
        }

        /** The end of what a step that scores prompts brings. */
        int scores() {
            return scoreTopValues() + logitRows * TOP;
        }
    }

    /**
     * Reads a step's result.
     *
     * @param memory ints, copied from the device
     * @param wanted by slot: log-probabilities asked for, -1 none
     * @param epochs by slot: which use of it is current; rows of earlier uses are passed over
     */
    static void read(
            MemorySegment memory, Layout layout, StepInputs step, int[] wanted, long[] epochs, StepResult result) {
        for (int row = 0; row < step.rows; row++) {
            result.beginRow(row);
            int slot = step.slot[row];
            if (step.epoch[row] != epochs[slot]) {
                continue;
            }
            int accepted = integer(memory, layout.accepted() + row);
            if (accepted < 0) {
                result.fail(
                        row,
                        accepted == -NOT_FINITE
                                ? DAMAGED
                                : "no token may be sampled: min_tokens, logit_bias or a grammar exclude all");
                continue;
            }
            for (int i = 0; i < accepted; i++) {
                int at = step.firstSampledLogit(row) + i;
                int index = result.addToken(
                        integer(memory, layout.sampled() + at), number(memory, layout.logProbability() + at));
                if (wanted[slot] > 0) {
                    result.reserveTop(index);
                    result.topCount[index] = top(
                            memory,
                            layout.topTokens() + at * TOP,
                            layout.topValues() + at * TOP,
                            wanted[slot],
                            result.topTokens,
                            result.topLogProbabilities,
                            index * TOP);
                }
            }
            result.accepted[row] = accepted;
        }
        if (step.scored) {
            readScores(memory, layout, step, wanted, epochs, result);
        }
    }

    private static void readScores(
            MemorySegment memory, Layout layout, StepInputs step, int[] wanted, long[] epochs, StepResult result) {
        if (result.promptLogProbabilities.length < step.tokens) {
            result.promptLogProbabilities = new float[step.tokens];
        }
        Arrays.fill(result.promptLogProbabilities, Float.NaN);
        boolean tops = false;
        for (int row = 0; row < step.rows; row++) {
            tops |= step.has(row, StepBatch.PROMPT_LOG_PROBABILITIES) && wanted[step.slot[row]] > 0;
        }
        if (tops) {
            if (result.promptTopTokens.length < step.tokens * TOP) {
                result.promptTopTokens = new int[step.tokens * TOP];
                result.promptTopLogProbabilities = new float[step.tokens * TOP];
            }
            Arrays.fill(result.promptTopTokens, -1);
            Arrays.fill(result.promptTopLogProbabilities, Float.NaN);
        }
        for (int row = 0; row < step.rows; row++) {
            int slot = step.slot[row];
            if (!step.has(row, StepBatch.PROMPT_LOG_PROBABILITIES) || step.epoch[row] != epochs[slot]) {
                continue;
            }
            for (int i = step.logitStart[row]; i < step.logitStart[row + 1]; i++) {
                int input = step.logitToken[i];
                if (step.following(input) < 0) {
                    continue;
                }
                float score = number(memory, layout.score() + i);
                result.promptLogProbabilities[input] = score;
                if (Float.isNaN(score)) {
                    result.fail(row, DAMAGED);
                    break;
                }
                if (wanted[slot] > 0) {
                    top(
                            memory,
                            layout.scoreTopTokens() + i * TOP,
                            layout.scoreTopValues() + i * TOP,
                            wanted[slot],
                            result.promptTopTokens,
                            result.promptTopLogProbabilities,
                            input * TOP);
                }
            }
        }
    }

    /** Copies alternatives up to the first that is none; returns how many. */
    private static int top(
            MemorySegment memory, int tokens, int values, int wanted, int[] toTokens, float[] toValues, int to) {
        int count = 0;
        while (count < wanted && integer(memory, tokens + count) >= 0) {
            toTokens[to + count] = integer(memory, tokens + count);
            toValues[to + count] = number(memory, values + count);
            count++;
        }
        return count;
    }

    private static int integer(MemorySegment memory, int at) {
        return memory.getAtIndex(JAVA_INT, at);
    }

    private static float number(MemorySegment memory, int at) {
        return memory.getAtIndex(JAVA_FLOAT, at);
    }
}
