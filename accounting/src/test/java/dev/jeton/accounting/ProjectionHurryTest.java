package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class ProjectionHurryTest {

    /** Without the hurry it would wait for more facts for an hour. */
    @Test
    void whoWaitsForFactsNeedNotWaitUntilOthersAreGathered() {
        try (TestBooks books = new TestBooks(Database.Kind.SQLITE)) {
            List<Fact> facts = TestFacts.begin().opened("r1", "alice", Map.of()).facts();
            TestJournal journal = new TestJournal(facts);
            try (Projection projection =
                    books.ledger().project("a", journal, TestFacts.COSTINGS, () -> 0, TimeUnit.HOURS.toNanos(1))) {
                TestBooks.await(() -> {
                    projection.hurry();
                    return projection.status().applied() == facts.size();
                });
                assertThat(projection.status().behind()).isZero();
            }
        }
    }
}
