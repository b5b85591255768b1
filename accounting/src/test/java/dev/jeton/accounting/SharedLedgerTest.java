package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** Several nodes, each with a journal of its own, on one ledger. */
@ParameterizedClass
@EnumSource(Database.Kind.class)
class SharedLedgerTest {

    private static final long START = TestFacts.micros("2026-11-20T10:00:00Z");
    private static final long DAY_AFTER = TestFacts.micros("2026-11-21T05:30:00Z");
    private static final String DAY = "2026-11-20";
    private static final long WAIT = TimeUnit.SECONDS.toNanos(60);
    private static final PriceBook PRICES = PriceBook.parse("prices", """
            currency: EUR
            devices:
              - {name: "*", per-hour: 3.6}
            tariffs:
              - {model: "*", input: 1000, output: 2000}
            """);

    @TempDir
    private Path folder;

    private final TestBooks books;
    private final List<TestBooks> others = new ArrayList<>();

    SharedLedgerTest(Database.Kind kind) {
        books = new TestBooks(kind);
    }

    @AfterEach
    void close() {
        books.close();
        others.forEach(TestBooks::close);
    }

    private TestBooks another() {
        TestBooks made = new TestBooks(books.kind());
        others.add(made);
        return made;
    }

    private static final String USAGE = "SELECT * FROM usage_hour ORDER BY hour, digest";
    private static final String PERIODS = "SELECT * FROM period ORDER BY period";

    /** Facts of a node: some, and some that come after a day was closed. */
    private static List<Fact> facts(String node) {
        return TestFacts.random(new SplittableRandom(node.hashCode()), node, 300);
    }

    private static Fact.PeriodClosed closed(TestBooks where) {
        return new Fact.PeriodClosed(DAY_AFTER, DAY, where.ledger().taken());
    }

    @Test
    void aCloseOfOneNodeHoldsForWhatComesLaterOfAnother() {
        List<Fact> a = new ArrayList<>(facts("a"));
        List<Fact> b = facts("b");
        books.apply("a", a).apply("b", b.subList(0, 200));
        a.add(closed(books));
        books.apply("a", a);
        List<String> frozen = books.query(PERIODS);

        books.apply("b", b);

        assertThat(books.query(PERIODS)).isEqualTo(frozen);
        assertThat(books.query("SELECT COUNT(*) FROM device_window WHERE node = 'b' AND corrects = '" + DAY + "'"))
                .doesNotContain("0");
        assertThat(books.ledger().verify()).isEmpty();
    }

    @Test
    void aLostLedgerHasTheSamePeriodsThoughTheNodeThatClosedComesFirst() {
        List<Fact> a = new ArrayList<>(facts("a"));
        List<Fact> b = facts("b");
        books.apply("a", a.subList(0, 250)).apply("b", b.subList(0, 200));
        a.add(250, closed(books));
        books.apply("a", a).apply("b", b);

        TestBooks again = another().apply("a", a);
        assertThat(again.ledger().verify()).isEmpty();
        again.apply("b", b);

        assertThat(again.query(PERIODS)).isEqualTo(books.query(PERIODS));
        assertThat(again.query(USAGE)).isEqualTo(books.query(USAGE));
        assertThat(again.ledger().verify()).isEmpty();
    }

    @Test
    void otherPricesOfAClosedPeriodStayACorrectionThoughTheOtherNodeComesLater() {
        List<Fact> a = new ArrayList<>(facts("a"));
        List<Fact> b = facts("b");
        Costings costings = RecostingTest.COSTINGS;
        books.apply("a", a, costings).apply("b", b.subList(0, 200), costings);
        a.add(new Fact.Recosted(DAY_AFTER - 2, DAY, "book of factor 3", "factor: 3"));
        books.apply("a", a, costings);
        a.add(closed(books));
        a.add(new Fact.Recosted(DAY_AFTER + 1, DAY, "book of factor 2", RecostingTest.DEARER));
        books.apply("a", a, costings).apply("b", b, costings);

        TestBooks again = another().apply("a", a, costings).apply("b", b, costings);

        assertThat(again.query("SELECT period, metered FROM period"))
                .isEqualTo(books.query("SELECT period, metered FROM period"));
        String sums = "SELECT tenant, corrects, SUM(metered) FROM usage_hour GROUP BY tenant, corrects"
                + " ORDER BY tenant, corrects";
        assertThat(again.query(sums)).isEqualTo(books.query(sums));
        assertThat(again.ledger().verify()).isEmpty();
    }

