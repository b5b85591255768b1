package dev.jeton.server.metrics;

/**
 * Adapters that the admin API has loaded.
 *
 * @param loaded how many
 * @param bound most of them
 * @param bytes of memory that they take, and those that were unloaded and still have requests
 * @param bytesBound most of them
 */
public record AdapterStats(int loaded, int bound, long bytes, long bytesBound) {}
