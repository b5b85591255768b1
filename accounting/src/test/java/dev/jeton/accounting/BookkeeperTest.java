package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.sim.SimClock;
import dev.jeton.scheduler.DeviceState;
import dev.jeton.scheduler.GenerationRequest;
import dev.jeton.scheduler.StepListener;
import dev.jeton.scheduler.StepRecord;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** One run of a process after another on the same books. */
class BookkeeperTest {

    private static final long START = 1_795_000_000_000_000L;
    private static final String PRICES = """
            currency: EUR
            devices:
              - {name: "*", per-hour: 3.6}
            tariffs:
              - {model: "*", input: 1000, cached-input: 100, output: 2000}
            egress:
              - {per-gb: 9}
              - {from: here, to: far, per-gb: 0.25}
            """;

    @TempDir
    private Path folder;

    private final SimClock clock = new SimClock(1_000);

    private Bookkeeper open(AbortedPolicy aborted) {
        return open(aborted, PRICES);
    }

    private Bookkeeper open(AbortedPolicy aborted, String prices) {
        return Bookkeeper.open(
                new BookSettings(
                        folder,
                        "node",
                        "",
                        "",
                        "",
                        PriceBook.parse("prices", prices),
                        "here",
                        aborted,
                        64L << 20,
                        TaskBounds.USUAL,
                        "test",
                        List.of()),
                BookPace.PROMPT,
                device -> EnergyCounter.NONE,
                clock,
                () -> START + clock.getAsLong() / 1_000);
    }

    private static RequestBooks request(Bookkeeper books, String id) throws InterruptedException {
        return books.open(new Opening(
                id,
                new Payer("a", "", ""),
                "far",
                "m",
                Work.GENERATION,
                Tags.labels(Map.of("team", "x")),
                "cpu",
                1,
                10,
                1,
                100,
                List.of(),
                () -> {}));
    }

    private static RequestBooks.Used used(Fact.Outcome outcome, Tokens tokens) {
        return new RequestBooks.Used(outcome, tokens, 10, 1, 2, 3, 0, 0, 0, 0, 0);
    }

    /** Runs a step of one row for a request, of a millisecond. */
    private void step(Bookkeeper books, RequestBooks request) {
        StepListener engine = books.meter("cpu").engine();
        long start = clock.getAsLong();
        engine.onState(DeviceState.STEP, start);
        clock.advance(1_000_000);
        StepRecord record = new StepRecord();
        record.startNanos = start;
        record.endNanos = clock.getAsLong();
        record.add(
                new GenerationRequest(
                        "g",
                        new int[] {1},
                        1,
                        1,
                        SamplingParameters.GREEDY,
                        new int[0],
                        false,
                        0,
                        Long.MAX_VALUE,
                        0,
                        request.allowance()),
                0,
                StepRecord.DECODE,
                1,
                1);
        record.nanos[0] = 1_000_000;
        engine.onStep(record);
        engine.onState(DeviceState.IDLE, clock.getAsLong());
    }

    private RequestRow row(String id) {
        try (Ledger ledger = Ledger.open("jdbc:sqlite:" + folder.resolve("ledger.db"), "", "")) {
            assertThat(ledger.verify()).isEmpty();
            return ledger.reports().request(Scope.OPERATOR, id).orElseThrow();
        }
    }

    @Test
    void aRequestIsInTheLedgerWithItsListPriceAndItsShareOfTheDevice() throws InterruptedException {
        try (Bookkeeper books = open(AbortedPolicy.NOTHING)) {
            RequestBooks request = request(books, "r");
            step(books, request);
            request.closeDurably(used(Fact.Outcome.COMPLETED, new Tokens(10, 0, 5)));
        }
        RequestRow row = row("r");
        assertThat(row.outcome()).contains(Fact.Outcome.COMPLETED);
        assertThat(row.list()).isEqualTo(20_000_000);
        assertThat(row.payable()).isEqualTo(1_000_000);
        assertThat(row.metered()).isEqualTo(1_000);
        assertThat(row.labels()).isEqualTo(Map.of("team", "x"));
    }

