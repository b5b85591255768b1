package dev.jeton.server.metrics;

/**
 * Counters and gauges of the webhooks.
 *
 * @param delivered events that the receiver took
 * @param retried attempts that failed and are made again
 * @param givenUp events that were not taken after all attempts, or that the receiver wants no more of
 * @param dropped events that found the queue full
 * @param queue events that wait, or are being sent
 * @param bound most of them
 */
public record WebhookStats(long delivered, long retried, long givenUp, long dropped, int queue, int bound) {}
