package dev.jeton.server.api;

import dev.jeton.scheduler.GenerationUsage;
import dev.jeton.server.json.JsonWriter;
import java.util.List;

/**
 * What a call used, all its prompts together: tokens and device time summed, times those of the slowest.
 *
 * @param promptTokens tokens of the prompts
 * @param cachedTokens of those, found in the prefix cache
 * @param completionTokens tokens generated and delivered
 * @param overrunTokens tokens computed and never delivered
 * @param queueNanos until the first step
 * @param prefillNanos from there to the first token
 * @param decodeNanos from there to the end
 * @param totalNanos from submit to the end
 * @param deviceNanos device time attributed that the tenant pays for
 * @param discardedNanos device time of tokens past a stop that were computed before it was known: the house's
 * @param kvBlockNanos blocks held times nanoseconds
 * @param savedNanos device time that the cached tokens would have cost
 * @param drafts tokens that were drafted
 */
record UsageTotals(
        int promptTokens,
        int cachedTokens,
        int completionTokens,
        int overrunTokens,
        long queueNanos,
        long prefillNanos,
        long decodeNanos,
        long totalNanos,
        long deviceNanos,
        long discardedNanos,
        long kvBlockNanos,
        long savedNanos,
        GenerationUsage.Drafts drafts) {

    private static final double NANOS_PER_SECOND = 1e9;
    private static final double NANOS_PER_MILLI = 1e6;

    static UsageTotals of(List<GenerationUsage> usages) {
        return usages.stream()
                .map(usage -> new UsageTotals(
                        usage.promptTokens(),
                        usage.cachedTokens(),
                        usage.completionTokens(),
                        usage.overrunTokens(),
                        usage.queueNanos(),
                        usage.prefillNanos(),
                        usage.decodeNanos(),
                        usage.totalNanos(),
                        usage.deviceNanos(),
                        usage.discardedNanos(),
                        usage.kvBlockNanos(),
                        usage.savedNanos(),
                        usage.drafts()))
                .reduce(UsageTotals::plus)
                .orElseThrow(() -> new IllegalArgumentException("a call has at least one prompt"));
    }

    private UsageTotals plus(UsageTotals other) {
        return new UsageTotals(
                promptTokens + other.promptTokens,
                cachedTokens + other.cachedTokens,
                completionTokens + other.completionTokens,
                overrunTokens + other.overrunTokens,
                Math.max(queueNanos, other.queueNanos),
                Math.max(prefillNanos, other.prefillNanos),
                Math.max(decodeNanos, other.decodeNanos),
                Math.max(totalNanos, other.totalNanos),
                deviceNanos + other.deviceNanos,
                discardedNanos + other.discardedNanos,
                kvBlockNanos + other.kvBlockNanos,
                savedNanos + other.savedNanos,
                drafts.plus(other.drafts));
    }

    /** The same time and memory, with no tokens that anybody owes. */
    UsageTotals withoutTokens() {
        return new UsageTotals(
                0,
                0,
                0,
                overrunTokens,
                queueNanos,
                prefillNanos,
                decodeNanos,
                totalNanos,
                deviceNanos,
                discardedNanos,
                kvBlockNanos,
                savedNanos,
                drafts);
    }

    /**
     * The {@code jeton} object's times.
     *
     * @param operator whether with those that depend on other requests
     */
    void writeTimes(JsonWriter out, boolean operator) {
        out.name("queue_ms").value(millis(queueNanos));
        out.name("prefill_ms").value(millis(prefillNanos));
        out.name("decode_ms").value(millis(decodeNanos));
        out.name("total_ms").value(millis(totalNanos));
        out.name("tokens_per_second").value(tokensPerSecond());
        if (operator) {
            out.name("device_ms").value(millis(deviceNanos));
            out.name("kv_block_seconds").value(rounded(kvBlockNanos / NANOS_PER_SECOND));
            if (drafts.computed() > 0) {
                out.name("drafted_tokens").value(drafts.computed());
                out.name("accepted_drafted_tokens").value(drafts.accepted());
            }
        }
    }

    /** Tokens after the first over the time since the first; 0 where there was but one. */
    private double tokensPerSecond() {
        return decodeNanos > 0 && completionTokens > 1
                ? rounded((completionTokens - 1) * NANOS_PER_SECOND / decodeNanos)
                : 0;
    }

    private static double millis(long nanos) {
        return rounded(nanos / NANOS_PER_MILLI);
    }

    private static double rounded(double value) {
        return Math.rint(value * 1_000) / 1_000;
    }
}
