package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.math.BigDecimal;
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
                new FocusExport(basis, FocusExport.Reader.OPERATOR, Hours.ISSUER, version -> Hours.BOOK, out);
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
