package dev.jeton.scheduler;

/**
 * What a request used, all its sequences together; complete once the last of them has ended.
 *
 * @param promptTokens tokens of the prompt, counted once; 0 until the engine was given any of them, so that what ends
 *     while it waits is not billed for a prompt that nobody read
 * @param cachedTokens of those, found in the prefix cache at first admission
 * @param completionTokens tokens generated and delivered, stop tokens included
 * @param overrunTokens tokens computed past a stop or a hang-up: never delivered
 * @param recomputedTokens tokens prefilled again after preemption
 * @param preemptions how often one of its sequences was preempted
 * @param queueNanos from submit to the first step with one of its rows
 * @param prefillNanos from there to the first token
 * @param decodeNanos from the first token to the last sequence's end
 * @param totalNanos from submit to the last sequence's end
 * @param deviceNanos device time attributed to its rows that the tenant pays for
 * @param discardedNanos device time of tokens that were computed as wanted ones are, before it was known that their
 *     sequence had been {@linkplain Generation#stop stopped}: the house's; known of engines that execute our steps
 * @param kvBlockNanos blocks held, each divided by its holders, times nanoseconds
 * @param savedNanos device time that the cached tokens would have cost by the step-time model
 * @param drafts tokens that were drafted
 */
public record GenerationUsage(
        int promptTokens,
        int cachedTokens,
        int completionTokens,
        int overrunTokens,
        int recomputedTokens,
        int preemptions,
        long queueNanos,
        long prefillNanos,
        long decodeNanos,
        long totalNanos,
        long deviceNanos,
        long discardedNanos,
        long kvBlockNanos,
        long savedNanos,
        Drafts drafts) {

    /**
     * Tokens that were computed before it was known that they follow. Those that were wrong are the tenant's, who has
     * the others for less.
     *
     * @param computed all of them
     * @param accepted of those, right and among the request's tokens: not what came behind a stop
     * @param predicted of all, taken from what the client predicts
     * @param acceptedPredicted of those, the same
     */
    public record Drafts(int computed, int accepted, int predicted, int acceptedPredicted) {

        /** Where nothing is drafted. */
        public static final Drafts NONE = new Drafts(0, 0, 0, 0);

        /** The sum of both. */
        public Drafts plus(Drafts other) {
            return new Drafts(
                    computed + other.computed,
                    accepted + other.accepted,
                    predicted + other.predicted,
                    acceptedPredicted + other.acceptedPredicted);
        }
    }
}
