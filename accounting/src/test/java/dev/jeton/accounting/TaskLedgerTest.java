package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

@ParameterizedClass
@EnumSource(Database.Kind.class)
class TaskLedgerTest {

    private static final Scope ALICE = new Scope.Tenant("alice");
    private static final long LATER = TestFacts.micros("2027-01-01T00:00:00Z");

    private final TestBooks books;

    TaskLedgerTest(Database.Kind kind) {
        books = new TestBooks(kind);
    }

    @AfterEach
    void close() {
        books.close();
    }

    private static TaskStep retrieval(String id, long list, TaskStep.Hit hit) {
        return new TaskStep(id, TaskStep.Kind.RETRIEVAL, list, Rate.of("12.5"), "queries", 7, hit, "");
    }

    /** Two calls, one of them a fallback of another prompt version, a hit, a miss, a reserved tool and a review. */
    private static TestFacts task() {
        return TestFacts.begin()
                .taskOpened("alice", "t")
                .tags("t", "v1", "plan", false, 900)
                .opened("r1", "alice", Map.of())
                .window("r1")
                .closed("r1", Fact.Outcome.COMPLETED, 700, 5)
                .stepped("alice", "t", retrieval("s1", 40, TaskStep.Hit.HIT), TaskStep.State.POSTED, 40)
                .stepped("alice", "t", retrieval("s2", 50, TaskStep.Hit.MISS), TaskStep.State.POSTED, 50)
                .stepped("alice", "t", TestFacts.step("s3", TaskStep.Kind.TOOL, 10), TaskStep.State.RESERVED, 0)
                .stepped("alice", "t", TestFacts.step("s3", TaskStep.Kind.TOOL, 25), TaskStep.State.POSTED, 15)
                .tags("t", "v2", "plan", true, 5_000)
                .opened("r2", "alice", Map.of())
                .window("r2")
                .closed("r2", Fact.Outcome.FAILED, 1_400, 9)
                .tags("", "", "", false, 0)
                .opened("r3", "alice", Map.of())
                .closed("r3", Fact.Outcome.COMPLETED, 21, 9)
                .taskEnded("alice", "t", TaskOutcome.SUCCESS)
                .stepped("alice", "t", TestFacts.step("s4", TaskStep.Kind.HUMAN_REVIEW, 9), TaskStep.State.RESERVED, 0);
    }

    @Test
    void aGraphHasCallsStepsAndWhatTheyCostTogether() {
        books.apply("a", task().facts());

        TaskGraph graph = books.ledger().reports().task(ALICE, "t", 100).orElseThrow();

        assertThat(graph.task().outcome()).contains(TaskOutcome.SUCCESS);
        assertThat(graph.requests()).extracting(RequestRow::id).containsExactly("r1", "r2");
        assertThat(graph.requests())
                .extracting(
                        row -> row.tags().promptVersion(),
                        row -> row.tags().fallback(),
                        row -> row.context().text())
                .containsExactly(
                        org.assertj.core.groups.Tuple.tuple("v1", false, "<1k"),
                        org.assertj.core.groups.Tuple.tuple("v2", true, "4k-16k"));
        assertThat(graph.steps()).extracting(row -> row.step().id()).containsExactly("s1", "s2", "s3", "s4");
        assertThat(graph.steps().getFirst().step()).isEqualTo(retrieval("s1", 40, TaskStep.Hit.HIT));
        assertThat(graph.sums())
                .isEqualTo(new TaskGraph.Sums(
                        2, 0, 1, 0, 1, new Tokens(20, 40, 60), 2_100, 300, 18_030, 3, 1, 115, 105, 9, 2, 1));
        assertThat(graph.sums().owed()).isEqualTo(2_515);
        assertThat(books.ledger().verify()).isEmpty();
    }

