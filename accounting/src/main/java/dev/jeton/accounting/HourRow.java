package dev.jeton.accounting;

import java.util.Map;

/**
 * What one combination of every price dimension used in one hour: what reports and exports are made of. Pricing a row
 * is pricing the sum of the requests in it, so it differs from the sum of their prices by rounding only.
 *
 * <p>One dimension is in the requests alone: when each was opened, which counts where the list changes.
 * {@link Reports#reprice} reads the requests of the rows where that matters.
 *
 * @param hour first microsecond of the hour, since 1970
 * @param tenant who pays
 * @param project the tenant's project, or empty
 * @param key id of the key, or empty
 * @param model served model
 * @param labels the caller's tags
 * @param priceBook version of the price book
 * @param zones which way answers went
 * @param work what kind of work the requests were
 * @param requests requests that ended in the hour
 * @param completed of those, delivered whole
 * @param cancelled of those, given up by the client
 * @param failed of those, ended by the server or failed or aborted
 * @param tokens tokens of those
 * @param egressBytes bytes of answers
 * @param payable nanoseconds of device time in the hour that the tenant pays for
 * @param house nanoseconds of device time that its requests cost the house
 * @param cancelledNanos of the payable, thrown away
 * @param recomputeNanos of the house's, computed again
 * @param overrunNanos of the house's, past the end
 * @param savedNanos what prefix hits saved, a memo
 * @param kvByteSeconds KV memory held
 * @param microjoules energy apportioned
 * @param list list money of the requests' tokens, nano-units
 * @param egress list money of the bytes, nano-units: owed beside {@code list}
 * @param metered metered money posted to the tenant, nano-units
 * @param houseMoney metered money posted to the house for its requests
 * @param step kind of the steps of tasks that the row sums; empty where it sums requests
 * @param steps how many were done
 * @param stepMoney their list money, nano-units: owed beside {@code list} and {@code egress}
 */
public record HourRow(
        long hour,
        String tenant,
        String project,
        String key,
        String model,
        Map<String, String> labels,
        String priceBook,
        Zones zones,
        Work work,
        long requests,
        long completed,
        long cancelled,
        long failed,
        Tokens tokens,
        long egressBytes,
        long payable,
        long house,
        long cancelledNanos,
        long recomputeNanos,
        long overrunNanos,
        long savedNanos,
        long kvByteSeconds,
        long microjoules,
        long list,
        long egress,
        long metered,
        long houseMoney,
        String step,
        long steps,
        long stepMoney) {

    /** With labels of its own, sorted. */
    public HourRow {
        labels = java.util.Collections.unmodifiableMap(new java.util.TreeMap<>(labels));
    }

    /** List money of tokens less metered money: what the network costs is not metered. */
    public long margin() {
        return list - metered;
    }
}
