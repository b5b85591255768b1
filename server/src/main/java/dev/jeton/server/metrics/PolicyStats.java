package dev.jeton.server.metrics;

/**
 * Gauges of the policy.
 *
 * @param version number of the last change
 * @param bytes of the audit log
 * @param bound most of them; more changes get 503
 * @param failed whether the audit log's disk has failed, so that nothing can be changed until a restart
 */
public record PolicyStats(long version, long bytes, long bound, boolean failed) {}
