package dev.jeton.server.metrics;

/**
 * Responses that are stored.
 *
 * @param entries how many
 * @param bound most of them
 * @param bytes bytes of them and of their inputs
 * @param bytesBound most of them
 * @param dropped how many made room for others before their time was over
 * @param tooLarge how many were not stored, since they alone have more bytes than a tenant may have
 */
public record ResponseStats(int entries, int bound, long bytes, long bytesBound, long dropped, long tooLarge) {}
