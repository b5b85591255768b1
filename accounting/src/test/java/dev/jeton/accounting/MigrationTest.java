package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;

import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** Ledgers that an earlier version wrote. */
@ParameterizedClass
@EnumSource(Database.Kind.class)
class MigrationTest {

    private static final long DAY_AFTER = TestFacts.micros("2026-11-21T05:30:00Z");

    private final TestBooks books;

    MigrationTest(Database.Kind kind) {
        books = new TestBooks(kind);
    }

    @AfterEach
    void close() {
        books.close();
    }

    /** Makes the schema what it was before bytes were priced. */
    private void withoutEgress() throws SQLException {
        books.execute(
                "ALTER TABLE request DROP COLUMN zone_from",
                "ALTER TABLE request DROP COLUMN zone_to",
                "ALTER TABLE request DROP COLUMN egress_money",
                "ALTER TABLE usage_hour DROP COLUMN zone_from",
                "ALTER TABLE usage_hour DROP COLUMN zone_to",
                "ALTER TABLE usage_hour DROP COLUMN egress_money",
                "ALTER TABLE period DROP COLUMN egress_money",
                "DELETE FROM flyway_schema_history WHERE version = '3'");
    }

    /** Makes the schema what it was before there were tasks. */
    private void withoutTasks() throws SQLException {
        books.execute(
                "DROP TABLE shared_budget",
                "DROP TABLE budget_offer",
                "DROP TABLE budget_pool",
                "DROP TABLE budget_allotment",
                "DROP TABLE budget_lease",
                "DELETE FROM flyway_schema_history WHERE version IN ('8', '9')",
                "DROP INDEX request_task",
                "ALTER TABLE request DROP COLUMN task",
                "ALTER TABLE request DROP COLUMN prompt_version",
                "ALTER TABLE request DROP COLUMN route",
                "ALTER TABLE request DROP COLUMN context_bucket",
                "ALTER TABLE request DROP COLUMN fallback",
                "ALTER TABLE request DROP COLUMN prompts",
                "DROP TABLE step",
                "DROP TABLE task",
                "ALTER TABLE usage_hour DROP COLUMN step",
                "ALTER TABLE usage_hour DROP COLUMN steps",
                "ALTER TABLE usage_hour DROP COLUMN step_money",
                "ALTER TABLE period DROP COLUMN step_money",
                "DELETE FROM flyway_schema_history WHERE version = '7'");
    }

    /** Makes the schema what it was before periods could be costed again, work had a kind, and there were tasks. */
    private void withoutRecosts() throws SQLException {
        withoutTasks();
        books.execute(
                "ALTER TABLE request DROP COLUMN work",
                "ALTER TABLE usage_hour DROP COLUMN work",
                "DROP INDEX device_window_from",
                "DROP TABLE recost",
                "DROP TABLE period_taken",
                "DELETE FROM flyway_schema_history WHERE version IN ('4', '5', '6')");
    }

    @Test
    void rowsOfALedgerWithoutZonesStayAndMeetThoseThatCome() throws SQLException {
        TestFacts facts = TestFacts.begin()
                .opened("r1", "alice", Map.of("task", "t"))
                .opened("r2", "alice", Map.of("task", "t"))
                .window("r1", "r2")
                .closed("r1", Fact.Outcome.COMPLETED, 6, 1);
        books.apply("a", facts.facts());
        withoutRecosts();
        withoutEgress();
        assertThat(Ledger.pending(books.url(), TestBooks.USER, ""))
                .containsExactly(
                        "3 egress",
                        "4 recosts",
                        "5 work",
                        "6 shared closes",
                        "7 tasks",
                        "8 shared budgets",
                        "9 standing offers");

        assertThat(Ledger.migrate(books.url(), TestBooks.USER, ""))
                .containsExactly(
                        "3 egress",
                        "4 recosts",
                        "5 work",
                        "6 shared closes",
                        "7 tasks",
                        "8 shared budgets",
                        "9 standing offers");

        assertThat(books.ledger().verify()).isEmpty();
        books.apply(
                "a",
                facts.window("r2")
                        .closed("r2", Fact.Outcome.COMPLETED, 70, 1)
                        .zones("here", "far")
                        .opened("r3", "alice", Map.of("task", "t"))
                        .window("r3")
                        .closed("r3", Fact.Outcome.COMPLETED, 700, 1)
                        .facts());
        assertThat(books.query("SELECT zone_from, zone_to, requests, list_money, egress_money FROM usage_hour"
                        + " ORDER BY requests"))
                .containsExactly("here,far,1,700,100", ",,2,76,10");
        assertThat(books.ledger().verify()).isEmpty();
    }

    @Test
    void periodsThatWereClosedBeforeStayAsTheyWere() throws SQLException {
        TestFacts facts = TestFacts.begin()
                .opened("r1", "alice", Map.of())
                .window("r1")
                .closed("r1", Fact.Outcome.COMPLETED, 6, 1)
                .opened("r2", "alice", Map.of());
        books.apply("a", facts.facts());
        books.ledger().close("2026-11-20", DAY_AFTER);
        withoutRecosts();
        withoutEgress();
        List<String> before = books.query("SELECT * FROM period");

        Ledger.migrate(books.url(), TestBooks.USER, "");

        assertThat(books.query("SELECT * FROM period")).containsExactly(before.getFirst() + ",0,0");
        books.apply("a", facts.closed("r2", Fact.Outcome.COMPLETED, 70, 1).facts());
        assertThat(books.query("SELECT corrects, egress_money FROM usage_hour ORDER BY hour"))
                .containsExactly(",0", "2026-11-20,10");
        assertThat(books.ledger().verify()).isEmpty();
    }
}
