package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** Books of random facts with real prices, priced again by others. */
@ParameterizedClass
@EnumSource(Database.Kind.class)
class RepricingTest {

    private static final long ALL = Long.MAX_VALUE;
    private static final long DAY_AFTER = TestFacts.micros("2026-11-21T05:30:00Z");
    private static final PriceBook BOOKED = PricedFacts.BOOKED;
    private static final PriceBook DEARER = PriceBook.parse("dearer", """
            currency: EUR
            electricity: 0.52
            devices:
              - {name: gpu*, purchase: 29999.99, lifetime-days: 1461, purchased: 2026-01-01, pue: 1.31}
            tariffs:
              - {model: "*", input: 0.613, cached-input: 0.06, output: 2.000001, embeddings: 0.033, batch-discount: 50}
              - {model: mod*, tenant: tenant2, input: 7, output: 9, embeddings: 1}
            reservations:
              - {tenant: tenant2, device: gpu0, share: 0.25}
            egress:
              - {to: far, per-gb: 7.777777}
              - {from: here, to: near, per-gb: 0.033}
            """);
    /** Prices that change in mid-hour, and often. */
    private static final PriceBook CHANGING = PriceBook.parse("changing", """
            currency: EUR
            devices:
              - {name: "*", per-hour: 3}
            tariffs:
              - {model: "*", input: 1, output: 2, embeddings: 0.5, batch-discount: 50, until: 2026-11-20T10:20:00Z}
              - {model: "*", input: 3, output: 4, from: 2026-11-20T10:20:00Z, until: 2026-11-20T10:20:30Z}
              - {model: "*", input: 5, output: 6, batch-discount: 20, from: 2026-11-20T10:45:00Z}
              - {model: "*", tenant: tenant2, input: 70, output: 80, from: 2026-11-20T11:30:00Z}
            """);

    private final TestBooks books;
    private final PricedFacts priced = new PricedFacts();
    private final List<PricedFacts.Request> requests = priced.requests();

    RepricingTest(Database.Kind kind) {
        books = new TestBooks(kind);
    }

    @AfterEach
    void close() {
        books.close();
    }

    /** Facts at random, with the prices of a book; requests say what kind of work they are. */
    private List<Fact> facts(SplittableRandom random, int count, boolean plain) {
        return priced.facts(random, count, plain);
    }

    private Repriced reprice(PriceBook other) {
        return books.ledger().reports().reprice(Scope.OPERATOR, 0, ALL, other);
    }

    @Test
    void listMoneyOfTheRollupIsThatOfItsRequestsToTheRounding() {
        for (long seed = 1; seed <= 6; seed++) {
            requests.clear();
            try (TestBooks one = new TestBooks(books.kind())) {
                List<Fact> facts = priced.facts(new SplittableRandom(seed), 900, seed % 2 == 0, seed % 4 < 2);
                one.apply("a", facts, Costing::inForce);
                for (PriceBook other : List.of(BOOKED, DEARER, CHANGING)) {
                    assertListIsThatOfItsRequests(one, other, "seed " + seed);
                }
            }
        }
    }

    private void assertListIsThatOfItsRequests(TestBooks one, PriceBook other, String seed) {
        long prices =
                Long.parseLong(one.query("SELECT COUNT(*) FROM (SELECT DISTINCT hour, work FROM usage_hour) priced")
                        .getFirst());
        Map<String, Long> expected = new TreeMap<>();
        Map<String, Long> booked = new TreeMap<>();
        Map<String, Long> count = new TreeMap<>();
        for (PricedFacts.Request request : requests) {
            expected.merge(request.tenant(), request.list(other), Long::sum);
            booked.merge(request.tenant(), request.list(BOOKED), Long::sum);
            count.merge(request.tenant(), 1L, Long::sum);
        }
        Repriced repriced = one.ledger().reports().reprice(Scope.OPERATOR, 0, ALL, other);
        assertThat(repriced.unexplained()).as(seed).isZero();
        assertThat(repriced.total().requests()).as(seed).isEqualTo(requests.size());
        for (Repriced.Usage usage : repriced.usage()) {
            String tenant = usage.tenant();
            if (!usage.model().isEmpty()) {
                assertThat(usage.requests()).as(seed).isEqualTo(count.get(tenant));
                assertThat(usage.list().booked()).as(seed).isEqualTo(booked.get(tenant));
                // Half a nano-unit for each kind of each request, and of each hour of a kind of work that is one price.
                assertThat(2 * Math.abs(usage.list().other() - expected.getOrDefault(tenant, 0L)))
                        .as("%s, %s, %s", seed, tenant, other.content())
                        .isLessThanOrEqualTo(3 * (count.getOrDefault(tenant, 0L) + prices));
            }
        }
    }

