package dev.jeton.server.http;

/**
 * Connections, for metrics.
 *
 * @param open connections open now
 * @param bound most connections at once
 * @param refused connections refused at the bound since start
 * @param bufferedBytes bytes of bodies being received or waiting
 * @param bufferedBound most of them
 * @param refusedRequests requests refused before they were whole: too large, too slow, malformed
 * @param unsentBytes bytes of answers' ends that clients have not read; as many as {@code bufferedBound}
 */
public record ConnectionStats(
        int open,
        int bound,
        long refused,
        long bufferedBytes,
        long bufferedBound,
        long refusedRequests,
        long unsentBytes) {}
