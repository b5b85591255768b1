package dev.jeton.accounting;

/** How long a request's prompt is, roughly; of several the mean. The ledger has the ordinal. */
public enum ContextBucket {
    /** Not known: a request of an earlier version that is open. */
    UNKNOWN("", 0),
    /** Up to 1,023 tokens. */
    BELOW_1K("<1k", 1 << 10),
    /** Up to 4,095 tokens. */
    BELOW_4K("1k-4k", 4 << 10),
    /** Up to 16,383 tokens. */
    BELOW_16K("4k-16k", 16 << 10),
    /** Up to 65,535 tokens. */
    BELOW_64K("16k-64k", 64 << 10),
    /** 65,536 tokens and more. */
    LONGER("64k+", Long.MAX_VALUE);

    private static final ContextBucket[] BUCKETS = values();

    private final String text;
    private final long below;

    ContextBucket(String text, long below) {
        this.text = text;
        this.below = below;
    }

    /** As reports say it. */
    public String text() {
        return text;
    }

    /** The bucket of a prompt of so many tokens; {@link #UNKNOWN} for none. */
    static ContextBucket of(long tokens) {
        if (tokens <= 0) {
            return UNKNOWN;
        }
        for (ContextBucket bucket : BUCKETS) {
            if (tokens < bucket.below) {
                return bucket;
            }
        }
        return LONGER;
    }

    /** The bucket that the ledger calls so. */
    static ContextBucket numbered(int number) {
        return number < 0 || number >= BUCKETS.length ? UNKNOWN : BUCKETS[number];
    }
}
