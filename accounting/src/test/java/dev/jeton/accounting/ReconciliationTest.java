package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import java.io.StringReader;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class ReconciliationTest {

    private static final long NOVEMBER = TestFacts.micros("2026-11-01T00:00:00Z");
    private static final long UNIT = Money.NANOS_PER_UNIT;
    private static final Map<String, String> NO_NAMES = Map.of();

    private static Invoice invoice(String lines) {
        return Invoice.read("bill.csv", new StringReader("device,from,to,amount,currency,charge\n" + lines), Map.of());
    }

    private static Reconciliation.Question question(Reconciliation.Span span, Map<String, String> names) {
        return new Reconciliation.Question(Optional.empty(), span, names);
    }

    /** Devices of node "a" that cost a unit in each of the first hours of November, and were used for half of it. */
    private static List<DeviceCost> hours(int count, String... devices) {
        List<DeviceCost> costs = new ArrayList<>();
        for (String device : devices) {
            for (int i = 0; i < count; i++) {
                costs.add(new DeviceCost("a", device, NOVEMBER + i * Periods.HOUR, 1_800_000_000_000L, UNIT));
            }
        }
        return costs;
    }

    private static Reconciliation compare(Invoice invoice, Reconciliation.Question question, List<DeviceCost> costs) {
        Reconciler reconciler = new Reconciler(
                invoice,
                question,
                costs.stream()
                        .map(cost -> new DeviceCosts.Device(cost.node(), cost.device()))
                        .distinct()
                        .toList());
        Period time = reconciler.time();
        return reconciler.compare(costs.stream()
                .filter(cost -> cost.hour() >= Periods.hour(time.from()) && cost.hour() < time.until())
                .toList());
    }

    @Test
    void saysHowFarInvoiceAndBooksAreApartAndWhatRateWouldMend() {
        Reconciliation result = compare(
                invoice("i-0abc,2026-11-01,2026-11-02,25,EUR,\ni-0abc,2026-11-01,2026-11-02,-0.5,EUR,\n"),
                question(Reconciliation.Span.MONTH, Map.of("i-0abc", "gpu0")),
                hours(24, "gpu0"));

        Reconciliation.Compared only = result.compared().getFirst();
        assertThat(result.compared()).hasSize(1);
        assertThat(only.invoiced()).isEqualByComparingTo("24.5");
        assertThat(only.booked()).isEqualByComparingTo("24");
        assertThat(only.difference()).isEqualByComparingTo("-0.5");
        assertThat(only.percent()).contains(new BigDecimal("-2.041"));
        assertThat(only.ratio()).contains(new BigDecimal("1.020833333"));
        assertThat(only.perHour()).contains(new BigDecimal("2.041666667"));
        assertThat(only.billedMicros()).isEqualTo(24 * Periods.HOUR);
        assertThat(only.meteredNanos()).isEqualTo(12 * 3_600_000_000_000L);
        assertThat(only.twice()).isZero();
        assertThat(result.agrees(new BigDecimal("2"), false)).isFalse();
        assertThat(result.agrees(new BigDecimal("2.05"), false)).isTrue();
    }

    @Test
    void whatIsOnOneSideOnlyIsNamed() {
        Reconciliation result = compare(
                invoice("gpu0,2026-11-01,2026-11-01T12:00:00Z,12,EUR,\ndisk,2026-11-01,2026-11-01T12:00:00Z,3,EUR,\n"),
                question(Reconciliation.Span.MONTH, NO_NAMES),
                hours(24, "gpu0", "gpu1"));

        assertThat(result.unknown()).containsExactly(new Reconciliation.Unknown("disk", 1, new BigDecimal("3")));
        assertThat(result.compared())
                .extracting(Reconciliation.Compared::device, Reconciliation.Compared::lines)
                .containsExactly(tuple("gpu0", 1), tuple("gpu1", 0));
        assertThat(result.compared().getLast().missing()).isEqualByComparingTo("12");
        assertThat(result.agrees(BigDecimal.ONE, true)).isFalse();
    }

    @Test
    void hoursThatNoLineBillsAreCounted() {
        Reconciliation result = compare(
                invoice("gpu0,2026-11-01,2026-11-01T06:00:00Z,6,EUR,\n"
                        + "gpu0,2026-11-01T08:30:00Z,2026-11-01T10:00:00Z,2,EUR,\n"),
                question(Reconciliation.Span.DAY, NO_NAMES),
                hours(24, "gpu0"));

        Reconciliation.Compared only = result.compared().getFirst();
        assertThat(only.missingHours()).isEqualTo(2);
        assertThat(only.missing()).isEqualByComparingTo("2");
        assertThat(only.booked()).isEqualByComparingTo("8");
        assertThat(only.difference()).isZero();
        assertThat(only.agrees(new BigDecimal("19.9"))).isFalse();
        assertThat(only.agrees(new BigDecimal("20"))).isTrue();
    }

    @Test
    void aTimeThatIsBilledTwiceIsNoticedButNotSeveralChargesForIt() {
        Reconciliation result = compare(
                invoice("gpu0,2026-11-01,2026-11-02,12,EUR,rent\n"
                        + "gpu0,2026-11-01,2026-11-02,12,EUR,power\n"
                        + "gpu0,2026-11-02,2026-11-03,0.1,EUR,rent\n"
                        + "gpu0,2026-11-01T23:00:00Z,2026-11-02,0.1,EUR,rent\n"),
                question(Reconciliation.Span.ALL, NO_NAMES),
                hours(24, "gpu0"));

        assertThat(result.compared().getFirst().overlaps()).containsExactly(new Reconciliation.Overlap(2, 5));
        assertThat(result.compared().getFirst().twice()).isEqualTo(1);
        assertThat(result.agrees(BigDecimal.TEN, false)).isFalse();
    }

    @Test
    void aLineThatSpansMonthsJoinsThem() {
        Reconciliation result = compare(
                invoice("gpu0,2026-10-15,2026-11-15,24,EUR,\ngpu0,2026-12,2027-01,1,EUR,\n"),
                question(Reconciliation.Span.MONTH, NO_NAMES),
                hours(24, "gpu0"));

        assertThat(result.compared())
                .extracting(item -> Period.text(item.period().from()) + " "
                        + Period.text(item.period().until()))
                .containsExactly(
                        "2026-10-15T00:00:00Z 2026-12-01T00:00:00Z", "2026-12-01T00:00:00Z 2027-01-01T00:00:00Z");
        assertThat(result.compared().getLast().ratio()).isEmpty();
    }

    @Test
    void linesOfAnotherTimeAreLeftOutAndThoseThatAreCutAreRefused() {
        Reconciliation.Question asked = new Reconciliation.Question(
                Optional.of(Period.named("2026-11-01")), Reconciliation.Span.MONTH, NO_NAMES);
        Reconciliation result = compare(
                invoice("gpu0,2026-11-01,2026-11-02,24,EUR,\ngpu0,2026-11-02,2026-11-03,24,EUR,\n"),
                asked,
                hours(48, "gpu0"));

        assertThat(result.outside()).isEqualTo(1);
        assertThat(result.agrees(BigDecimal.ZERO, false)).isTrue();
        assertThatThrownBy(() -> compare(invoice("gpu0,2026-11,2026-12,24,EUR,\n"), asked, hours(24, "gpu0")))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("line 2 is from 2026-11-01T00:00:00Z to 2026-12-01T00:00:00Z, and only a part");
    }

    @Test
    void aNameThatSeveralNodesHaveMustBeTold() {
        List<DeviceCost> costs = new ArrayList<>(hours(24, "cpu"));
        costs.add(new DeviceCost("b", "cpu", NOVEMBER, 0, UNIT));
        Invoice invoice = invoice("cpu,2026-11-01,2026-11-02,24,EUR,\n");

        assertThatThrownBy(() -> compare(invoice, question(Reconciliation.Span.MONTH, NO_NAMES), costs))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining(
                        "device 'cpu' is on several nodes; say which the invoice's 'cpu' is: a/cpu, b/cpu");
        assertThat(compare(invoice, question(Reconciliation.Span.MONTH, Map.of("cpu", "a/cpu")), costs)
                        .compared()
                        .getFirst()
                        .difference())
                .isZero();
    }

    @Test
    void aNameThatTheBooksDoNotHaveIsRefusedWhereItWasGiven() {
        assertThatThrownBy(() -> compare(
                        invoice("i-0abc,2026-11-01,2026-11-02,24,EUR,\n"),
                        question(Reconciliation.Span.MONTH, Map.of("i-0abc", "gpu7")),
                        hours(24, "gpu0")))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("the books have no device 'gpu7'")
                .hasMessageEndingWith("they have: a/gpu0");
    }

    @ParameterizedTest
    @EnumSource(Reconciliation.Span.class)
    void nothingIsLostOrCountedTwice(Reconciliation.Span span) {
        for (long seed = 0; seed < 200; seed++) {
            Random random = Facts.random(seed);
            List<DeviceCost> costs = hours(24 * 70, "gpu0", "gpu1");
            StringBuilder lines = new StringBuilder();
            BigDecimal sum = BigDecimal.ZERO;
            for (int i = 0; i <= random.nextInt(12); i++) {
                long from = NOVEMBER + random.nextInt(24 * 60) * Periods.HOUR / 2;
                long to = from + (1 + random.nextInt(24 * 20)) * Periods.HOUR / 2;
                BigDecimal amount = BigDecimal.valueOf(random.nextLong(-1_000_000, 9_000_000), 3);
                sum = sum.add(amount);
                lines.append("%s,%s,%s,%s,EUR,c%d\n"
                        .formatted(
                                List.of("gpu0", "gpu1", "other").get(random.nextInt(3)),
                                Period.text(from),
                                Period.text(to),
                                amount,
                                random.nextInt(2)));
            }
            Invoice invoice = invoice(lines.toString());
            Reconciliation result = compare(invoice, question(span, NO_NAMES), costs);

            BigDecimal invoiced = result.unknown().stream()
                    .map(Reconciliation.Unknown::invoiced)
                    .reduce(BigDecimal.ZERO, BigDecimal::add);
            BigDecimal booked = BigDecimal.ZERO;
            for (Reconciliation.Compared item : result.compared()) {
                invoiced = invoiced.add(item.invoiced());
                booked = booked.add(item.booked()).add(item.missing());
                assertThat(item.billedMicros())
                        .as("seed %d", seed)
                        .isLessThanOrEqualTo(
                                item.period().until() - item.period().from());
            }
            assertThat(invoiced).as("seed %d: %s", seed, lines).isEqualByComparingTo(sum);
            Period time = new Reconciler(
                            invoice,
                            question(span, NO_NAMES),
                            List.of(new DeviceCosts.Device("a", "gpu0"), new DeviceCosts.Device("a", "gpu1")))
                    .time();
            assertThat(booked)
                    .as("seed %d: %s", seed, lines)
                    .isEqualByComparingTo(BigDecimal.valueOf(costs.stream()
                            .filter(cost -> cost.hour() >= Periods.hour(time.from()) && cost.hour() < time.until())
                            .count()));
        }
    }

    @ParameterizedTest
    @EnumSource(Database.Kind.class)
    void whatCorrectsAClosedPeriodCountsWhenTheDeviceWasUsed(Database.Kind kind) {
        try (TestBooks books = new TestBooks(kind)) {
            PriceBook prices = PriceBook.parse("p", "currency: EUR\ndevices: [{name: \"*\", per-hour: 3600}]");
            List<Fact> facts = new ArrayList<>(TestFacts.begin()
                    .window()
                    .add(new Fact.PeriodClosed(TestFacts.micros("2026-11-21T05:30:00Z"), "2026-11-20"))
                    .window()
                    .window()
                    .facts());
            facts.set(1, new Fact.Adopted(1, Fact.DocumentKind.PRICE_BOOK, "book1", prices.content()));
            books.apply("a", facts, Costing::inForce);
            books.recost("2026-11-20", "book2", prices.content().replace("3600", "7200"), Costing::inForce);

            Reconciliation day = books.ledger()
                    .reports()
                    .reconcile(
                            Scope.OPERATOR,
                            invoice("gpu0,2026-11-20,2026-11-21,6,EUR,\n"),
                            question(Reconciliation.Span.MONTH, NO_NAMES));
            Reconciliation dayAfter = books.ledger()
                    .reports()
                    .reconcile(
                            Scope.OPERATOR,
                            invoice("gpu0,2026-11-21,2026-11-22,1,EUR,\n"),
                            question(Reconciliation.Span.MONTH, NO_NAMES));

            assertThat(day.compared().getFirst().difference()).isZero();
            assertThat(day.compared().getFirst().meteredNanos()).isEqualTo(3_000_000_000L);
            assertThat(day.agrees(BigDecimal.ZERO, false)).isTrue();
            assertThat(dayAfter.compared().getFirst().booked()).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource(Database.Kind.class)
    void anotherCurrencyAndATenantAreRefused(Database.Kind kind) {
        try (TestBooks books = new TestBooks(kind)) {
            List<Fact> facts = new ArrayList<>(TestFacts.begin().window().facts());
            facts.set(
                    1,
                    new Fact.Adopted(
                            1,
                            Fact.DocumentKind.PRICE_BOOK,
                            "book1",
                            "currency: USD\ndevices: [{name: \"*\", per-hour: 3600}]"));
            books.apply("a", facts, Costing::inForce);
            Invoice invoice = invoice("gpu0,2026-11-20,2026-11-21,4,EUR,\n");
            Reconciliation.Question question = question(Reconciliation.Span.MONTH, NO_NAMES);

            assertThatThrownBy(() -> books.ledger().reports().reconcile(Scope.OPERATOR, invoice, question))
                    .isInstanceOf(AccountingException.class)
                    .hasMessageContaining("the invoice is in EUR, the books of that time are in USD (price book");
            assertThatThrownBy(() -> books.ledger().reports().reconcile(new Scope.Tenant("t"), invoice, question))
                    .isInstanceOf(AccountingException.class)
                    .hasMessageContaining("only the operator");
        }
    }
}
