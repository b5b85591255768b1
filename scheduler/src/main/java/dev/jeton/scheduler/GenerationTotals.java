package dev.jeton.scheduler;

/** What the loop adds up while the request runs; nanoseconds on the scheduler's clock. */
final class GenerationTotals {
    long submittedAt;
    /** Whether the engine was given any of the prompt. */
    boolean given;

    long firstStepAt = Long.MIN_VALUE;
    long firstTokenAt = Long.MIN_VALUE;
    long lastEventAt;
    int cachedTokens;
    int completionTokens;
    int overrunTokens;
    int recomputedTokens;
    int preemptions;
    long tenantNanos;
    long houseNanos;
    long kvBlockNanos;
    long savedNanos;
    int drafts;
    int acceptedDrafts;
    int predicted;
    int acceptedPredicted;

    /** Device time of one of its rows, of a kind of {@link StepRecord}. */
    void device(byte kind, long nanos) {
        if (StepRecord.tenantPays(kind)) {
            tenantNanos += nanos;
        } else {
            houseNanos += nanos;
        }
    }

    /** Drafts were computed, of which so many were right. */
    void drafts(int computed, int accepted, boolean ofPrediction) {
        drafts += computed;
        acceptedDrafts += accepted;
        predicted += ofPrediction ? computed : 0;
        acceptedPredicted += ofPrediction ? accepted : 0;
    }

    /** Tokens were found that need not be computed, which saves so much time. */
    void cached(int tokens, long nanos) {
        cachedTokens += tokens;
        savedNanos += nanos;
    }

    /** So many of them are computed after all. */
    void notCached(int tokens) {
        savedNanos -= Math.round(savedNanos * ((double) tokens / cachedTokens));
        cachedTokens -= tokens;
    }
}
