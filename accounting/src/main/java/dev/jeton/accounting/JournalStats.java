package dev.jeton.accounting;

/**
 * Gauges and counters of a journal at one moment.
 *
 * @param state what it can do
 * @param bytes in segments
 * @param capacity most bytes
 * @param reservedBytes of the capacity, promised to requests that are open
 * @param pendingBytes in memory, not durable yet
 * @param pendingRecords how many facts those are
 * @param openRequests opened and not closed
 * @param segments files
 * @param durable last sequence number that is durable
 * @param lag facts that are durable and not in the ledger yet
 * @param commits group commits
 * @param commitNanos time spent in them
 * @param maxCommitNanos the longest
 * @param failures attempts to commit that failed
 */
public record JournalStats(
        Journal.State state,
        long bytes,
        long capacity,
        long reservedBytes,
        long pendingBytes,
        long pendingRecords,
        int openRequests,
        int segments,
        long durable,
        long lag,
        long commits,
        long commitNanos,
        long maxCommitNanos,
        long failures) {

    /** How full it is: what is stored, waiting and promised, of the capacity. */
    public double fill() {
        return (double) (bytes + pendingBytes + reservedBytes) / capacity;
    }
}