    @Test
    void moneyOfBytesOfTheRollupIsThatOfItsRequestsToTheRounding() {
        for (long seed = 21; seed <= 26; seed++) {
            requests.clear();
            try (TestBooks one = new TestBooks(books.kind())) {
                one.apply("a", facts(new SplittableRandom(seed), 900, seed % 2 == 0), Costing::inForce);
                for (PriceBook other : List.of(BOOKED, DEARER, CHANGING)) {
                    assertEgressIsThatOfItsRequests(one, other, "seed " + seed);
                }
            }
        }
    }

    private void assertEgressIsThatOfItsRequests(TestBooks one, PriceBook other, String seed) {
        Map<String, Long> expected = new TreeMap<>();
        Map<String, Long> booked = new TreeMap<>();
        Map<String, Long> prices = new TreeMap<>();
        for (String row : one.query("SELECT tenant, COUNT(*) FROM"
                + " (SELECT DISTINCT tenant, hour, zone_from, zone_to FROM usage_hour) priced GROUP BY tenant")) {
            prices.put(row.substring(0, row.indexOf(',')), Long.parseLong(row.substring(row.indexOf(',') + 1)));
        }
        for (PricedFacts.Request request : requests) {
            expected.merge(request.tenant(), other.egress(request.zones(), request.bytes()), Long::sum);
            booked.merge(request.tenant(), BOOKED.egress(request.zones(), request.bytes()), Long::sum);
            prices.merge(request.tenant(), 1L, Long::sum);
        }
        Repriced repriced = one.ledger().reports().reprice(Scope.OPERATOR, 0, ALL, other);
        assertThat(repriced.total().egress().booked()).as(seed).isPositive();
        for (Repriced.Usage usage : repriced.usage()) {
            if (!usage.model().isEmpty()) {
                String tenant = usage.tenant();
                assertThat(usage.egress().booked()).as(seed).isEqualTo(booked.getOrDefault(tenant, 0L));
                // Half a nano-unit for each request, and for each hour and pair of zones that is one price.
                assertThat(2 * Math.abs(usage.egress().other() - expected.getOrDefault(tenant, 0L)))
                        .as("%s, %s, %s", seed, tenant, other.content())
                        .isLessThanOrEqualTo(prices.get(tenant));
            }
        }
    }

    @Test
    void itsOwnBookChangesNothing() {
        books.apply("a", facts(new SplittableRandom(11), 600, true), Costing::inForce);

        Repriced repriced = reprice(BOOKED);

        assertThat(repriced.usage()).isNotEmpty().allSatisfy(usage -> {
            assertThat(usage.metered().difference()).isZero();
            assertThat(Math.abs(usage.list().difference())).isLessThanOrEqualTo(3 * requests.size());
            assertThat(Math.abs(usage.egress().difference())).isLessThanOrEqualTo(requests.size());
        });
        assertThat(repriced.own().values())
                .allSatisfy(own -> assertThat(own.difference()).isZero());
        assertThat(repriced.devices())
                .isNotEmpty()
                .allSatisfy(device -> assertThat(device.cost().difference()).isZero());
    }

