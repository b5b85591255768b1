package dev.jeton.accounting;

/**
 * Tokens of a request by what the list prices: kinds do not overlap.
 *
 * @param input tokens of the prompt that were not found in the cache
 * @param cached tokens of the prompt that were
 * @param output tokens generated and delivered
 */
public record Tokens(long input, long cached, long output) {

    /** No tokens. */
    public static final Tokens NONE = new Tokens(0, 0, 0);

    /** Checks that none is negative. */
    public Tokens {
        if (input < 0 || cached < 0 || output < 0) {
            throw new IllegalArgumentException("negative tokens: %d, %d, %d".formatted(input, cached, output));
        }
    }

    /** The sum, kind by kind. */
    public Tokens plus(Tokens other) {
        return new Tokens(
                Math.addExact(input, other.input),
                Math.addExact(cached, other.cached),
                Math.addExact(output, other.output));
    }
}
