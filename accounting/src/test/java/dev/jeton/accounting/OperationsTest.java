package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

@ParameterizedClass
@EnumSource(Database.Kind.class)
class OperationsTest {

    private static final long LATER = TestFacts.START + 1000 * Periods.HOUR;

    private final TestBooks books;

    OperationsTest(Database.Kind kind) {
        books = new TestBooks(kind);
    }

    @AfterEach
    void close() {
        books.close();
    }

    @Test
    void erasesWhatIsPersonalAndKeepsTotals() {
        books.apply("a", TestFacts.random(new SplittableRandom(4), "a", 1_500));
        Grouping byModel = new Grouping.By(Grouping.Dimension.MODEL);
        Reports reports = books.ledger().reports();
        var before = reports.totals(new Scope.Tenant("tenant1"), 0, LATER, Filter.ALL, byModel);
        String others = "SELECT * FROM request WHERE tenant <> 'tenant1' ORDER BY sequence";
        var othersBefore = books.query(others);

        int erased = books.ledger().erase("tenant1", LATER);

        assertThat(erased).isPositive();
        assertThat(books.query("SELECT id FROM request WHERE tenant = 'tenant1' AND closings > 0"))
                .allMatch(id -> id.startsWith("erased-a-"));
        assertThat(books.query("SELECT DISTINCT labels, key_id, prompt_version, route FROM request"
                        + " WHERE tenant = 'tenant1'"))
                .containsExactly("{},,,");
        assertThat(books.query("SELECT id FROM task WHERE tenant = 'tenant1' AND endings > 0"))
                .isNotEmpty()
                .allMatch(id -> id.startsWith("erased-a-"));
        assertThat(books.query("SELECT s.id FROM step s JOIN task t ON t.node = s.node AND t.sequence = s.task"
                        + " WHERE t.tenant = 'tenant1' AND t.endings > 0"))
                .isNotEmpty()
                .allMatch(id -> id.startsWith("erased-a-"));
        assertThat(books.query("SELECT DISTINCT name, criterion, why, key_id FROM task WHERE tenant = 'tenant1'"))
                .containsExactly(",,,");
        assertThat(books.query("SELECT DISTINCT labels, key_id FROM usage_hour WHERE tenant = 'tenant1'"))
                .containsExactly("{},");
        assertThat(reports.totals(new Scope.Tenant("tenant1"), 0, LATER, Filter.ALL, byModel))
                .isEqualTo(before);
        assertThat(books.query(others)).isEqualTo(othersBefore);
        assertThat(books.ledger().verify()).isEmpty();
    }

    @Test
    void goesOnAfterAnErasure() {
        TestFacts facts = TestFacts.begin()
                .opened("r1", "alice", Map.of("task", "t"))
                .opened("r2", "alice", Map.of("task", "t"))
                .window("r1", "r2")
                .closed("r1", Fact.Outcome.COMPLETED, 10, 1);
        TestJournal journal = new TestJournal(facts.facts());
        int before = facts.facts().size();
        try (Projection projection = books.ledger().project("a", journal, TestFacts.COSTINGS, () -> 0)) {
            TestBooks.await(() -> projection.status().behind() == 0);

            int erased = books.ledger().erase("alice", LATER);
            facts.window("r2").closed("r2", Fact.Outcome.COMPLETED, 20, 1);
            journal.append(facts.facts().subList(before, facts.facts().size()));
            TestBooks.await(() -> projection.status().behind() == 0);

            assertThat(erased).isEqualTo(1);
        }
        assertThat(books.query("SELECT labels, requests, list_money FROM usage_hour"))
                .containsExactly("{},2,30");
        assertThat(books.ledger().verify()).isEmpty();
    }

    @Test
    void keepsTheIdsOfRequestsThatEndedTooLately() {
        books.apply(
                "a",
                TestFacts.begin()
                        .opened("r1", "alice", Map.of())
                        .closed("r1", Fact.Outcome.COMPLETED, 10, 1)
                        .facts());

        assertThat(books.ledger().erase("alice", TestFacts.START)).isZero();
        assertThat(books.ledger().erase("alice", TestFacts.START + 1)).isEqualTo(1);
    }

    @Test
    void refusesAnAddressThatIsNone() {
        assertThatThrownBy(() -> Ledger.open("jdbc:mysql://x/y?password=secret", "", ""))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("write jdbc:sqlite:")
                .hasMessageNotContaining("secret");
    }
}