    @Test
    void meteredMoneyIsWhatRecostingWouldBook() {
        books.apply("a", facts(new SplittableRandom(12), 600, true), Costing::inForce);
        Repriced repriced = reprice(DEARER);

        books.recost("2026-11", DEARER.version(), DEARER.content(), Costing::inForce);

        assertThat(other(repriced)).isEqualTo(booked(reprice(DEARER)));
        assertThat(books.query("SELECT tenant, SUM(metered) FROM usage_hour GROUP BY tenant ORDER BY tenant"))
                .isEqualTo(byTenant(repriced));
        assertThat(books.ledger().verify()).isEmpty();
    }

    @Test
    void whatCorrectsAClosedPeriodCountsWhereItsWindowsDo() {
        List<Fact> facts = facts(new SplittableRandom(13), 500, true);
        facts.add(350, new Fact.PeriodClosed(DAY_AFTER, "2026-11-20"));
        books.apply("a", facts, Costing::inForce);
        Period day = Period.named("2026-11-20");
        Repriced before = books.ledger().reports().reprice(Scope.OPERATOR, day.from(), day.until(), DEARER);
        Repriced later = books.ledger().reports().reprice(Scope.OPERATOR, day.until(), ALL, DEARER);

        books.recost("2026-11", DEARER.version(), DEARER.content(), Costing::inForce);

        assertThat(booked(books.ledger().reports().reprice(Scope.OPERATOR, day.from(), day.until(), DEARER)))
                .isEqualTo(other(before))
                .isNotEqualTo(booked(before));
        assertThat(booked(books.ledger().reports().reprice(Scope.OPERATOR, day.until(), ALL, DEARER)))
                .isEqualTo(other(later));
    }

    @Test
    void stepsOfTasksKeepTheirMoneyWhateverThePrices() {
        books.apply("a", facts(new SplittableRandom(15), 400, false), Costing::inForce);
        String steps = "SELECT hour, digest, step, steps, step_money FROM usage_hour WHERE step <> '' ORDER BY 1, 2";
        List<String> before = books.query(steps);

        Repriced repriced = reprice(DEARER);
        books.recost("2026-11", DEARER.version(), DEARER.content(), Costing::inForce);

        assertThat(Long.toString(repriced.total().list().booked()))
                .isEqualTo(books.query("SELECT SUM(list_money) FROM usage_hour").getFirst());
        assertThat(books.query(steps)).isNotEmpty().isEqualTo(before);
        assertThat(books.ledger().verify()).isEmpty();
    }

    @Test
    void tenantsAndTheRestAreWhatTheDevicesCost() {
        books.apply("a", facts(new SplittableRandom(14), 600, false), Costing::inForce);

        Repriced repriced = reprice(DEARER);

        Repriced.Amounts parts = repriced.total().metered();
        for (Repriced.Amounts own : repriced.own().values()) {
            parts = parts.plus(own);
        }
        Repriced.Amounts devices = Repriced.Amounts.NONE;
        for (Repriced.Device device : repriced.devices()) {
            devices = devices.plus(device.cost());
            assertThat(device.cost().other()).isEqualTo(device.capital() + device.energy());
        }
        assertThat(parts).isEqualTo(devices);
        assertThat(devices.other()).isPositive();
        assertThat(repriced.usage()).anySatisfy(usage -> {
            assertThat(usage.tenant()).isEqualTo("tenant2");
            assertThat(usage.model()).isEmpty();
            assertThat(usage.metered().booked()).isZero();
            assertThat(usage.metered().other()).isPositive();
        });
    }

    @Test
    void repricingWritesNothing() {
        books.apply("a", facts(new SplittableRandom(15), 300, false), Costing::inForce);
        books.ledger().close("2026-11-20", DAY_AFTER);
        List<String> before = books.dump();

        reprice(DEARER);
        reprice(CHANGING);

        assertThat(books.dump()).isEqualTo(before);
    }

