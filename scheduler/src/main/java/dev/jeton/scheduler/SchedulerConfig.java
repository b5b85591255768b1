package dev.jeton.scheduler;

import dev.jeton.models.engine.Capability;

/**
 * Bounds and choices of one scheduler.
 *
 * @param maxSequences most sequences running at once; the engine's own bound may be lower
 * @param maxBatchedTokens most tokens of a step; the engine's own bound may be lower
 * @param maxWaiting most sequences waiting for their first admission; past it a request is refused. Three quarters of
 *     one tenant
 * @param maxWaitingTokens most tokens of their prompts and predictions; past it a request is refused, too, unless it is
 *     the only one. Three quarters of one tenant
 * @param ringCapacity most events buffered for a reader
 * @param stallNanos how long a reader may leave its buffer full before it is cancelled
 * @param stepTargetNanos while sequences decode, prefill is cut so that a predicted step stays below this; 0 is off
 * @param prefixCaching whether prefixes are shared between requests; never where the engine has
 *     {@link Capability#STATE}
 * @param maxDrafts most tokens that a sequence's row has drafted beside its newest one; 0 for none
 * @param seed keys the prefix hashes; to be drawn anew where whoever chooses prompts may know it
 */
public record SchedulerConfig(
        int maxSequences,
        int maxBatchedTokens,
        int maxWaiting,
        long maxWaitingTokens,
        int ringCapacity,
        long stallNanos,
        long stepTargetNanos,
        boolean prefixCaching,
        int maxDrafts,
        long seed) {

    /** What a server starts with when nothing is configured. */
    public static final SchedulerConfig DEFAULT =
            new SchedulerConfig(64, 512, 1024, 1 << 24, 1024, 30_000_000_000L, 0, true, 0, 0x6a65746f6eL);

    /** Checks that every bound is positive. */
    public SchedulerConfig {
        if (maxSequences < 1 || maxBatchedTokens < 1 || maxWaiting < 1 || maxWaitingTokens < 1) {
            throw new IllegalArgumentException("scheduler bounds must be positive");
        }
        if (ringCapacity < 1 || stallNanos < 1) {
            throw new IllegalArgumentException("a reader has room for an event, and time to take it");
        }
        if (maxDrafts < 0) {
            throw new IllegalArgumentException("there are " + maxDrafts + " drafts");
        }
    }

    /** With the usual bound on tokens that wait, and nothing drafted. */
    public SchedulerConfig(
            int maxSequences,
            int maxBatchedTokens,
            int maxWaiting,
            int ringCapacity,
            long stallNanos,
            long stepTargetNanos,
            boolean prefixCaching,
            long seed) {
        this(
                maxSequences,
                maxBatchedTokens,
                maxWaiting,
                DEFAULT.maxWaitingTokens(),
                ringCapacity,
                stallNanos,
                stepTargetNanos,
                prefixCaching,
                0,
                seed);
    }

    /** The same with up to so many drafts a row. */
    public SchedulerConfig drafting(int most) {
        return new SchedulerConfig(
                maxSequences,
                maxBatchedTokens,
                maxWaiting,
                maxWaitingTokens,
                ringCapacity,
                stallNanos,
                stepTargetNanos,
                prefixCaching,
                most,
                seed);
    }
}
