package dev.jeton.scheduler;

import dev.jeton.models.engine.StepTimeModel;

/**
 * What a step loop can say of a prompt before it is computed.
 *
 * @param cachedTokens of the prompt that are in the prefix cache now, or just being computed
 * @param running sequences that share its steps now
 * @param tokensPerStep most tokens of a step
 * @param times how long steps take, as fitted until now
 */
public record Quote(int cachedTokens, int running, int tokensPerStep, StepTimeModel.Coefficients times) {

    /**
     * Device time of a request: each of its rows' own arithmetic and reads, and its part of what a step takes anyway
     * (base and floor), shared with those that run now.
     *
     * @param prompt tokens of the prompt, of which those cached are not computed
     * @param output tokens of each continuation
     * @param sequences continuations
     * @param sharers other sequences that share the steps
     * @return nanoseconds
     */
    public double nanos(long prompt, long output, int sequences, int sharers) {
        long fresh = Math.max(1, prompt - cachedTokens);
        long prefillSteps = Math.ceilDiv(fresh, tokensPerStep);
        double anyway = (times.baseNanos() + times.floorNanos()) / (1 + sharers);
        // each token reads those before it: a mean of half of them while the prompt is computed
        double prefill = prefillSteps * anyway
                + fresh * times.nanosPerToken()
                + prefillSteps * times.nanosPerKvToken() * (cachedTokens + fresh / 2.0);
        double anywayOfEach = (times.baseNanos() + times.floorNanos()) / (sequences + sharers);
        double decode = (double) sequences
                * output
                * (anywayOfEach + times.nanosPerToken() + times.nanosPerKvToken() * (prompt + output / 2.0));
        return prefill + decode;
    }
}
