package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.sim.SimClock;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Periods of books in a folder, with a process on them and without. */
class PeriodCommandsTest {

    private static final long START = TestFacts.micros("2026-11-20T10:00:00Z");
    private static final long DAY_AFTER = TestFacts.micros("2026-11-21T05:30:00Z");
    private static final String TODAY = "2026-11-20";
    private static final String YESTERDAY = "2026-11-19";
    private static final long WAIT = TimeUnit.SECONDS.toNanos(60);
    private static final PriceBook PRICES = PriceBook.parse("prices", """
            currency: EUR
            devices:
              - {name: "*", per-hour: 3.6}
            tariffs:
              - {model: "*", input: 1000, output: 2000}
            """);

    private static final PriceBook DEARER =
            PriceBook.parse("dearer", PRICES.content().replace("3.6", "7.2"));

    @TempDir
    private Path folder;

    private final SimClock clock = new SimClock(1_000);

    private Bookkeeper keeper() {
        return Bookkeeper.open(
                new BookSettings(
                        folder,
                        "node",
                        "",
                        "",
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
                clock,
                () -> START + clock.getAsLong() / 1_000);
    }

    /** One that has made its ledger, so that others can open it. */
    private Bookkeeper keeperWithLedger() {
        Bookkeeper books = keeper();
        TestBooks.await(() -> books.ledger().isPresent());
        return books;
    }

    private void serve(String request) throws InterruptedException {
        try (Bookkeeper books = keeper()) {
            books.meter("cpu");
            clock.advance(1_000_000_000L);
            RequestBooks open = books.open(new Opening(
                    request,
                    new Payer("a", "", ""),
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

    private String url() {
        return "jdbc:sqlite:" + folder.resolve("ledger.db");
    }

    private PeriodCommands.Result close(String period, long wait) {
        try (Ledger ledger = Ledger.open(url(), "", "")) {
            return new PeriodCommands(ledger, folder, () -> DAY_AFTER).close(period, wait);
        }
    }

    private void loseTheLedger() throws IOException {
        for (String name : List.of("ledger.db", "ledger.db-wal", "ledger.db-shm")) {
            Files.deleteIfExists(folder.resolve(name));
        }
    }

    private List<String> query(String sql) {
        try (Connection connection = DriverManager.getConnection(url());
                ResultSet rows = connection.createStatement().executeQuery(sql)) {
            List<String> result = new ArrayList<>();
            while (rows.next()) {
                List<String> columns = new ArrayList<>();
                for (int i = 1; i <= rows.getMetaData().getColumnCount(); i++) {
                    columns.add(rows.getString(i));
                }
                result.add(String.join(",", columns));
            }
            return result;
        } catch (SQLException e) {
            throw new AssertionError(sql, e);
        }
    }

    private List<String> verify() {
        try (Ledger ledger = Ledger.open(url(), "", "")) {
            return ledger.verify();
        }
    }

    @Test
    void aClosedPeriodSurvivesTheLossOfTheLedger() throws Exception {
        serve("early");
        assertThat(close(TODAY, WAIT)).isEqualTo(PeriodCommands.Result.DONE);
        List<String> closed = query("SELECT * FROM period");
        assertThat(closed).hasSize(1);
        assertThat(closed.getFirst()).startsWith(TODAY + "," + DAY_AFTER + ",1,20000000,");
        serve("late");
        List<String> usage = query("SELECT * FROM usage_hour ORDER BY hour, digest");
        loseTheLedger();

        serve("later");

        assertThat(query("SELECT * FROM period")).isEqualTo(closed);
        assertThat(query("SELECT id, corrects FROM request ORDER BY sequence"))
                .containsExactly("early,", "late," + TODAY, "later," + TODAY);
        assertThat(query("SELECT * FROM usage_hour WHERE corrects = '' ORDER BY hour, digest"))
                .isEqualTo(usage.stream()
                        .filter(row -> !row.contains("," + TODAY + ","))
                        .toList());
        assertThat(verify()).isEmpty();
    }

    @Test
    void theProcessThatHasTheJournalClosesForWhoAsks() throws Exception {
        try (Bookkeeper books = keeperWithLedger()) {
            assertThat(close(YESTERDAY, WAIT)).isEqualTo(PeriodCommands.Result.DONE);
            assertThat(books.folder().resolve("close")).isEmptyDirectory();
        }
        loseTheLedger();
        serve("next");
        assertThat(query("SELECT period FROM period")).containsExactly(YESTERDAY);
    }

    @Test
    void closingInLedgerAndJournalInEitherOrderClosesOnce() throws Exception {
        serve("one");
        try (Ledger ledger = Ledger.open(url(), "", "")) {
            ledger.close(TODAY, DAY_AFTER + 1);
        }
        List<String> closed = query("SELECT * FROM period");
        assertThat(close(TODAY, WAIT)).isEqualTo(PeriodCommands.Result.DONE);
        assertThat(close(TODAY, WAIT)).isEqualTo(PeriodCommands.Result.DONE);
        try (Ledger ledger = Ledger.open(url(), "", "")) {
            ledger.close(TODAY, DAY_AFTER + 2);
        }
        assertThat(query("SELECT * FROM period")).isEqualTo(closed);
        loseTheLedger();
        serve("two");
        assertThat(query("SELECT period, requests FROM period")).containsExactly(TODAY + ",1");
    }

    @Test
    void aRequestThatNobodyAnswersWaitsForTheNextProcess() throws Exception {
        serve("one");
        try (Journal other = Journal.open(PeriodCommands.journal(folder), JournalConfig.of("node"))) {
            assertThat(close(YESTERDAY, 0)).isEqualTo(PeriodCommands.Result.ASKED);
            assertThat(other.durable()).isPositive();
        }
        assertThat(query("SELECT * FROM period")).isEmpty();
        try (Bookkeeper books = keeper()) {
            TestBooks.await(() -> !Files.exists(books.folder().resolve("close").resolve(YESTERDAY)));
        }
        assertThat(query("SELECT period FROM period")).containsExactly(YESTERDAY);
    }

    @Test
    void aRequestForAPeriodThatHasNotEndedWaitsAndOtherFilesStay() throws Exception {
        Path asked = Files.createDirectories(folder.resolve("close"));
        Files.createFile(asked.resolve(TODAY));
        Files.createFile(asked.resolve("notes.txt"));
        Files.createFile(asked.resolve(YESTERDAY));
        try (Bookkeeper books = keeper()) {
            TestBooks.await(() -> !Files.exists(asked.resolve(YESTERDAY)));
            assertThat(books.folder().resolve("close")).isDirectoryContaining("glob:**" + TODAY);
        }
        assertThat(asked.resolve("notes.txt")).exists();
        assertThat(query("SELECT period FROM period")).containsExactly(YESTERDAY);
    }

    @Test
    void closingLeavesTheJournalItsOpenRequests() throws Exception {
        JournalConfig small = new JournalConfig("node", 1024, 1 << 20, 1 << 10, 1 << 20, 1, 1, 0);
        try (Journal journal = Journal.open(PeriodCommands.journal(folder), small)) {
            journal.append(Facts.opened("cut off"));
            for (int i = 0; i < 200; i++) {
                journal.awaitDurable(journal.append(new Fact.Started(START + i, "test", List.of())));
            }
        }
        assertThat(close(TODAY, WAIT)).isEqualTo(PeriodCommands.Result.DONE);
        try (Journal journal = Journal.open(PeriodCommands.journal(folder), small)) {
            assertThat(Recovery.abandoned(journal))
                    .containsExactly(new Recovery.Abandoned(Facts.opened("cut off"), 0, 0));
        }
    }

    private PeriodCommands.Result recost(String period, PriceBook book, long wait) {
        try (Ledger ledger = Ledger.open(url(), "", "")) {
            return new PeriodCommands(ledger, folder, () -> DAY_AFTER).recost(period, book, wait);
        }
    }

    private List<String> metered() {
        return query(
                "SELECT corrects, SUM(metered), SUM(list_money) FROM usage_hour GROUP BY corrects ORDER BY corrects");
    }

    private List<String> devices() {
        return query("SELECT corrects, SUM(device_money) FROM device_hour GROUP BY corrects ORDER BY corrects");
    }

    @Test
    void otherPricesOfAClosedPeriodSurviveTheLossOfTheLedger() throws Exception {
        serve("early");
        close(TODAY, WAIT);
        String cost = devices().getFirst();
        assertThat(recost(TODAY, DEARER, WAIT)).isEqualTo(PeriodCommands.Result.DONE);
        assertThat(devices()).containsExactly(cost, TODAY + cost);
        assertThat(cost).isNotEqualTo(",0");
        List<String> metered = metered();
        List<String> postings = query("SELECT * FROM posting ORDER BY sequence, number");
        loseTheLedger();

        serve("later");

        assertThat(query("SELECT * FROM posting ORDER BY sequence, number"))
                .startsWith(postings.toArray(String[]::new));
        assertThat(metered()).first().isEqualTo(metered.getFirst());
        assertThat(query("SELECT DISTINCT SUM(amount) FROM posting GROUP BY node, sequence, unit"))
                .containsExactly("0");
        assertThat(verify()).isEmpty();
    }

    @Test
    void theProcessThatHasTheJournalCostsAgainForWhoAsks() throws Exception {
        serve("early");
        String cost = devices().getFirst();
        clock.advance(TimeUnit.DAYS.toNanos(1));
        try (Bookkeeper books = keeperWithLedger()) {
            assertThat(recost(TODAY, DEARER, WAIT)).isEqualTo(PeriodCommands.Result.DONE);
            assertThat(books.folder().resolve("recost")).isEmptyDirectory();
        }
        assertThat(query("SELECT period, price_book FROM recost")).containsExactly(TODAY + "," + DEARER.version());
        assertThat(query("SELECT SUM(device_money) FROM device_hour"))
                .containsExactly(String.valueOf(2 * Long.parseLong(cost.substring(1))));
        assertThat(verify()).isEmpty();
    }

    @Test
    void costingAgainByTheSameBookPostsNothing() throws Exception {
        serve("early");
        recost(TODAY, DEARER, WAIT);
        List<String> postings = query("SELECT * FROM posting ORDER BY sequence, number");

        assertThat(recost(TODAY, DEARER, WAIT)).isEqualTo(PeriodCommands.Result.DONE);

        assertThat(query("SELECT * FROM posting ORDER BY sequence, number")).isEqualTo(postings);
    }

    @Test
    void theBookThatAPeriodIsCostedByIsKept() throws Exception {
        serve("early");
        recost(TODAY, DEARER, WAIT);
        try (Ledger ledger = Ledger.open(url(), "", "")) {
            PeriodCommands commands = new PeriodCommands(ledger, folder, () -> DAY_AFTER);
            assertThat(commands.priceBook(DEARER.version()).content()).isEqualTo(DEARER.content());
            assertThat(ledger.priceBook(DEARER.version())).isEqualTo(DEARER.content());
        }
    }

    @Test
    void anUnknownPriceBookIsNamedBesideThoseThatAreKept() throws Exception {
        serve("early");
        try (Ledger ledger = Ledger.open(url(), "", "")) {
            PeriodCommands commands = new PeriodCommands(ledger, folder, () -> DAY_AFTER);
            for (String unknown : List.of("0123456789abcdef", "../../secret", "")) {
                assertThatThrownBy(() -> commands.priceBook(unknown))
                        .isInstanceOf(AccountingException.class)
                        .hasMessageContaining("there is no price book " + unknown)
                        .hasMessageContaining("kept are [" + PRICES.version() + "]");
            }
        }
    }

    @Test
    void aRequestThatNamesABookThatIsNotKeptStaysAndHoldsUpNoOther() throws Exception {
        Path asked = Files.createDirectories(folder.resolve("recost"));
        Files.createFile(asked.resolve(YESTERDAY + "_by_0123456789abcdef"));
        Files.createFile(asked.resolve("notes.txt"));
        try (Bookkeeper books = keeperWithLedger()) {
            assertThat(close(YESTERDAY, WAIT)).isEqualTo(PeriodCommands.Result.DONE);
            assertThat(books.folder().resolve("recost")).isDirectoryContaining("glob:**" + YESTERDAY + "_by_*");
        }
        assertThat(asked.resolve("notes.txt")).exists();
        assertThat(query("SELECT * FROM recost")).isEmpty();
    }

    @Test
    void aBookInAnotherCurrencyIsRefusedBeforeAnythingIsWritten() throws Exception {
        serve("early");
        PriceBook dollars = PriceBook.parse("dollars", PRICES.content().replace("EUR", "USD"));
        assertThatThrownBy(() -> recost(TODAY, dollars, WAIT))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("is in USD, the books of that time are in EUR");
        assertThat(query("SELECT * FROM recost")).isEmpty();
    }

    @Test
    void aPeriodThatHasNotEndedIsNotCostedAgain() throws Exception {
        serve("early");
        assertThatThrownBy(() -> recost("2026-11", DEARER, 0))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("2026-11 has not ended");
    }

    @Test
    void aFolderWithoutAJournalIsRefused() {
        assertThatThrownBy(() -> close(TODAY, 0))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("there is no journal in");
    }

    @Test
    void aPeriodThatHasNotEndedIsRefusedBeforeAnythingIsWritten() {
        assertThatThrownBy(() -> close("2026-11", 0))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("has not ended");
        assertThat(folder.resolve("close")).doesNotExist();
    }
}