    @Test
    void bytesArePricedByTheZonesBesideTheListPriceOfTokens() throws InterruptedException {
        RequestBooks.Used used =
                new RequestBooks.Used(Fact.Outcome.COMPLETED, new Tokens(10, 0, 5), 1_234_567, 1, 2, 3, 0, 0, 0, 0, 0);
        try (Bookkeeper books = open(AbortedPolicy.NOTHING)) {
            RequestBooks request = request(books, "r");
            assertThat(request.bill(used).list()).isEqualTo(20_000_000);
            request.closeDurably(used);
        }
        RequestRow row = row("r");
        assertThat(row.zones()).isEqualTo(new Zones("here", "far"));
        assertThat(row.egressBytes()).isEqualTo(1_234_567);
        // A quarter nano-unit each, rounded once.
        assertThat(row.egress()).isEqualTo(308_642);
        assertThat(row.list()).isEqualTo(20_000_000);
    }

    @Test
    void theBillOfARequestSaysWhatTheLedgerWillSay() throws InterruptedException {
        Bill bill;
        try (Bookkeeper books = open(AbortedPolicy.NOTHING)) {
            RequestBooks request = request(books, "r");
            step(books, request);
            RequestBooks.Used used = new RequestBooks.Used(
                    Fact.Outcome.COMPLETED, new Tokens(3, 7, 5), 10, 1, 2, 3, 1_000_000, 0, 0, 0, 0);
            bill = request.bill(used);
            request.closeDurably(used);
        }
        assertThat(bill.list()).isEqualTo(row("r").list());
        assertThat(bill.metered()).isEqualTo(row("r").metered());
        assertThat(bill.currency()).isEqualTo("EUR");
    }

    @Test
    void aTenantPaysForWhatItReservedAndLeftUnused() throws InterruptedException {
        String prices = PRICES + "reservations: [{tenant: a, device: cpu, share: 0.5}]\n";
        try (Bookkeeper books = open(AbortedPolicy.NOTHING, prices)) {
            RequestBooks request = request(books, "r");
            step(books, request);
            request.closeDurably(used(Fact.Outcome.COMPLETED, new Tokens(10, 0, 5)));
            clock.advance(999_000_000);
        }
        assertThat(row("r").metered()).as("what the request itself used").isEqualTo(1_000);
        try (Ledger ledger = Ledger.open("jdbc:sqlite:" + folder.resolve("ledger.db"), "", "")) {
            Reports reports = ledger.reports();
            Total total = reports.totals(
                            Scope.OPERATOR, 0, Long.MAX_VALUE, Filter.ALL, new Grouping.By(Grouping.Dimension.TENANT))
                    .getFirst();
            assertThat(total.group()).isEqualTo("a");
            assertThat(total.metered()).as("half a second of its device").isEqualTo(500_000);
            assertThat(reports.waste(Scope.OPERATOR, 0, Long.MAX_VALUE, Filter.ALL)
                            .idle()
                            .money())
                    .isEqualTo(500_000);
        }
    }

    @Test
    void closingTwiceBooksOnce() throws InterruptedException {
        try (Bookkeeper books = open(AbortedPolicy.NOTHING)) {
            RequestBooks request = request(books, "r");
            request.closeDurably(used(Fact.Outcome.COMPLETED, new Tokens(1, 0, 1)));
            request.close(used(Fact.Outcome.FAILED, Tokens.NONE));
            request.close();
        }
        assertThat(row("r").outcome()).contains(Fact.Outcome.COMPLETED);
    }

    @Test
    void aRequestNamesThePolicyUnderWhichItWasOpened() throws Exception {
        try (Bookkeeper books = open(AbortedPolicy.NOTHING)) {
            request(books, "before").closeDurably(used(Fact.Outcome.COMPLETED, Tokens.NONE));
            books.define(List.of(Budget.of("b", "a", BudgetUnit.REQUESTS, BudgetWindow.TOTAL, 10)));
            request(books, "after").closeDurably(used(Fact.Outcome.COMPLETED, Tokens.NONE));
        }
        assertThat(row("before").policy()).isNotEqualTo(row("after").policy());
        assertThat(row("after").policy()).hasSize(16);
    }

    @ParameterizedTest
    @CsvSource({"NOTHING, 0", "CONFIRMED, 9", "GRANTED, 48"})
    void whatACrashCutOffIsBilledAsThePolicySays(AbortedPolicy policy, long billed) throws Exception {
        try (Journal journal = Journal.open(folder.resolve("journal"), JournalConfig.of("node"))) {
            Fact.Opened opened = new Fact.Opened(
                    START,
                    "r",
                    new Payer("a", "", ""),
                    "m",
                    Map.of(),
                    "",
                    "",
                    1,
                    new Zones("here", "far"),
                    Work.GENERATION);
            journal.admit(opened, new Fact.Granted(START, "r", Grant.ALL, 16, 0), 1_000);
            journal.awaitDurable(journal.append(new Fact.Granted(START, "r", Grant.ALL, 48, 9)));
        }
        open(policy).close();
        RequestRow row = row("r");
        assertThat(row.outcome()).contains(Fact.Outcome.ABORTED);
        assertThat(row.tokens().output()).isEqualTo(billed);
        assertThat(row.list()).isEqualTo(billed * 2_000_000);
        assertThat(row.confirmed()).isEqualTo(9);
        assertThat(row.granted()).isEqualTo(48);
        assertThat(row.zones()).isEqualTo(new Zones("here", "far"));
        assertThat(row.egress()).isZero();
    }