    @Test
    void aTaskOfAnotherTenantIsNone() {
        books.apply("a", task().taskOpened("bob", "t").facts());
        Reports reports = books.ledger().reports();

        assertThat(reports.task(new Scope.Tenant("eve"), "t", 100)).isEmpty();
        TaskGraph bobs = reports.task(new Scope.Tenant("bob"), "t", 100).orElseThrow();
        assertThat(bobs.requests()).isEmpty();
        assertThat(bobs.steps()).isEmpty();
        assertThat(bobs.sums().owed()).isZero();
        assertThat(reports.tasks(ALICE, Optional.empty(), 10))
                .extracting(row -> row.payer().tenant())
                .containsExactly("alice");
    }

    @Test
    void stepsAreOwedBesideTokensAndBytesInTheTotalOfTheirTenant() {
        books.apply("a", task().facts());

        Total total = books.ledger()
                .reports()
                .totals(ALICE, 0, LATER, Filter.ALL, new Grouping.By(Grouping.Dimension.TENANT))
                .getFirst();

        assertThat(total.steps()).isEqualTo(3);
        assertThat(total.stepMoney()).isEqualTo(115);
        assertThat(total.list()).isEqualTo(2_121);
        assertThat(total.tasks()).isEqualTo(new TaskTotal(1, 1, 2, 2_515, 0, 1, 2, 1));
    }

    @Test
    void reportsByWhatRequestsAloneHaveSayTheSameSums() {
        books.apply("a", task().facts());

        assertThat(totals(Grouping.Dimension.TASK))
                .extracting(Total::group, Total::requests, Total::list, Total::stepMoney)
                .containsExactly(
                        org.assertj.core.groups.Tuple.tuple("", 1L, 21L, 0L),
                        org.assertj.core.groups.Tuple.tuple("t", 2L, 2_100L, 115L));
        assertThat(totals(Grouping.Dimension.PROMPT_VERSION))
                .extracting(Total::group, Total::requests, Total::stepMoney)
                .containsExactly(
                        org.assertj.core.groups.Tuple.tuple("", 1L, 115L),
                        org.assertj.core.groups.Tuple.tuple("v1", 1L, 0L),
                        org.assertj.core.groups.Tuple.tuple("v2", 1L, 0L));
        assertThat(totals(Grouping.Dimension.CONTEXT_BUCKET))
                .extracting(Total::group)
                .containsExactly("", "<1k", "4k-16k");
        assertThat(totals(Grouping.Dimension.ROUTE)).extracting(Total::group).containsExactly("", "plan");
    }

    private List<Total> totals(Grouping.Dimension dimension) {
        return books.ledger().reports().totals(ALICE, 0, LATER, Filter.ALL, new Grouping.By(dimension));
    }

    /** A task's graph is its ledger rows; and every way to divide says the same sums. */
    @Test
    void graphsAndReportsSumToTheRows() {
        for (int node = 0; node < 2; node++) {
            books.apply("n" + node, TestFacts.random(new SplittableRandom(node + 40), "n" + node, 700));
        }
        Reports reports = books.ledger().reports();
        long owed = 0;
        long steps = 0;
        List<TaskRow> tasks = reports.tasks(Scope.OPERATOR, Optional.empty(), 10_000);
        for (TaskRow task : tasks) {
            TaskGraph graph = reports.task(new Scope.Tenant(task.payer().tenant()), task.id(), 10_000)
                    .orElseThrow();
            assertThat(graph.requests().stream().mapToLong(RequestRow::list).sum())
                    .isEqualTo(graph.sums().list());
            assertThat(graph.requests().stream().mapToLong(RequestRow::egress).sum())
                    .isEqualTo(graph.sums().egress());
            assertThat(graph.requests().stream().mapToLong(RequestRow::metered).sum())
                    .isEqualTo(graph.sums().metered());
            assertThat(graph.steps().stream()
                            .mapToLong(row -> row.step().list())
                            .sum())
                    .isEqualTo(graph.sums().stepMoney());
            owed += graph.sums().owed();
            steps += graph.sums().stepMoney();
        }
        assertThat(tasks).hasSizeGreaterThan(20);
        assertThat(owed)
                .isEqualTo(sum("SELECT SUM(list_money + egress_money) FROM request WHERE task <> ''")
                        + sum("SELECT SUM(list_money) FROM step"));
        assertThat(steps).isPositive().isEqualTo(sum("SELECT SUM(step_money) FROM usage_hour"));
        for (Grouping.Dimension dimension : Grouping.Dimension.values()) {
            List<Total> totals = reports.totals(Scope.OPERATOR, 0, LATER, Filter.ALL, new Grouping.By(dimension));
            assertThat(totals.stream().mapToLong(Total::stepMoney).sum()).isEqualTo(steps);
            assertThat(totals.stream().mapToLong(Total::list).sum())
                    .isEqualTo(sum("SELECT SUM(list_money) FROM usage_hour"));
            assertThat(totals.stream().mapToLong(total -> total.tasks().money()).sum())
                    .isEqualTo(owed);
        }
    }

