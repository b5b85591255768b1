package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

@ParameterizedClass
@EnumSource(Database.Kind.class)
class ClosingTest {

    private static final long DAY_AFTER = TestFacts.micros("2026-11-21T05:30:00Z");
    private static final long OPEN_HOUR = TestFacts.micros("2026-11-21T05:00:00Z");
    private final TestBooks books;

    ClosingTest(Database.Kind kind) {
        books = new TestBooks(kind);
    }

    @AfterEach
    void close() {
        books.close();
    }

    @Test
    void booksWhatComesLateAsACorrectionInTheOpenHour() {
        books.apply(
                "a",
                started()
                        .add(new Fact.PeriodClosed(DAY_AFTER, "2026-11-20"))
                        .window("r1")
                        .closed("r1", Fact.Outcome.COMPLETED, 777, 1)
                        .facts());

        assertThat(books.query("""
                SELECT hour, corrects, SUM(requests), SUM(list_money), SUM(metered) FROM usage_hour
                GROUP BY hour, corrects ORDER BY hour
                """))
                .containsExactly(TestFacts.START + ",,0,0,9015", OPEN_HOUR + ",2026-11-20,1,777,9015");
        assertThat(books.query("SELECT DISTINCT hour, corrects FROM posting ORDER BY hour"))
                .containsExactly(TestFacts.START + ",", OPEN_HOUR + ",2026-11-20");
        assertThat(books.ledger().verify()).isEmpty();
    }

    @Test
    void closesThroughTheLedgerAsThroughTheJournal() {
        TestFacts facts = started();
        books.apply("a", facts.facts());
        books.ledger().close("2026-11-20", DAY_AFTER);
        books.apply("a", facts.window("r1").facts());
        try (TestBooks journaled = new TestBooks(books.kind())) {
            journaled.apply(
                    "a",
                    started()
                            .add(new Fact.PeriodClosed(DAY_AFTER, "2026-11-20"))
                            .window("r1")
                            .facts());

            assertThat(books.query("SELECT * FROM usage_hour ORDER BY hour"))
                    .isEqualTo(journaled.query("SELECT * FROM usage_hour ORDER BY hour"));
            assertThat(books.query("SELECT * FROM period")).isEqualTo(journaled.query("SELECT * FROM period"));
        }
    }

    @Test
    void closingAgainChangesNothing() {
        books.apply("a", started().facts());
        books.ledger().close("2026-11-20", DAY_AFTER);
        books.ledger().close("2026-11-20", DAY_AFTER + 1);

        assertThat(books.query("SELECT closed_at FROM period")).containsExactly(String.valueOf(DAY_AFTER));
    }

    @Test
    void refusesAPeriodThatHasNotEnded() {
        assertThatThrownBy(() -> books.ledger().close("2026-11", DAY_AFTER))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("2026-11 has not ended");
    }

    @Test
    void refusesWhatIsNoPeriod() {
        assertThatThrownBy(() -> books.ledger().close("2026-13", DAY_AFTER))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("write a month as 2026-11");
    }

    @Test
    void findsTheOpenHourBehindPeriodsClosedInTurn() {
        Periods periods = new Periods(
                Map.of(
                        "2026-11-20", TestFacts.micros("2026-11-21T05:30:00Z"),
                        "2026-11-21", TestFacts.micros("2026-11-22T01:10:00Z"),
                        "2026-10", TestFacts.micros("2026-11-20T08:00:00Z")),
                Map.of(),
                List.of());

        assertThat(periods.book(TestFacts.micros("2026-10-31T23:59:59Z")))
                .isEqualTo(new Periods.Booking(TestFacts.micros("2026-11-22T01:00:00Z"), "2026-10"));
        assertThat(periods.book(TestFacts.micros("2026-11-22T00:00:00Z")))
                .isEqualTo(new Periods.Booking(TestFacts.micros("2026-11-22T00:00:00Z"), ""));
    }

    @Test
    void staysSoundWhereRandomFactsMeetClosedPeriods() {
        List<Fact> random = TestFacts.random(new SplittableRandom(3), "a", 400);
        List<Fact> facts = new ArrayList<>(random.subList(0, 300));
        facts.add(new Fact.PeriodClosed(DAY_AFTER, "2026-11-20"));
        facts.addAll(random.subList(300, 400));

        books.apply("a", facts);
        books.recost("2026-11", "dear", RecostingTest.DEARER, RecostingTest.COSTINGS);

        assertThat(books.query("SELECT COUNT(*) FROM usage_hour WHERE corrects <> ''"))
                .doesNotContain("0");
        assertThat(books.ledger().verify()).isEmpty();
    }

    private static TestFacts started() {
        return TestFacts.begin().opened("r1", "alice", Map.of("task", "t")).window("r1");
    }
}
