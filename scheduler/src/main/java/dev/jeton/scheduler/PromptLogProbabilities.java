package dev.jeton.scheduler;

/**
 * Log-probabilities of a prompt's tokens.
 *
 * @param chosen for token i of the prompt its log-probability given those before; index 0 is NaN
 * @param topCount alternatives per token
 * @param topTokens {@code topCount} alternatives for each token, most likely first
 * @param topLogProbabilities their log-probabilities
 */
public record PromptLogProbabilities(float[] chosen, int topCount, int[] topTokens, float[] topLogProbabilities) {
    /** Nothing was asked for. */
    public static final PromptLogProbabilities NONE =
            new PromptLogProbabilities(new float[0], 0, new int[0], new float[0]);
}
