package dev.jeton.accounting;

/**
 * How soon the books do what need not be at once.
 *
 * @param settleNanos after the start, until the ledger is opened: it is not needed at once, and opening it would hold
 *     up the first requests
 * @param tickNanos between two looks at what is due; the fifth ends windows in which something was used
 * @param gatherNanos that the ledger waits for more facts once there is one
 */
public record BookPace(long settleNanos, long tickNanos, long gatherNanos) {

    /** A server's. */
    public static final BookPace USUAL = new BookPace(2_000_000_000L, 1_000_000_000L, 1_000_000_000L);

    /** Everything soon, where nobody is held up by it. */
    public static final BookPace PROMPT = new BookPace(0, 10_000_000L, 0);
}
