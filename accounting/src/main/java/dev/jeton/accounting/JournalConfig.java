package dev.jeton.accounting;

/**
 * Bounds and choices of one journal.
 *
 * @param node who writes it: 1 to 64 characters; with a sequence number it names a fact in the ledger, so no two
 *     journals that feed one ledger may have the same
 * @param segmentBytes when a segment has so many bytes, the next commit begins another
 * @param maxBytes most bytes of segments that hold anything the ledger has not taken yet; past it requests are refused
 * @param houseBytes of those, kept from requests, for what the process itself records
 * @param maxPendingBytes most bytes in memory that wait to be written; past it facts are refused
 * @param firstRetryNanos after a failure of the disk, the pause before the first new attempt; it doubles from there
 * @param maxRetryNanos longest pause between attempts
 * @param gatherNanos longest that a fact waits for others to share its commit, see {@link #patience}; 0 for not at all
 */
public record JournalConfig(
        String node,
        long segmentBytes,
        long maxBytes,
        long houseBytes,
        long maxPendingBytes,
        long firstRetryNanos,
        long maxRetryNanos,
        long gatherNanos) {

    /** Checks the bounds. */
    public JournalConfig {
        if (node.isBlank() || node.length() > 64) {
            throw new AccountingException(
                    "a node's id has 1 to 64 characters, this one has %d; name the node".formatted(node.length()));
        }
        if (segmentBytes < 1 << 10 || maxBytes < 4 * segmentBytes || houseBytes < 0 || houseBytes > maxBytes / 2) {
            throw new AccountingException(
                    ("a journal of %d bytes in segments of %d, %d for the house, cannot work: segments have at least"
                                    + " 1024, there are at least four, and the house has at most half")
                            .formatted(maxBytes, segmentBytes, houseBytes));
        }
        if (gatherNanos < 0 || gatherNanos > 1_000_000_000) {
            throw new AccountingException(
                    "facts wait for others for 0 to 1,000,000,000 ns, not %d".formatted(gatherNanos));
        }
        if (maxPendingBytes < 1 << 10 || firstRetryNanos < 1 || maxRetryNanos < firstRetryNanos) {
            throw new AccountingException(
                    "a journal keeps at least 1024 bytes in memory (not %d) and pauses 1 ns or more"
                            .formatted(maxPendingBytes));
        }
    }

    /**
     * What a server starts with: segments of 64 MiB, at most 2 GiB, 64 MiB in memory, pauses of 10 ms to 5 s, commits
     * that gather for 2 ms.
     */
    public static JournalConfig of(String node) {
        return new JournalConfig(
                node, 64L << 20, 2L << 30, 128L << 20, 64L << 20, 10_000_000L, 5_000_000_000L, 2_000_000L);
    }

    /**
     * How long a fact may wait for others to share its commit. Every commit takes the processor from the step loop for
     * a moment, and a step that ends brings many facts at once.
     *
     * <p>For a request's end its client waits: three tenths, in which the others that ended in the same step arrive. A
     * request's beginning must be durable when its prompt is computed: half. A renewal is asked for many steps ahead,
     * and nobody waits for the rest: the whole.
     *
     * @return nanoseconds
     */
    long patience(Fact fact) {
        return switch (fact) {
            case Fact.Closed closed -> gatherNanos * 3 / 10;
            case Fact.Opened opened -> gatherNanos / 2;
            case Fact.Granted granted -> gatherNanos;
            case Fact.Window window -> gatherNanos;
            case Fact.Adopted adopted -> gatherNanos;
            case Fact.Started started -> gatherNanos;
            case Fact.Stopped stopped -> gatherNanos;
            case Fact.PeriodClosed period -> gatherNanos;
            case Fact.Recosted recosted -> gatherNanos;
            // their callers wait, as for a request's end
            case Fact.TaskOpened opened -> gatherNanos * 3 / 10;
            case Fact.TaskStepped stepped -> gatherNanos * 3 / 10;
            case Fact.TaskEnded ended -> gatherNanos * 3 / 10;
        };
    }
}
