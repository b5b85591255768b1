package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

@ParameterizedClass
@EnumSource(Database.Kind.class)
class FocusHoursTest {

    private static final long TO = TestFacts.START + 1000 * Periods.HOUR;

    private final TestBooks books;

    FocusHoursTest(Database.Kind kind) {
        books = new TestBooks(kind);
    }

    @AfterEach
    void close() {
        books.close();
    }

    private BigDecimal billed(Scope scope, FocusExport.Basis basis) {
        StringBuilder out = new StringBuilder();
        FocusExport export =
                new FocusExport(basis, FocusExport.Reader.OPERATOR, Hours.ISSUER, FocusHoursTest::book, out);
        FocusHours hours = new FocusHours(books.ledger().reports(), scope, 0, TO);
        int longest = 0;
        int before = out.length();
        while (hours.next(export)) {
            longest = Math.max(longest, out.length() - before);
            before = out.length();
        }
        export.finish();
        assertThat(hours.longestHour()).isGreaterThanOrEqualTo(longest);
        return export.billed();
    }

    private static PriceBook book(String version) {
        assertThat(version).as("version of a price book that the ledger has").isNotEmpty();
        return Hours.BOOK;
    }

    private long sum(String sql) {
        return Long.parseLong(books.query(sql).getFirst());
    }

    @Test
    void everyHourIsHandedOnOnce() {
        books.apply("a", TestFacts.random(new SplittableRandom(3), "a", 800));

        assertThat(billed(Scope.OPERATOR, FocusExport.Basis.LIST))
                .isEqualByComparingTo(
                        Money.decimal(sum("SELECT SUM(list_money + egress_money + step_money) FROM usage_hour")));
        assertThat(billed(Scope.OPERATOR, FocusExport.Basis.METERED))
                .isEqualByComparingTo(Money.decimal(-sum("SELECT SUM(device_money) FROM device_hour")));
        assertThat(billed(new Scope.Tenant("tenant1"), FocusExport.Basis.LIST))
                .isEqualByComparingTo(
                        Money.decimal(sum("SELECT SUM(list_money + egress_money + step_money) FROM usage_hour"
                                + " WHERE tenant = 'tenant1'")));
    }

    private static PriceBook reserving(String share) {
        return PriceBook.parse("reserving", """
                currency: EUR
                devices: [{name: "*", per-hour: 3.6, idle-watts: 10, busy-watts: 90, energy: extra}]
                electricity: 0.3
                reservations: [{tenant: tenant1, device: "*", share: %s}]
                """.formatted(share));
    }

    private void meteredIsTheLedgers() {
        assertThat(billed(Scope.OPERATOR, FocusExport.Basis.METERED))
                .isEqualByComparingTo(Money.decimal(-sum("SELECT SUM(device_money) FROM device_hour")));
        assertThat(rows(FocusExport.Basis.METERED).stream()
                        .map(row -> new BigDecimal(row.getOrDefault("x_DeviceSeconds", "0")))
                        .reduce(BigDecimal.ZERO, BigDecimal::add))
                .isEqualByComparingTo(BigDecimal.valueOf(
                        -sum("SELECT SUM(amount) FROM posting WHERE account = 'DEVICE' AND unit = 'NANOS'"), 9));
    }

    @Test
    void whatIsReservedAndUnusedIsBilledOnce() {
        PriceBook book = reserving("0.4");
        List<Fact> facts = new ArrayList<>(TestFacts.random(new SplittableRandom(7), "a", 600));
        facts.add(300, new Fact.PeriodClosed(TestFacts.micros("2026-12-01T05:30:00Z"), "2026-11"));
        books.apply("a", facts, (version, policy) -> Costing.inForce(book.content(), policy));

        assertThat(sum("SELECT SUM(amount) FROM posting WHERE kind = 'RESERVED' AND unit = 'MONEY'"))
                .isPositive();
        meteredIsTheLedgers();
    }