    private long sum(String sql) {
        return Long.parseLong(books.query(sql).getFirst());
    }

    @Test
    void reportsGoOnAfterAGroup() {
        books.apply("n", TestFacts.random(new SplittableRandom(3), "n", 800));
        Reports reports = books.ledger().reports();
        for (Grouping.Dimension dimension : Grouping.Dimension.values()) {
            Grouping grouping = new Grouping.By(dimension);
            List<Total> all = reports.totals(Scope.OPERATOR, 0, LATER, Filter.ALL, grouping);
            for (int i = 0; i < all.size(); i++) {
                Optional<String> after =
                        i == 0 ? Optional.empty() : Optional.of(all.get(i - 1).group());
                assertThat(reports.totals(Scope.OPERATOR, 0, LATER, Filter.ALL, grouping, after, 1))
                        .as("%s after %s", dimension, after)
                        .containsExactly(all.get(i));
            }
        }
    }

    @Test
    void projectingTwiceIsProjectingOnce() {
        List<Fact> facts = TestFacts.random(new SplittableRandom(11), "a", 600);
        books.apply("a", facts.subList(0, 300)).apply("a", facts);
        List<String> once = books.dump();

        books.apply("a", facts);

        assertThat(books.dump()).isEqualTo(once);
        assertThat(books.ledger().verify()).isEmpty();
    }

    @Test
    void aStepThatComesAfterAPeriodWasClosedIsACorrection() {
        TestFacts facts = task();
        books.apply("a", facts.facts());
        books.ledger().close("2026-11-20", TestFacts.micros("2026-11-21T05:30:00Z"));

        books.apply(
                "a",
                facts.stepped("alice", "t", TestFacts.step("late", TaskStep.Kind.OTHER, 5), TaskStep.State.POSTED, 5)
                        .facts());

        assertThat(books.query("SELECT step, step_money, corrects FROM usage_hour WHERE corrects <> ''"))
                .containsExactly("other,5,2026-11-20");
        assertThat(books.query("SELECT step_money FROM period")).containsExactly("115");
        assertThat(books.ledger().verify()).isEmpty();
    }

    @Test
    void verificationFindsMoneyOfAStepThatWasChanged() throws Exception {
        books.apply("a", task().facts());
        books.execute("UPDATE step SET list_money = list_money + 2 WHERE id = 's1'");

        assertThat(books.ledger().verify())
                .anyMatch(finding ->
                        finding.contains("step s1 of node a") && finding.contains("owes 42, 40 of it beyond"))
                .anyMatch(finding -> finding.contains("usage of alice") && finding.contains("-2 steps"));
    }

    @Test
    void verificationFindsTasksThatWereNeverOpenedAndOutcomesThatWereSaidTwice() {
        books.apply(
                "a",
                TestFacts.begin()
                        .stepped("bob", "lost", TestFacts.step("s", TaskStep.Kind.OTHER, 5), TaskStep.State.POSTED, 5)
                        .taskOpened("bob", "twice")
                        .taskEnded("bob", "twice", TaskOutcome.SUCCESS)
                        .taskEnded("bob", "twice", TaskOutcome.FAILURE)
                        .facts());

        assertThat(books.ledger().verify())
                .containsExactly(
                        "task lost of tenant bob of node a was never opened",
                        "task twice of tenant bob of node a was ended 2 times");
        assertThat(books.query("SELECT outcome FROM task WHERE id = 'twice'")).containsExactly("SUCCESS");
    }
}
