package dev.jeton.accounting;

/**
 * One entry of the price list, in units of currency of 1,000,000 tokens.
 *
 * @param model served model: its name, a beginning with {@code *}, or {@code *} for any
 * @param tenant for whom; empty for all
 * @param input tokens of the prompt that were not found in the cache
 * @param cached tokens of the prompt that were
 * @param output generated tokens
 * @param embeddings tokens that were embedded
 * @param batchDiscount percent off for batch work, 0 to 100
 * @param period when it holds
 */
public record Tariff(
        String model,
        String tenant,
        Rate input,
        Rate cached,
        Rate output,
        Rate embeddings,
        Rate batchDiscount,
        Period period) {

    /** Tokens of which a rate is the price. */
    public static final long TOKENS = 1_000_000;

    /** What is priced. */
    public enum Meter {
        /** Prompt, not cached. */
        INPUT("Input Tokens"),
        /** Prompt, cached. */
        CACHED("Cache Read Input Tokens"),
        /** Generated. */
        OUTPUT("Output Tokens"),
        /** Embedded. */
        EMBEDDINGS("Embedded Tokens");

        private final String title;

        Meter(String title) {
            this.title = title;
        }

        /** What reports call it. */
        public String title() {
            return title;
        }
    }

    /** The price of 1,000,000 tokens of a kind. */
    public Rate rate(Meter meter) {
        return switch (meter) {
            case INPUT -> input;
            case CACHED -> cached;
            case OUTPUT -> output;
            case EMBEDDINGS -> embeddings;
        };
    }

    NamePattern pattern() {
        return new NamePattern(model);
    }

    /** Whether another entry would price the same tokens with the same right. */
    boolean clashes(Tariff other) {
        return model.equals(other.model) && tenant.equals(other.tenant) && period.overlaps(other.period);
    }
}
