package dev.jeton.accounting;

/** What kind of work a request is, as far as the price list asks: it goes with the request through all books. */
public enum Work {
    /** What a version that did not say it booked; priced as {@link #GENERATION}. */
    UNKNOWN(false, false),
    /** An answer that somebody waits for. */
    GENERATION(false, false),
    /** An answer that may wait: it has the batch discount. */
    BATCH(true, false),
    /** Embeddings: all input at the price of embeddings. */
    EMBEDDINGS(false, true),
    /** Embeddings that may wait. */
    BATCH_EMBEDDINGS(true, true);

    private final boolean batch;
    private final boolean embeddings;

    Work(boolean batch, boolean embeddings) {
        this.batch = batch;
        this.embeddings = embeddings;
    }

    /** Whether the batch discount holds. */
    public boolean batch() {
        return batch;
    }

    /** Whether tokens are embedded. */
    public boolean embeddings() {
        return embeddings;
    }

    /** What the ledger and reports call it; empty for {@link #UNKNOWN}. */
    public String text() {
        return switch (this) {
            case UNKNOWN -> "";
            case GENERATION -> "generation";
            case BATCH -> "batch";
            case EMBEDDINGS -> "embeddings";
            case BATCH_EMBEDDINGS -> "batch-embeddings";
        };
    }

    /**
     * The work of a text.
     *
     * @throws AccountingException for one that {@link #text} does not give
     */
    static Work named(String text) {
        for (Work work : values()) {
            if (work.text().equals(text)) {
                return work;
            }
        }
        throw new AccountingException(
                "the ledger has work of the kind '%s', which this version does not know; update it".formatted(text));
    }
}