    @Test
    void whatALedgerHadOfADayIsNoCorrectionThoughItsMonthIsClosedLater() {
        List<Fact> a = new ArrayList<>(facts("a"));
        List<Fact> b = facts("b");
        books.apply("a", a).apply("b", b.subList(0, 200));
        a.add(closed(books));
        books.apply("a", a).apply("b", b);
        a.add(new Fact.PeriodClosed(
                TestFacts.micros("2026-12-01T09:00:00Z"),
                "2026-11",
                books.ledger().taken()));
        books.apply("a", a);

        TestBooks again = another().apply("a", a).apply("b", b);

        assertThat(again.query("SELECT period, requests, list_money, metered FROM period ORDER BY period"))
                .hasSize(2)
                .isEqualTo(books.query("SELECT period, requests, list_money, metered FROM period ORDER BY period"));
        assertThat(again.ledger().verify()).isEmpty();
    }

    private Bookkeeper keeper(String node, TestBooks ledger) {
        return Bookkeeper.open(
                new BookSettings(
                        folder.resolve(node),
                        node,
                        ledger.url(),
                        TestBooks.USER,
                        "",
                        PRICES,
                        "",
                        AbortedPolicy.NOTHING,
                        64L << 20,
                        TaskBounds.USUAL,
                        "test",
                        List.of()),
                BookPace.PROMPT,
                device -> EnergyCounter.NONE,
                () -> 1_000,
                () -> START);
    }

    private void serve(String node, TestBooks ledger, String request) throws InterruptedException {
        try (Bookkeeper keeper = keeper(node, ledger)) {
            keeper.meter("cpu");
            RequestBooks open = keeper.open(new Opening(
                    request,
                    new Payer("t", "", ""),
                    "",
                    "m",
                    Work.GENERATION,
                    Tags.labels(Map.of()),
                    "cpu",
                    1,
                    10,
                    1,
                    100,
                    List.of(),
                    () -> {}));
            open.closeDurably(
                    new RequestBooks.Used(Fact.Outcome.COMPLETED, new Tokens(10, 0, 5), 10, 1, 2, 3, 0, 0, 0, 0, 0));
        }
    }

    private PeriodCommands.Result close(String node, TestBooks ledger) {
        return new PeriodCommands(ledger.ledger(), folder.resolve(node), () -> DAY_AFTER).close(DAY, WAIT);
    }

    /** With the real journals of two nodes: the close is in one of them. */
    @Test
    void aCloseInOneJournalHoldsForTheOtherAlsoWhenTheLedgerIsLost() throws Exception {
        serve("a", books, "a-early");
        serve("b", books, "b-early");
        assertThat(close("a", books)).isEqualTo(PeriodCommands.Result.DONE);
        List<String> frozen = books.query(PERIODS);
        serve("b", books, "b-late");
        serve("a", books, "a-late");
        String corrects = "SELECT id, corrects FROM request ORDER BY id";
        assertThat(books.query(corrects)).containsExactly("a-early,", "a-late," + DAY, "b-early,", "b-late," + DAY);

        TestBooks again = another();
        serve("a", again, "a-last");
        serve("b", again, "b-last");

        assertThat(again.query(corrects))
                .containsExactly(
                        "a-early,", "a-last," + DAY, "a-late," + DAY, "b-early,", "b-last," + DAY, "b-late," + DAY);
        assertThat(again.query(PERIODS)).isEqualTo(frozen);
        assertThat(again.ledger().verify()).isEmpty();
    }

    @Test
    void theProcessOfOneNodeClosesForAll() throws Exception {
        serve("a", books, "a-early");
        serve("b", books, "b-early");
        String yesterday = "2026-11-19";
        try (Bookkeeper a = keeper("a", books);
                Bookkeeper _ = keeper("b", books)) {
            PeriodCommands commands = new PeriodCommands(books.ledger(), a.folder(), () -> DAY_AFTER);
            assertThat(commands.close(yesterday, WAIT)).isEqualTo(PeriodCommands.Result.DONE);
            assertThat(books.ledger().isClosed(yesterday)).isTrue();
        }
        assertThat(books.query("SELECT node FROM period_taken")).containsExactly("b");
        try (Journal journal = Journal.openUnlessUsed(PeriodCommands.journal(folder.resolve("a")))
                .orElseThrow()) {
            assertThat(closes(journal))
                    .singleElement()
                    .satisfies(close -> assertThat(close.taken().get("b")).isPositive());
        }
    }

    private static List<Fact.PeriodClosed> closes(Journal journal) {
        List<Fact.PeriodClosed> closes = new ArrayList<>();
        try (JournalReader reader = journal.reader(1)) {
            for (var entry = reader.poll(); entry.isPresent(); entry = reader.poll()) {
                if (entry.get().fact() instanceof Fact.PeriodClosed closed) {
                    closes.add(closed);
                }
            }
        }
        return closes;
    }
}
