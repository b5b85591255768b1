package dev.jeton.server.metrics;

/**
 * Answers that are kept for who repeats a request under its {@code Idempotency-Key}.
 *
 * @param entries keys that are known
 * @param bound most of them
 * @param bytes bytes of the answers
 * @param bytesBound most of them
 * @param replayed answers that were given again
 * @param dropped answers that made room for others before their time was over
 */
public record RepeatStats(int entries, int bound, long bytes, long bytesBound, long replayed, long dropped) {}
