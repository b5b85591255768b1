package dev.jeton.models;

import java.time.Duration;

/**
 * How large steps may be where nothing else is configured.
 *
 * @param maxSequences most sequences in a batch
 * @param maxBatchedTokens most tokens of a step
 * @param target while sequences decode, prompts are cut so that a step is predicted to take no longer; zero is off
 * @param maxDrafts most tokens that are drafted for a sequence in a step
 */
public record StepSize(int maxSequences, int maxBatchedTokens, Duration target, int maxDrafts) {

    /**
     * For processors, which compute a few hundred tokens no slower one by one than together: more in a step only makes
     * those wait who decode.
     */
    public static final StepSize PROCESSOR = new StepSize(64, 512, Duration.ZERO, 8);

    /**
     * For GPUs, where a sequence more in a step costs next to nothing while weights are being read. A prompt of 4,096
     * tokens goes into one step where nobody decodes; where somebody does, nobody's tokens are further apart than a
     * reader notices. Nothing is drafted: with two steps in flight that has a price, which is not known yet.
     */
    public static final StepSize GPU = new StepSize(256, 4_096, Duration.ofMillis(50), 0);

    /** Checks that both bounds are positive, and the target not negative. */
    public StepSize {
        if (maxSequences < 1 || maxBatchedTokens < 1 || target.isNegative() || maxDrafts < 0) {
            throw new IllegalArgumentException(
                    "a step has at least one sequence and one token, and no negative target or drafts");
        }
    }
}
