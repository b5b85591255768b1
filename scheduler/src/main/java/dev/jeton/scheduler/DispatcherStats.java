package dev.jeton.scheduler;

/**
 * Gauges and counters of one dispatcher as of its last step.
 *
 * @param runningSequences sequences with blocks
 * @param waitingSequences sequences queued, preempted ones included
 * @param waitingBound most sequences that may wait
 * @param waitingTokens tokens of the prompts of requests that wait for their first admission
 * @param blocksFree blocks without content
 * @param blocksComputing blocks being filled
 * @param blocksLoading blocks being filled from the host's tier
 * @param blocksCached blocks with content that nobody holds
 * @param blocksHeld blocks with content that running sequences hold
 * @param steps steps run
 * @param rows rows of all steps
 * @param prefillTokens tokens computed in prefill rows
 * @param decodeTokens tokens computed in decode rows
 * @param recomputedTokens of the prefill tokens, those computed before and lost to preemption
 * @param overrunTokens tokens computed past a stop or a hang-up
 * @param draftTokens tokens drafted in steps, among those decoded
 * @param acceptedDraftTokens of those, right
 * @param prefixQueriedTokens prompt tokens looked up in the prefix cache
 * @param prefixHitTokens of those, found, on the host included
 * @param prefixWaits times a sequence waited for a block that another was computing
 * @param preemptions sequences preempted
 * @param evictions cached blocks of the device given away for others
 * @param host the host's tier
 * @param deviceNanos device time by {@link DeviceState}, indexed by ordinal
 */
public record DispatcherStats(
        int runningSequences,
        int waitingSequences,
        int waitingBound,
        long waitingTokens,
        int blocksFree,
        int blocksComputing,
        int blocksLoading,
        int blocksCached,
        int blocksHeld,
        long steps,
        long rows,
        long prefillTokens,
        long decodeTokens,
        long recomputedTokens,
        long overrunTokens,
        long draftTokens,
        long acceptedDraftTokens,
        long prefixQueriedTokens,
        long prefixHitTokens,
        long prefixWaits,
        long preemptions,
        long evictions,
        HostTierStats host,
        long[] deviceNanos) {}
