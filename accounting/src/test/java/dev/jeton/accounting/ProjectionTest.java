package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.accounting.testing.PostgresServer;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

@ParameterizedClass
@EnumSource(Database.Kind.class)
class ProjectionTest {

    private final TestBooks books;

    ProjectionTest(Database.Kind kind) {
        books = new TestBooks(kind);
    }

    @AfterEach
    void close() {
        books.close();
    }

    @Test
    void bringsEveryFactIntoTheBooks() {
        TestFacts facts = TestFacts.begin()
                .opened("r1", "alice", Map.of("task", "t"))
                .granted("r1", 64)
                .window("r1")
                .granted("r1", 128)
                .closed("r1", Fact.Outcome.COMPLETED, 777, 9);
        TestJournal journal = new TestJournal(facts.facts());

        follow("a", journal);

        assertThat(books.query("""
                SELECT tenant, labels, closings, outcome, input_tokens, cached_tokens, output_tokens, list_money,
                       granted, confirmed, price_book, policy FROM request
                """))
                .containsExactly("alice,{\"task\":\"t\"},1,COMPLETED,10,20,30,777,128,30,book1,policy1");
        assertThat(books.query("SELECT device, step_nanos, imbalance, measured FROM device_window"))
                .containsExactly("gpu0,3345,0,1");
        assertThat(books.query("SELECT COUNT(*) FROM line")).containsExactly("1");
        assertThat(books.query("SELECT requests, list_money, metered, payable, house FROM usage_hour"))
                .containsExactly("1,777,9015,3005,340");
        assertThat(books.query("SELECT kind, version, content FROM document ORDER BY version"))
                .containsExactly("PRICE_BOOK,book1,prices: 1", "POLICY,policy1,policy: 1");
    }

    @Test
    void resumesWhereTheDatabaseIs() {
        TestFacts facts = TestFacts.begin().opened("r1", "alice", Map.of()).window("r1");
        TestJournal journal = new TestJournal(facts.facts());
        follow("a", journal);
        int before = facts.facts().size();
        facts.window("r1").closed("r1", Fact.Outcome.COMPLETED, 1, 1);
        journal.append(facts.facts().subList(before, facts.facts().size()));

        follow("a", journal);

        assertThat(books.query("SELECT last_sequence FROM node")).containsExactly("7");
        assertThat(books.query("SELECT COUNT(*) FROM device_window")).containsExactly("2");
    }

    @Test
    void tellsTheJournalWhatIsTakenOnceItIsCommitted() throws SQLException {
        TestFacts facts = TestFacts.begin();
        TestJournal journal = new TestJournal(facts.facts());
        try (Projection projection = project("a", journal, TestFacts.COSTINGS)) {
            TestBooks.await(() -> journal.taken() == 3);

            away(() -> {
                journal.append(List.of(new Fact.Stopped(facts.at())));
                TestBooks.await(() -> projection.status().failure().isPresent());

                assertThat(journal.taken()).isEqualTo(3);
            });
            TestBooks.await(() -> journal.taken() == 4);
        }
    }

    @Test
    void changesNothingWhenASuffixIsReplayed() {
        List<Fact> facts = TestFacts.random(new SplittableRandom(1), "a", 200);
        books.apply("a", facts);
        List<String> before = books.dump();

        books.apply("a", facts);

        assertThat(books.dump()).isEqualTo(before);
    }

    @Test
    void comesToTheSameBooksThroughCrashesAndReplays() {
        for (long seed = 1; seed <= 5; seed++) {
            List<Fact> facts = new ArrayList<>(TestFacts.random(new SplittableRandom(seed), "a", 300));
            facts.add(150, new Fact.PeriodClosed(TestFacts.micros("2026-11-21T01:00:00Z"), "2026-11-20"));
            try (TestBooks straight = new TestBooks(books.kind());
                    TestBooks stormy = new TestBooks(books.kind())) {
                straight.apply("a", facts);
                storm(stormy, facts, new SplittableRandom(seed));

                assertThat(stormy.dump()).as("seed %d", seed).isEqualTo(straight.dump());
            }
        }
    }

    /** Applies facts in batches of any size, from any point that was reached, with transactions and processes lost. */
    private static void storm(TestBooks books, List<Fact> facts, SplittableRandom random) {
        try (Database database = Database.open(books.url(), TestBooks.USER, "")) {
            FactApplier applier = new FactApplier("a", TestFacts.COSTINGS);
            int reached = 0;
            while (reached < facts.size()) {
                int from = random.nextInt(reached + 1);
                int to = Math.min(facts.size(), Math.max(from + 1, reached + random.nextInt(40)));
                List<FactSource.Entry> batch = TestFacts.entries(facts, from, to);
                FactApplier applying = applier;
                if (random.nextInt(3) == 0) {
                    assertThatThrownBy(() -> database.write(connection -> {
                                applying.apply(connection, database, batch);
                                throw new SQLException("lost");
                            }))
                            .hasMessageContaining("lost");
                    applier.forget();
                } else {
                    database.write(connection -> applying.apply(connection, database, batch));
                    reached = Math.max(reached, to);
                }
                if (random.nextInt(4) == 0) {
                    applier = new FactApplier("a", TestFacts.COSTINGS);
                }
            }
        }
    }

