package dev.jeton.accounting;

/**
 * How budgets are shared with other servers.
 *
 * @param counters of shared budgets that this server has
 * @param differing shared budgets that another server defines with another level, unit, window, timezone or currency,
 *     so that the two do not share them
 * @param leaseMicros for how long it may still spend what it was allotted; 0 where it may not
 * @param heard whether the database answered when it was asked last; true where it never was
 * @param exchanges that the database answered
 * @param failures that it did not
 * @param nanos that all of them took
 */
public record ShareStats(
        int counters, int differing, long leaseMicros, boolean heard, long exchanges, long failures, long nanos) {}
