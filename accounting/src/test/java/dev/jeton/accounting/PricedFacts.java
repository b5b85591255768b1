package dev.jeton.accounting;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/** Random facts with real prices, and the requests in them as they were. */
final class PricedFacts {

    static final PriceBook BOOKED = PriceBook.parse("booked", """
            currency: EUR
            electricity: 0.31
            residency-share: 0.07
            devices:
              - {name: "*", per-hour: 2.71, energy: extra, idle-watts: 70, busy-watts: 500, pue: 1.2}
            tariffs:
              - {model: "*", input: 0.51, cached-input: 0.0513, output: 1.5, embeddings: 0.02, batch-discount: 33.3}
              - {model: "*", tenant: tenant1, input: 0.37, output: 0.7777777, batch-discount: 11}
            egress:
              - {per-gb: 0.0317}
              - {from: here, to: far, per-gb: 1.21}
            """);
    /** Most are plain. */
    private static final List<Work> WORKS = List.of(
            Work.GENERATION, Work.GENERATION, Work.GENERATION, Work.BATCH, Work.EMBEDDINGS, Work.BATCH_EMBEDDINGS);

    /** A request as it was: what the rollup has to agree with. */
    record Request(String tenant, Tokens tokens, long openedAt, Work work, Zones zones, long bytes) {

        long list(PriceBook book) {
            return new ListPricing(book)
                    .price("model", tenant, tokens, openedAt, work)
                    .total();
        }
    }

    private final List<Request> requests = new ArrayList<>();

    /** The requests that ended in the facts. */
    List<Request> requests() {
        return requests;
    }

    /** Facts at random, with the prices of a book; requests say what kind of work they are. */
    List<Fact> facts(SplittableRandom random, int count, boolean plain) {
        return facts(random, count, plain, true);
    }

    /**
     * The same.
     *
     * @param plain whether no request is batch work or embeddings
     * @param told whether requests say what they are
     */
    List<Fact> facts(SplittableRandom random, int count, boolean plain, boolean told) {
        Map<String, Work> works = new HashMap<>();
        Map<String, Fact.Opened> opened = new HashMap<>();
        List<Fact> facts = new ArrayList<>();
        for (Fact fact : TestFacts.random(random, "a", count)) {
            facts.add(
                    switch (fact) {
                        case Fact.Opened request -> {
                            Work work = plain ? Work.GENERATION : WORKS.get(random.nextInt(WORKS.size()));
                            works.put(request.request(), work);
                            opened.put(request.request(), request);
                            yield working(request, told ? work : Work.UNKNOWN);
                        }
                        case Fact.Adopted adopted
                        when adopted.kind() == Fact.DocumentKind.PRICE_BOOK ->
                            new Fact.Adopted(adopted.at(), adopted.kind(), adopted.version(), BOOKED.content());
                        case Fact.Closed closed -> {
                            Fact.Opened request = opened.get(closed.request());
                            Request priced = new Request(
                                    request.payer().tenant(),
                                    new Tokens(random.nextInt(5_000), random.nextInt(900), random.nextInt(2_000)),
                                    request.at(),
                                    works.getOrDefault(closed.request(), Work.UNKNOWN),
                                    request.zones(),
                                    random.nextLong(40_000_000_000L));
                            requests.add(priced);
                            yield new Fact.Closed(
                                    closed.at(),
                                    closed.request(),
                                    closed.outcome(),
                                    priced.tokens(),
                                    priced.bytes(),
                                    priced.list(BOOKED),
                                    BOOKED.egress(priced.zones(), priced.bytes()),
                                    closed.queueNanos(),
                                    closed.firstTokenNanos(),
                                    closed.totalNanos(),
                                    closed.retries());
                        }
                        default -> fact;
                    });
        }
        return facts;
    }

    private static Fact.Opened working(Fact.Opened f, Work work) {
        return new Fact.Opened(
                f.at(),
                f.request(),
                f.payer(),
                f.model(),
                f.tags(),
                f.priceBook(),
                f.policy(),
                f.sequences(),
                f.zones(),
                work,
                f.prompts(),
                f.prompt());
    }
}
