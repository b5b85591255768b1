package dev.jeton.models.engine;

/**
 * How the next token is chosen from a row's logits. Order of application: repetition, presence and frequency penalties;
 * logit bias; suppression of stop tokens before {@code minTokens}; grammar mask; log-probabilities are taken here, of
 * the logits at temperature 1; temperature; top-k; min-p; top-p; draw.
 *
 * @param temperature 0 is greedy (the lowest id among equal logits); otherwise in (0, 100], where less than
 *     {@link #LEAST_TEMPERATURE} counts as that
 * @param topK keep this many most likely tokens; 0 keeps all
 * @param topP keep the smallest set whose probability reaches this, in (0, 1]
 * @param minP keep tokens at least this share of the most likely one's probability, in [0, 1]
 * @param repetitionPenalty divides positive and multiplies negative logits of tokens seen in prompt or output; 1 is off
 * @param presencePenalty subtracted once from logits of tokens generated before, in [-2, 2]
 * @param frequencyPenalty subtracted per occurrence from logits of tokens generated before, in [-2, 2]
 * @param bias added to single logits
 * @param seed the draw of the k-th generated token depends on (seed, k) and the logits alone, so a sequence's tokens do
 *     not depend on what else is in the batch
 * @param minTokens tokens to generate before a token of {@code stopTokens} may be sampled
 * @param stopTokens ids suppressed until {@code minTokens} were generated
 * @param logProbabilities -1: none; 0: of the chosen token; 1 to 20: also of that many most likely ones
 */
public record SamplingParameters(
        double temperature,
        int topK,
        double topP,
        double minP,
        double repetitionPenalty,
        double presencePenalty,
        double frequencyPenalty,
        LogitBias bias,
        long seed,
        int minTokens,
        int[] stopTokens,
        int logProbabilities) {

    /** Most alternatives whose log-probabilities can be asked for. */
    public static final int MAX_LOG_PROBABILITIES = 20;

    /**
     * Engines multiply by a temperature's inverse in single precision, which this one still has, as has each of its
     * products with a difference of 0. Logits that differ at all are further apart at it than any share can tell.
     */
    public static final double LEAST_TEMPERATURE = 1e-30;

    /** Greedy decoding without any penalty. */
    public static final SamplingParameters GREEDY =
            new SamplingParameters(0, 0, 1, 0, 1, 0, 0, LogitBias.NONE, 0, 0, new int[0], -1);

    /** Checks the bounds named above. */
    public SamplingParameters {
        require(temperature >= 0 && temperature <= 100, "temperature", temperature);
        temperature = temperature == 0 ? 0 : Math.max(temperature, LEAST_TEMPERATURE);
        require(topK >= 0, "top_k", topK);
        require(topP > 0 && topP <= 1, "top_p", topP);
        require(minP >= 0 && minP <= 1, "min_p", minP);
        require(repetitionPenalty > 0 && repetitionPenalty <= 100, "repetition_penalty", repetitionPenalty);
        require(Math.abs(presencePenalty) <= 2, "presence_penalty", presencePenalty);
        require(Math.abs(frequencyPenalty) <= 2, "frequency_penalty", frequencyPenalty);
        require(minTokens >= 0, "min_tokens", minTokens);
        require(logProbabilities >= -1 && logProbabilities <= MAX_LOG_PROBABILITIES, "logprobs", logProbabilities);
    }

    private static void require(boolean holds, String name, double value) {
        if (!holds) {
            throw new IllegalArgumentException(name + " is out of range: " + value);
        }
    }

    /** The same parameters with another seed. */
    public SamplingParameters withSeed(long newSeed) {
        return new SamplingParameters(
                temperature,
                topK,
                topP,
                minP,
                repetitionPenalty,
                presencePenalty,
                frequencyPenalty,
                bias,
                newSeed,
                minTokens,
                stopTokens,
                logProbabilities);
    }

    /** The same parameters with other tokens that end a sequence. */
    public SamplingParameters withStopTokens(int[] tokens) {
        return new SamplingParameters(
                temperature,
                topK,
                topP,
                minP,
                repetitionPenalty,
                presencePenalty,
                frequencyPenalty,
                bias,
                seed,
                minTokens,
                tokens,
                logProbabilities);
    }

    /** Whether any of the three penalties is on, so that token counts must be kept. */
    public boolean penalised() {
        return repetitionPenalty != 1 || presencePenalty != 0 || frequencyPenalty != 0;
    }
}