    @Test
    void whatIsCostedAgainIsBilledOnce() {
        PriceBook book = reserving("0.4");
        PriceBook other = reserving("0.7");
        Costings costings = (version, policy) ->
                Costing.inForce(version.equals(other.content()) ? version : book.content(), policy);
        books.apply("a", TestFacts.random(new SplittableRandom(8), "a", 600), costings);
        books.recost("2026-11", other.version(), other.content(), costings);

        assertThat(sum("SELECT COUNT(*) FROM posting WHERE reversal_of >= 0")).isPositive();
        meteredIsTheLedgers();
        assertThat(rows(FocusExport.Basis.METERED))
                .as("no memory was divided")
                .noneMatch(row -> "KV Cache Residency".equals(row.get("SkuMeter")))
                .anyMatch(row -> "Device time costed again, idle".equals(row.get("ChargeDescription")));
    }

    @ParameterizedTest
    @EnumSource(FocusExport.Basis.class)
    void correctionsAreBilledInTheMonthInWhichTheyWereBookedWheneverTheyAreExported(FocusExport.Basis basis) {
        long closed = TestFacts.micros("2026-12-01T05:30:00Z");
        List<Fact> facts = new ArrayList<>(TestFacts.random(new SplittableRandom(5), "a", 200));
        facts.add(100, new Fact.PeriodClosed(closed, "2026-11"));
        books.apply("a", facts);

        List<Map<String, String>> rows = rows(basis);

        String booked = basis == FocusExport.Basis.LIST
                ? "SELECT SUM(list_money + egress_money + step_money) FROM usage_hour"
                : "SELECT -SUM(device_money) FROM device_hour";
        for (String month : List.of("2026-11", "2026-12")) {
            Period time = Period.named(month);
            assertThat(rows.stream()
                            .filter(row -> row.get("BillingPeriodStart").startsWith(month))
                            .map(row -> new BigDecimal(row.get("BilledCost")))
                            .reduce(BigDecimal.ZERO, BigDecimal::add))
                    .as(month)
                    .isEqualByComparingTo(Money.decimal(
                            sum(booked + " WHERE hour >= %d AND hour < %d".formatted(time.from(), time.until()))));
        }
        assertThat(rows)
                .filteredOn(row -> "Correction".equals(row.get("ChargeClass")))
                .isNotEmpty()
                .allSatisfy(row -> assertThat(row)
                        .containsEntry("ChargePeriodStart", "2026-11-01T00:00:00Z")
                        .containsEntry("ChargePeriodEnd", "2026-12-01T00:00:00Z"));
    }

    private List<Map<String, String>> rows(FocusExport.Basis basis) {
        StringBuilder out = new StringBuilder();
        FocusExport export =
                new FocusExport(basis, FocusExport.Reader.OPERATOR, Hours.ISSUER, version -> Hours.BOOK, out);
        FocusHours hours = new FocusHours(books.ledger().reports(), Scope.OPERATOR, 0, TO);
        while (hours.next(export)) {
            // An hour at a time.
        }
        export.finish();
        return Csv.parse(out.toString()).rows();
    }

    @Test
    void timeOfStepsThatNobodyOwnsIsTheDevicesAlone() {
        List<Line> lines = List.of(new Line(Meter.UNOWNED, 0, 0, 0, 5_000, 0, 0, 0, 0));
        Fact.Window window = new Fact.Window(
                TestFacts.DEVICE,
                TestFacts.START,
                TestFacts.START + TestFacts.SECOND,
                0,
                1_000_000_000,
                List.of(5_000L, 0L, 0L, 999_995_000L),
                0,
                false,
                lines);
        books.apply("a", TestFacts.begin().add(window).facts());

        assertThat(billed(Scope.OPERATOR, FocusExport.Basis.LIST)).isZero();
        assertThat(billed(Scope.OPERATOR, FocusExport.Basis.METERED))
                .isEqualByComparingTo(Money.decimal(-sum("SELECT SUM(device_money) FROM device_hour")));
    }

    @Test
    void knowsBeforehandHowMuchThereIs() {
        books.apply("a", TestFacts.random(new SplittableRandom(3), "a", 800));

        assertThat(new FocusHours(books.ledger().reports(), Scope.OPERATOR, 0, TO).rows())
                .isEqualTo(sum("SELECT COUNT(*) FROM usage_hour"));
        assertThat(new FocusHours(books.ledger().reports(), new Scope.Tenant("eve"), 0, TO).rows())
                .isZero();
    }

    @Test
    void refusesATimeThatEndsBeforeItBegins() {
        assertThatThrownBy(() -> new FocusHours(books.ledger().reports(), Scope.OPERATOR, TO, 0))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("ends before it begins");
    }
}