    @Test
    void whatACrashCutOffIsPricedByTheBookThatWasInForce() throws Exception {
        open(AbortedPolicy.GRANTED).close();
        try (Journal journal = Journal.open(folder.resolve("journal"), JournalConfig.of("node"))) {
            String version = PriceBook.parse("prices", PRICES).version();
            Fact.Opened opened = new Fact.Opened(
                    START, "r", new Payer("a", "", ""), "m", Map.of(), version, "", 1, Zones.UNKNOWN, Work.GENERATION);
            journal.awaitDurable(journal.admit(opened, new Fact.Granted(START, "r", Grant.ALL, 16, 0), 1_000));
        }
        open(AbortedPolicy.GRANTED, PRICES.replace("2000", "7000")).close();
        assertThat(row("r").list()).isEqualTo(16 * 2_000_000);
    }

    @Test
    void aRequestThatIsOpenWhenTheBooksAreClosedIsEndedAtTheNextStart() throws Exception {
        try (Bookkeeper books = open(AbortedPolicy.NOTHING)) {
            request(books, "r");
        }
        open(AbortedPolicy.NOTHING).close();
        assertThat(row("r").outcome()).contains(Fact.Outcome.ABORTED);
    }

    private Bookkeeper open(String ledger, long journalBytes, EnergyCounter counter) {
        return Bookkeeper.open(
                new BookSettings(
                        folder,
                        "node",
                        ledger,
                        "",
                        "",
                        PriceBook.parse("prices", PRICES),
                        "",
                        AbortedPolicy.NOTHING,
                        journalBytes,
                        TaskBounds.USUAL,
                        "test",
                        List.of()),
                BookPace.PROMPT,
                device -> counter,
                clock,
                () -> START + clock.getAsLong() / 1_000);
    }

    @Test
    void devicesAreBookedThoughTheirCounterFailsOnce() throws InterruptedException {
        AtomicInteger readings = new AtomicInteger();
        EnergyCounter counter = () -> {
            if (readings.incrementAndGet() == 2) { // the first one is of the beginning
                throw new IllegalStateException("as the test wants it");
            }
            return OptionalLong.empty();
        };
        try (Bookkeeper books = open("", 64L << 20, counter)) {
            RequestBooks request = request(books, "r");
            step(books, request);
            request.close(used(Fact.Outcome.COMPLETED, Tokens.NONE));
            TestBooks.await(() -> !books.takings().isEmpty());
        }
    }

    @Test
    void theBooksCloseThoughTheJournalIsFull() {
        Bookkeeper books = open("jdbc:sqlite:" + folder.resolve("missing/ledger.db"), 64 << 10, EnergyCounter.NONE);
        for (int size = 8_000; size > 0; size /= 2) {
            fill(books, size);
        }

        books.close();

        try (Journal journal = Journal.open(folder.resolve("journal"), JournalConfig.of("node"))) {
            assertThat(journal.durable()).isPositive();
        }
    }

    private static void fill(Bookkeeper books, int size) {
        Fact fact = new Fact.Adopted(1, Fact.DocumentKind.COEFFICIENTS, "v", "x".repeat(size));
        try {
            while (true) {
                books.append(fact);
            }
        } catch (AccountingException e) {
            assertThat(e).hasMessageContaining("full");
        }
    }

    @Test
    void aPriceBookOnTheShelfThatWasChangedIsNoneAnyMore() throws Exception {
        PriceBookShelf shelf = new PriceBookShelf(folder);
        PriceBook book = PriceBook.parse("prices", PRICES);
        shelf.keep(book);
        assertThat(shelf.find(book.version())).map(PriceBook::version).contains(book.version());
        Files.writeString(folder.resolve("prices").resolve(book.version() + ".yaml"), PRICES.replace("2000", "7000"));
        assertThat(shelf.find(book.version())).isEmpty();
    }

