package dev.jeton.models.engine;

/**
 * Values added to single logits.
 *
 * @param tokens ids, each at most once
 * @param values added to the logit of the id at the same index; in [-100, 100]
 */
public record LogitBias(int[] tokens, float[] values) {

    /** No bias. */
    public static final LogitBias NONE = new LogitBias(new int[0], new float[0]);

    /** Checks that both arrays are of one length. */
    public LogitBias {
        if (tokens.length != values.length) {
            throw new IllegalArgumentException("logit bias: as many values as tokens are needed");
        }
    }
}