    @Test
    void catchesUpAfterTheDatabaseWasAway() throws SQLException {
        TestFacts facts = TestFacts.begin().opened("r1", "alice", Map.of()).window("r1");
        TestJournal journal = new TestJournal(facts.facts());
        try (Projection projection = project("a", journal, TestFacts.COSTINGS)) {
            TestBooks.await(() -> projection.status().behind() == 0);
            AtomicBoolean failed = new AtomicBoolean();

            away(() -> {
                int before = facts.facts().size();
                for (int i = 0; i < 50; i++) {
                    facts.window("r1");
                }
                journal.append(facts.facts().subList(before, facts.facts().size()));
                TestBooks.await(() -> projection.status().failure().isPresent());
                failed.set(projection.status().behind() == 50);
            });
            TestBooks.await(() -> projection.status().behind() == 0);

            assertThat(failed).isTrue();
            assertThat(projection.status().failure()).isEmpty();
        }
        assertThat(books.query("SELECT COUNT(*) FROM device_window")).containsExactly("51");
    }

    /** Does something while the database cannot be written to: stopped, or locked by another process. */
    private void away(Runnable meanwhile) throws SQLException {
        if (books.kind() == Database.Kind.POSTGRESQL) {
            PostgresServer server = PostgresServer.shared().orElseThrow();
            server.stop();
            try {
                meanwhile.run();
            } finally {
                server.start();
            }
            return;
        }
        try (Connection other = books.raw();
                var statement = other.createStatement()) {
            statement.execute("BEGIN EXCLUSIVE");
            meanwhile.run();
            statement.execute("ROLLBACK");
        }
    }

    @Test
    void reportsHowFarItIsBehind() throws SQLException {
        TestFacts facts = TestFacts.begin();
        TestJournal journal = new TestJournal(facts.facts());
        try (Projection projection = project("a", journal, TestFacts.COSTINGS)) {
            TestBooks.await(() -> projection.status().behind() == 0);
            assertThat(projection.status().behindMicros()).isZero();

            away(() -> {
                journal.append(List.of(new Fact.Stopped(facts.at())));

                assertThat(projection.status().behind()).isEqualTo(1);
                assertThat(projection.status().behindMicros()).isEqualTo(7 * TestFacts.SECOND);
                assertThat(projection.status().applied()).isEqualTo(3);
            });
            TestBooks.await(() -> projection.status().behind() == 0);
        }
    }

    @Test
    void countsWhatAccountsTookOnceThoughTransactionsBreakOff() throws SQLException {
        TestFacts facts = TestFacts.begin().opened("r1", "alice", Map.of()).window("r1");
        TestJournal journal = new TestJournal(facts.facts());
        List<DeviceTaking> takings;
        try (Projection projection = project("a", journal, TestFacts.COSTINGS)) {
            TestBooks.await(() -> projection.status().behind() == 0);
            away(() -> {
                int before = facts.facts().size();
                facts.window("r1").window("r1");
                journal.append(facts.facts().subList(before, facts.facts().size()));
                TestBooks.await(() -> projection.status().failure().isPresent());
            });
            TestBooks.await(() -> projection.status().behind() == 0);
            takings = projection.takings();
        }

        assertThat(takings).hasSize(5);
        for (DeviceTaking taking : takings) {
            assertThat(books.query(
                            ("SELECT COALESCE(SUM(amount), 0) FROM posting WHERE account = '%s' AND unit = 'NANOS' "
                                            + "UNION ALL "
                                            + "SELECT COALESCE(SUM(amount), 0) FROM posting WHERE account = '%s' AND unit = 'MONEY'")
                                    .formatted(taking.account(), taking.account())))
                    .as(taking.account().name())
                    .containsExactly(Long.toString(taking.nanos()), Long.toString(taking.money()));
        }
    }

    @Test
    void doesNotCountAgainWhatTheLedgerHad() {
        TestJournal journal = new TestJournal(TestFacts.begin().window().facts());
        follow("a", journal);
        try (Projection projection = project("a", journal, TestFacts.COSTINGS)) {
            TestBooks.await(() -> projection.status().behind() == 0);

            assertThat(projection.takings()).isEmpty();
        }
    }

    @Test
    void stopsAtPostingsThatDoNotBalance() {
        TestJournal journal = new TestJournal(TestFacts.begin().window().facts());
        WindowCosting wrong = (window, payers) ->
                List.of(new Posting(Posting.Account.IDLE, "", "", Posting.Kind.STATE, Posting.Unit.NANOS, 1));

        try (Projection projection = project("a", journal, (priceBook, policy) -> wrong)) {
            TestBooks.await(() -> projection.status().stopped());

            assertThat(projection.status().failure().orElseThrow())
                    .contains("fact 4 of node a do not balance: 1 NANOS are left over");
        }
        assertThat(books.query("SELECT * FROM posting")).isEmpty();
        assertThat(books.query("SELECT * FROM device_window")).isEmpty();
    }