    @Test
    void runsFollowOneAnotherOnTheSameBooks() throws InterruptedException {
        for (String id : List.of("one", "two", "three")) {
            try (Bookkeeper books = open(AbortedPolicy.NOTHING)) {
                RequestBooks request = request(books, id);
                step(books, request);
                request.closeDurably(used(Fact.Outcome.COMPLETED, new Tokens(1, 0, 1)));
            }
            clock.advance(5_000_000_000L);
        }
        for (String id : List.of("one", "two", "three")) {
            assertThat(row(id).outcome()).isEqualTo(Optional.of(Fact.Outcome.COMPLETED));
        }
    }

    @Test
    void tasksThatWereOpenWhenTheProcessDiedAreKnownAgain() throws Exception {
        Payer payer = new Payer("a", "", "");
        TaskSpec spec = new TaskSpec("n", "", 0, List.of(new TaskLimit(BudgetUnit.REQUESTS, 3)));
        TaskStep step = TestFacts.step("s", TaskStep.Kind.TOOL, 100);
        open(AbortedPolicy.NOTHING).close();
        try (Journal journal = Journal.open(folder.resolve("journal"), JournalConfig.of("node"))) {
            journal.append(new Fact.TaskOpened(START, payer, "t", spec, false));
            journal.append(new Fact.TaskStepped(START, payer, "t", step, TaskStep.State.RESERVED, 0, ""));
            journal.append(new Fact.TaskOpened(START, payer, "done", TaskSpec.NONE, false));
            journal.awaitDurable(journal.append(new Fact.TaskEnded(START, "a", "done", TaskOutcome.SUCCESS, "")));
        }
        try (Bookkeeper books = open(AbortedPolicy.NOTHING)) {
            assertThat(books.tasks().open(payer, "t", spec).fresh()).isFalse();
            assertThat(books.recordStep(payer, "t", book -> step, Tasks.Wish.POST)
                            .step()
                            .overdraft())
                    .isZero();
            assertThatThrownBy(() -> books.tasks().use(payer, "done")).isInstanceOf(TaskException.class);
        }
        try (Ledger ledger = Ledger.open("jdbc:sqlite:" + folder.resolve("ledger.db"), "", "")) {
            assertThat(ledger.verify()).isEmpty();
        }
    }

    @Test
    void aStepThatIsReportedAgainAfterPricesChangedIsTheSameStep() throws InterruptedException {
        Payer payer = new Payer("a", "", "");
        String steps = PRICES + "steps: [{kind: other, unit: page, price: 2}]\n";
        Function<PriceBook, TaskStep> reported = book -> new TaskStep(
                "s",
                TaskStep.Kind.OTHER,
                book.step(TaskStep.Kind.OTHER, Rate.of("3"), "page"),
                Rate.of("3"),
                "page",
                0,
                TaskStep.Hit.UNKNOWN,
                "");
        try (Bookkeeper books = open(AbortedPolicy.NOTHING, steps)) {
            books.tasks().open(payer, "t", TaskSpec.NONE);
            books.recordStep(payer, "t", reported, Tasks.Wish.POST);
            assertThat(books.adopt(PriceBook.parse("prices", steps.replace("price: 2", "price: 5"))))
                    .isTrue();

            Tasks.Stepped again = books.recordStep(payer, "t", reported, Tasks.Wish.POST);

            assertThat(again.fresh()).isFalse();
            assertThat(again.step().step().list()).isEqualTo(6_000_000_000L);
        }
    }

    @Test
    void aTaskThatNobodyUsesEndsByTheBooksTime() {
        try (Bookkeeper books = open(AbortedPolicy.NOTHING)) {
            books.tasks().open(new Payer("a", "", ""), "t", TaskSpec.NONE);
            clock.advance(Duration.ofHours(25).toNanos());
            TestBooks.await(() -> books.tasks().stats().expired() == 1);
        }
    }

    @Test
    void theLedgerHasAtOnceWhatIsWaitedFor() throws InterruptedException {
        try (Bookkeeper books = open(AbortedPolicy.NOTHING)) {
            TestBooks.await(() -> books.ledger().isPresent());
            books.awaitDurable(books.tasks()
                    .open(new Payer("a", "", ""), "t", TaskSpec.NONE)
                    .sequence());

            assertThat(books.awaitProjected(Duration.ofMinutes(1))).isTrue();
            assertThat(books.ledger().orElseThrow().reports().task(new Scope.Tenant("a"), "t", 1))
                    .isPresent();
        }
    }
}