    @Test
    void aTenantSeesItsOwnMoneyOnly() {
        books.apply("a", facts(new SplittableRandom(16), 300, false), Costing::inForce);

        Repriced own = books.ledger().reports().reprice(new Scope.Tenant("tenant1"), 0, ALL, DEARER);

        assertThat(own.usage())
                .isEqualTo(reprice(DEARER).usage().stream()
                        .filter(usage -> usage.tenant().equals("tenant1"))
                        .toList())
                .isNotEmpty();
        assertThat(own.devices()).isEmpty();
        assertThat(own.own()).isEmpty();
    }

    @Test
    void requestsThatTheirOwnBookDoesNotExplainArePricedPlainlyAndCounted() {
        List<Fact> facts = new ArrayList<>(TestFacts.begin()
                .opened("r", "tenant0", Map.of())
                .closed("r", Fact.Outcome.COMPLETED, 123_456_789_000L, 5)
                .facts());
        facts.set(1, new Fact.Adopted(1, Fact.DocumentKind.PRICE_BOOK, "book1", BOOKED.content()));
        books.apply("a", facts, Costing::inForce);

        Repriced repriced = reprice(DEARER);

        assertThat(repriced.unexplained()).isEqualTo(1);
        assertThat(repriced.total().list().other())
                .isEqualTo(new ListPricing(DEARER)
                        .price("model", "tenant0", new Tokens(10, 20, 30), TestFacts.START, Work.GENERATION)
                        .total());
    }

    @Test
    void workThatIsToldIsPricedAsItWasWhateverItsOwnBookSays() {
        List<Fact> facts = new ArrayList<>(TestFacts.begin()
                .work(Work.BATCH)
                .opened("r", "tenant0", Map.of())
                .closed("r", Fact.Outcome.COMPLETED, 123_456_789_000L, 5)
                .facts());
        facts.set(1, new Fact.Adopted(1, Fact.DocumentKind.PRICE_BOOK, "book1", BOOKED.content()));
        books.apply("a", facts, Costing::inForce);

        for (PriceBook other : List.of(DEARER, CHANGING)) {
            Repriced repriced = reprice(other);

            assertThat(repriced.unexplained()).isZero();
            assertThat(repriced.total().list().other())
                    .isEqualTo(new ListPricing(other)
                            .price("model", "tenant0", new Tokens(10, 20, 30), TestFacts.START, Work.BATCH)
                            .total());
        }
    }

    @Test
    void anotherCurrencyIsRefused() {
        books.apply("a", facts(new SplittableRandom(17), 100, true), Costing::inForce);

        assertThatThrownBy(() -> reprice(PriceBook.parse("us", "currency: USD")))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("is in USD, but in that time money was booked in EUR");
    }

    private static Map<String, Long> booked(Repriced repriced) {
        return amounts(repriced, true);
    }

    private static Map<String, Long> other(Repriced repriced) {
        return amounts(repriced, false);
    }

    private static Map<String, Long> amounts(Repriced repriced, boolean booked) {
        Map<String, Long> result = new TreeMap<>();
        repriced.usage()
                .forEach(usage -> result.put(usage.tenant() + "/" + usage.model(), of(usage.metered(), booked)));
        repriced.own().forEach((account, amounts) -> result.put(account.name(), of(amounts, booked)));
        repriced.devices().forEach(device -> result.put(device.device(), of(device.cost(), booked)));
        result.values().removeIf(amount -> amount == 0);
        return result;
    }

    private static long of(Repriced.Amounts amounts, boolean booked) {
        return booked ? amounts.booked() : amounts.other();
    }

    private static List<String> byTenant(Repriced repriced) {
        Map<String, Long> sums = new TreeMap<>();
        repriced.usage()
                .forEach(usage -> sums.merge(usage.tenant(), usage.metered().other(), Long::sum));
        return sums.entrySet().stream()
                .map(entry -> entry.getKey() + "," + entry.getValue())
                .toList();
    }
}