    @Test
    void goesOnPastNumbersThatACrashLeftOut() {
        List<Fact> facts = TestFacts.begin().window().window().facts();
        try (Database database = Database.open(books.url(), TestBooks.USER, "")) {
            FactApplier applier = new FactApplier("a", TestFacts.COSTINGS);
            database.write(c -> applier.apply(c, database, TestFacts.entries(facts, 0, 4)));
            FactSource.Entry last = TestFacts.entries(facts, 4, 5).getFirst();
            database.write(c -> applier.apply(c, database, List.of(new FactSource.Entry(9, last.fact()))));
        }
        assertThat(books.query("SELECT sequence FROM device_window ORDER BY sequence"))
                .hasSize(2);
    }

    @Test
    void costsWindowsByTheDocumentsOfTheirTime() {
        TestFacts facts = TestFacts.begin()
                .window()
                .add(new Fact.Adopted(TestFacts.START, Fact.DocumentKind.PRICE_BOOK, "book2", "prices: 2"))
                .window();
        List<String> seen = new ArrayList<>();

        try (Projection projection = project("a", new TestJournal(facts.facts()), (priceBook, policy) -> {
            seen.add(priceBook + " " + policy);
            return TestFacts.COSTING;
        })) {
            TestBooks.await(() -> projection.status().behind() == 0);
        }

        assertThat(seen).containsExactly("prices: 1 policy: 1", "prices: 2 policy: 1");
        assertThat(books.query("SELECT DISTINCT sequence, price_book FROM posting ORDER BY sequence"))
                .containsExactly("4,book1", "6,book2");
    }

    @Test
    void keepsTwoNodesInOneDatabaseApart() {
        List<Fact> one = TestFacts.random(new SplittableRandom(11), "a", 400);
        List<Fact> two = TestFacts.random(new SplittableRandom(12), "b", 400);
        try (TestBooks inTurn = new TestBooks(books.kind());
                Projection a = project("a", new TestJournal(one), TestFacts.COSTINGS);
                Projection b = project("b", new TestJournal(two), TestFacts.COSTINGS)) {
            inTurn.apply("a", one).apply("b", two);
            TestBooks.await(() -> a.status().behind() == 0 && b.status().behind() == 0);

            assertThat(withoutDocuments(books)).isEqualTo(withoutDocuments(inTurn));
        }
    }

    @Test
    void twoProjectionsOfOneNodeTakeTurns() {
        List<Fact> facts = TestFacts.random(new SplittableRandom(13), "a", 3_000);
        try (TestBooks straight = new TestBooks(books.kind());
                Projection one = project("a", new TestJournal(facts), TestFacts.COSTINGS);
                Projection two = project("a", new TestJournal(facts), TestFacts.COSTINGS)) {
            straight.apply("a", facts);
            TestBooks.await(() -> one.status().behind() == 0 && two.status().behind() == 0);

            assertThat(books.dump()).isEqualTo(straight.dump());
        }
    }

    /** Which node adopted a document first is chance. */
    private static List<String> withoutDocuments(TestBooks books) {
        return books.dump().stream().filter(row -> !row.startsWith("document")).toList();
    }

    @Test
    void writesSeeWhatWasDecidedWhileTheyWaitedWhateverTheDatabasesDefault() throws SQLException {
        if (books.kind() == Database.Kind.POSTGRESQL) {
            books.execute("""
                    DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation TO serializable',
                                               current_database()); END $$
                    """);
            try (Database database = Database.open(books.url(), TestBooks.USER, "")) {
                assertThat(database.<Integer>write(Connection::getTransactionIsolation))
                        .isEqualTo(Connection.TRANSACTION_READ_COMMITTED);
            }
        }
    }

    @Test
    void refusesToChangeAPosting() {
        books.apply("a", TestFacts.begin().window().facts());

        assertThatThrownBy(() -> books.execute("UPDATE posting SET amount = 0")).hasMessageContaining("append-only");
        assertThatThrownBy(() -> books.execute("DELETE FROM posting")).hasMessageContaining("append-only");
    }

    @Test
    void bringsTheSchemaUpToDateOnce() {
        assertThat(Ledger.pending(books.url(), TestBooks.USER, "")).isEmpty();
        assertThat(Ledger.migrate(books.url(), TestBooks.USER, "")).isEmpty();
    }

    @Test
    void holdsTextThatDatabasesRefuse() {
        String odd = "a\0b\ud800c";
        books.apply(
                "a",
                TestFacts.begin()
                        .opened(odd, "alice", Map.of(odd, odd))
                        .window(odd)
                        .closed(odd, Fact.Outcome.COMPLETED, 1, 1)
                        .facts());

        assertThat(books.query("SELECT closings FROM request")).containsExactly("1");
        assertThat(books.query("SELECT metered FROM usage_hour")).containsExactly("9015");
    }

    private Projection project(String node, FactSource journal, Costings costings) {
        return books.ledger().project(node, journal, costings, () -> TestFacts.START + 7 * TestFacts.SECOND);
    }

    private void follow(String node, FactSource journal) {
        try (Projection projection = project(node, journal, TestFacts.COSTINGS)) {
            TestBooks.await(() -> projection.status().behind() == 0);
        }
    }
}
