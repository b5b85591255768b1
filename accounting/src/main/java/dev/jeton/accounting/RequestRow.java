package dev.jeton.accounting;

import java.util.Map;
import java.util.Optional;

/**
 * One request as the books have it.
 *
 * @param node where it ran
 * @param id its id
 * @param payer who pays
 * @param model served model
 * @param tags what the caller says that it is for
 * @param context how long its prompt is
 * @param priceBook version of the price book
 * @param policy version of the policy
 * @param zones which way its answer went
 * @param work what kind of work it is
 * @param openedAt microseconds since 1970
 * @param closedAt microseconds since 1970; 0 while it is open
 * @param outcome how it ended; empty while it is open
 * @param tokens priced by the list
 * @param granted tokens that its sequences were granted
 * @param confirmed generated tokens that its client got for certain: all of them where it ended, at least so many where
 *     it is open or a crash cut it off
 * @param egressBytes bytes of the answer's body; 0 while it is open
 * @param list list money of the tokens, nano-units
 * @param egress list money of the bytes, nano-units: owed beside {@code list}
 * @param metered metered money posted to the tenant, nano-units
 * @param houseMoney metered money posted to the house for it
 * @param payable nanoseconds of device time that the tenant pays for
 * @param house nanoseconds of device time that it cost the house
 * @param microjoules energy
 * @param queueNanos from submit to the first step
 * @param firstTokenNanos from submit to the first token; 0 where there was none
 * @param totalNanos from submit to the end
 * @param retries the attempt's number as SDKs count, 0 for the first
 */
public record RequestRow(
        String node,
        String id,
        Payer payer,
        String model,
        Tags tags,
        ContextBucket context,
        String priceBook,
        String policy,
        Zones zones,
        Work work,
        long openedAt,
        long closedAt,
        Optional<Fact.Outcome> outcome,
        Tokens tokens,
        long granted,
        long confirmed,
        long egressBytes,
        long list,
        long egress,
        long metered,
        long houseMoney,
        long payable,
        long house,
        long microjoules,
        long queueNanos,
        long firstTokenNanos,
        long totalNanos,
        int retries) {

    /** The caller's free tags. */
    public Map<String, String> labels() {
        return tags.labels();
    }

    /** List money of tokens less metered money: what the network costs is not metered. */
    public long margin() {
        return list - metered;
    }
}
