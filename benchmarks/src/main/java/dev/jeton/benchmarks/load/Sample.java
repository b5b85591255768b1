package dev.jeton.benchmarks.load;

/**
 * What one request measured.
 *
 * @param error empty where it went well, otherwise what happened
 * @param startNanos when it was due: with a rate at its arrival, otherwise when it was sent
 * @param firstNanos from there to the first token; to the whole answer where it is not streamed
 * @param totalNanos from there to the end
 * @param promptTokens tokens of the prompt, as the server counted
 * @param outputTokens tokens generated, as the server counted
 * @param gaps nanoseconds between pieces of the stream
 */
public record Sample(
        String error,
        long startNanos,
        long firstNanos,
        long totalNanos,
        int promptTokens,
        int outputTokens,
        long[] gaps) {

    /** Whether it went well. */
    public boolean good() {
        return error.isEmpty();
    }

    /** Nanoseconds per token after the first; 0 where there was only one or the answer came in one piece. */
    public double nanosPerToken() {
        return outputTokens > 1 ? (double) (totalNanos - firstNanos) / (outputTokens - 1) : 0;
    }
}
