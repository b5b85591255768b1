package dev.jeton.scheduler;

import java.util.Arrays;

/**
 * One sampled continuation that an engine computes which batches by itself, and what of it is not delivered yet. Owned
 * by the loop's thread.
 */
final class SequenceRun {

    final GenerationState generation;
    final int index;
    final long id;
    /** Tokens that the engine told and the reader has not been given, with their log-probabilities. */
    private int[] tokens = new int[8];

    private float[] logProbabilities = new float[8];
    private int taken;
    private int told;
    /** Tokens given to the reader, or ended at. */
    int delivered;
    /** Tokens generated, as iterations say it. */
    int attributed;

    boolean stepped;
    /** Whether the engine has told its end. */
    boolean finished;

    FinishReason how = FinishReason.LENGTH;
    String message = "";
    /** Whether its reader was told its end. */
    boolean ended;

    FinishReason reason = FinishReason.LENGTH;

    SequenceRun(GenerationState generation, int index, long id) {
        this.generation = generation;
        this.index = index;
        this.id = id;
    }

    void told(int token, float logProbability) {
        if (told == tokens.length) {
            int left = pending();
            int capacity = 2 * left >= tokens.length ? 2 * tokens.length : tokens.length;
            tokens = Arrays.copyOf(Arrays.copyOfRange(tokens, taken, told), capacity);
            logProbabilities = Arrays.copyOf(Arrays.copyOfRange(logProbabilities, taken, told), capacity);
            taken = 0;
            told = left;
        }
        tokens[told] = token;
        logProbabilities[told++] = logProbability;
    }

    /** Tokens told and not given to the reader. */
    int pending() {
        return told - taken;
    }

    int token() {
        return tokens[taken];
    }

    float logProbability() {
        return logProbabilities[taken];
    }

    /** The first of them is given to the reader. */
    void take() {
        taken++;
        delivered++;
    }

    /** Whether nobody reads it any more. */
    boolean abandoned() {
        return reason == FinishReason.CANCELLED || reason == FinishReason.STALLED;
    }

    /** What a row of it is in the books. */
    byte kind(int prefill) {
        if (ended && attributed >= delivered) {
            return abandoned() ? StepRecord.CANCELLED : StepRecord.OVERRUN;
        }
        return prefill > 0 ? StepRecord.PREFILL : StepRecord.DECODE;
    }
}
