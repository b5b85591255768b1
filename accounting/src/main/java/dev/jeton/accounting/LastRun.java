package dev.jeton.accounting;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Ends what the last run left open: requests that a crash cut off, billed as the policy says. */
final class LastRun {

    private static final Logger LOG = LoggerFactory.getLogger(LastRun.class);

    private LastRun() {}

    /**
     * Journals the ends of requests that have none, and settles them with budgets, which know them already.
     *
     * @param policy what is billed of them
     * @param prices for those whose own book is not on the shelf
     */
    static void end(Journal journal, Budgets budgets, AbortedPolicy policy, BookInForce prices, long now) {
        for (Recovery.Abandoned left : Recovery.abandoned(journal)) {
            Fact.Closed end = aborted(left, policy, prices, now);
            budgets.abandon(end, () -> journal.append(end));
            LOG.warn(
                    "request {} was cut off by the end of the last run; it was granted {} tokens and got at least {}",
                    left.opened().request(),
                    left.granted(),
                    left.confirmed());
        }
        budgets.abandonRest();
    }

    private static Fact.Closed aborted(Recovery.Abandoned left, AbortedPolicy policy, BookInForce prices, long now) {
        long billed = switch (policy) {
            case NOTHING -> 0;
            case CONFIRMED -> left.confirmed();
            case GRANTED -> left.granted();
        };
        Tokens tokens = new Tokens(0, 0, billed);
        Fact.Opened opened = left.opened();
        PriceBook book = prices.shelf().find(opened.priceBook()).orElse(prices.current());
        long list = new ListPricing(book)
                .price(opened.model(), opened.payer().tenant(), tokens, opened.at(), opened.work())
                .total();
        return new Fact.Closed(now, opened.request(), Fact.Outcome.ABORTED, tokens, 0, list, 0, 0, 0, 0, 0);
    }
}
