package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigDecimal;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
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
        FocusHours hours = new FocusHours(books.ledger().reports(), scope, 0, TO, TO);
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

        assertThat(new FocusHours(books.ledger().reports(), Scope.OPERATOR, 0, TO, TO).rows())
                .isEqualTo(sum("SELECT COUNT(*) FROM usage_hour"));
        assertThat(new FocusHours(books.ledger().reports(), new Scope.Tenant("eve"), 0, TO, TO).rows())
                .isZero();
    }

    @Test
    void refusesATimeThatEndsBeforeItBegins() {
        assertThatThrownBy(() -> new FocusHours(books.ledger().reports(), Scope.OPERATOR, TO, 0, TO))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("ends before it begins");
    }
}
