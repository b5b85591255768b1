package dev.jeton.server.api;

import dev.jeton.scheduler.GenerationEvent;
import dev.jeton.scheduler.PromptLogProbabilities;
import java.util.Arrays;

/**
 * A token with its log-probability and those of its alternatives.
 *
 * @param token the token
 * @param logProbability its log-probability; NaN for a prompt's first token, which has none
 * @param topTokens alternatives, most likely first
 * @param topLogProbabilities their log-probabilities
 * @param offset where its text begins in the choice's text, in characters
 */
record TokenScore(int token, float logProbability, int[] topTokens, float[] topLogProbabilities, int offset) {

    static TokenScore of(GenerationEvent event, int offset) {
        return new TokenScore(
                event.token,
                event.logProbability,
                Arrays.copyOf(event.topTokens, event.topCount),
                Arrays.copyOf(event.topLogProbabilities, event.topCount),
                offset);
    }

    static TokenScore ofPrompt(PromptLogProbabilities scores, int index, int token, int offset) {
        int top = index == 0 ? 0 : scores.topCount();
        int from = index * scores.topCount();
        return new TokenScore(
                token,
                index == 0 ? Float.NaN : scores.chosen()[index],
                Arrays.copyOfRange(scores.topTokens(), from, from + top),
                Arrays.copyOfRange(scores.topLogProbabilities(), from, from + top),
                offset);
    }
}
