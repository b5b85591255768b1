package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.sim.SimClock;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Prices that change while requests are open. */
class PriceChangeTest {

    private static final long START = 1_795_000_000_000_000L;
    private static final String DEVICES = """
            currency: EUR
            devices:
              - {name: "*", per-hour: 3.6}
            """;
    private static final String CHEAP = DEVICES + "tariffs: [{model: '*', input: 1000, output: 2000}]\n";
    private static final String DEAR = DEVICES + "tariffs: [{model: '*', input: 10000, output: 20000}]\n";

    @TempDir
    private Path folder;

    private final SimClock clock = new SimClock(1_000);

    private Bookkeeper open(String prices) {
        return Bookkeeper.open(
                new BookSettings(
                        folder,
                        "node",
                        "",
                        "",
                        "",
                        PriceBook.parse("prices", prices),
                        "",
                        AbortedPolicy.GRANTED,
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
    }

    private static RequestBooks.Used used() {
        return new RequestBooks.Used(Fact.Outcome.COMPLETED, new Tokens(10, 0, 5), 10, 1, 2, 3, 0, 0, 0, 0, 0);
    }

    private RequestRow row(String id) {
        try (Ledger ledger = Ledger.open("jdbc:sqlite:" + folder.resolve("ledger.db"), "", "")) {
            assertThat(ledger.verify()).isEmpty();
            return ledger.reports().request(Scope.OPERATOR, id).orElseThrow();
        }
    }

    @Test
    void aRequestIsPricedByTheBookItWasOpenedUnder() throws InterruptedException {
        PriceBook dear = PriceBook.parse("dear", DEAR);
        try (Bookkeeper books = open(CHEAP)) {
            RequestBooks before = request(books, "before");
            assertThat(books.adopt(dear)).isTrue();
            RequestBooks after = request(books, "after");
            assertThat(before.bill(used()).list()).isEqualTo(20_000_000);
            assertThat(after.bill(used()).list()).isEqualTo(200_000_000);
            before.closeDurably(used());
            after.closeDurably(used());
        }
        assertThat(row("before").list()).isEqualTo(20_000_000);
        assertThat(row("after").list()).isEqualTo(200_000_000);
    }

    @Test
    void aRequestThatACrashCutOffIsPricedByTheBookThatWasAdoptedBeforeIt() throws InterruptedException {
        PriceBook dear = PriceBook.parse("dear", DEAR);
        try (Bookkeeper books = open(CHEAP)) {
            books.adopt(dear);
        }
        try (Journal journal = Journal.open(folder.resolve("journal"), JournalConfig.of("node"))) {
            Fact.Opened opened = new Fact.Opened(
                    START,
                    "cut-off",
                    new Payer("a", "", ""),
                    "m",
                    Map.of(),
                    dear.version(),
                    "",
                    1,
                    Zones.UNKNOWN,
                    Work.GENERATION);
            journal.awaitDurable(journal.admit(opened, new Fact.Granted(START, "cut-off", Grant.ALL, 16, 0), 1_000));
        }
        open(CHEAP).close();
        assertThat(row("cut-off").outcome()).contains(Fact.Outcome.ABORTED);
        assertThat(row("cut-off").list()).isEqualTo(16 * 20_000_000);
    }

    @Test
    void aReservationHoldsForDeviceTimeFromTheChangeOn() throws InterruptedException {
        PriceBook cheap = PriceBook.parse("cheap", CHEAP);
        PriceBook reserved =
                cheap.withReservations(List.of(new Reservation("a", "cpu", Rate.of("0.5"), Period.ALWAYS)));
        try (Bookkeeper books = open(CHEAP)) {
            books.meter("cpu").engine().onState(dev.jeton.scheduler.DeviceState.IDLE, clock.getAsLong());
            clock.advance(1_000_000_000);
            books.adopt(reserved);
            clock.advance(1_000_000_000);
        }
        try (Ledger ledger = Ledger.open("jdbc:sqlite:" + folder.resolve("ledger.db"), "", "")) {
            assertThat(ledger.verify()).isEmpty();
            Total total = ledger.reports()
                    .totals(Scope.OPERATOR, 0, Long.MAX_VALUE, Filter.ALL, new Grouping.By(Grouping.Dimension.TENANT))
                    .getFirst();
            assertThat(total.metered()).as("half of the second that came after").isEqualTo(500_000);
        }
    }

    private static Stream<String> whatCannotChange() {
        return Stream.of(
                CHEAP.replace("EUR", "USD"),
                CHEAP.replace("3.6", "3.7"),
                CHEAP + "electricity: 0.3\n",
                "currency: EUR\n");
    }

    @ParameterizedTest
    @MethodSource("whatCannotChange")
    void whatDevicesCostStays(String other) {
        try (Bookkeeper books = open(CHEAP)) {
            PriceBook next = PriceBook.parse("next", other);
            assertThatThrownBy(() -> books.adopt(next))
                    .isInstanceOf(AccountingException.class)
                    .hasMessageContaining("restart");
            assertThat(books.prices().version()).isEqualTo(PriceBook.version(CHEAP));
        }
    }

    private static Stream<String> documents() {
        return Stream.of(
                CHEAP,
                CHEAP + "# the end\n",
                "reservations:\n  - {tenant: x, device: y, share: 1}\n" + CHEAP,
                "reservations: [\n  {tenant: x, device: y, share: 1}\n  ]\n" + CHEAP,
                "reservations:\n- {tenant: x, device: y, share: 1}\n# a comment\n\n" + CHEAP,
                CHEAP + "\"reservations\":   # nobody yet\n");
    }

    @ParameterizedTest
    @MethodSource("documents")
    void reservationsAreWrittenAndEveryOtherLineStays(String document) {
        PriceBook book = PriceBook.parse("book", document);
        List<Reservation> two = List.of(
                new Reservation("a \"b\" \\c", "gpu*", Rate.of("0.25"), Period.ALWAYS),
                new Reservation(
                        "b", "cpu", Rate.of("1"), new Period(Period.begin("2026-11-01"), Period.begin("2026-12"))));
        PriceBook written = book.withReservations(two);
        assertThat(written.reservations()).isEqualTo(two);
        assertThat(written.tariffs()).isEqualTo(book.tariffs());
        assertThat(written.content()).contains(CHEAP);
        assertThat(written.withReservations(List.of()).reservations()).isEmpty();
    }

    @Test
    void reservationsBeyondTheDeviceOrWithoutAPlaceAreRefused() {
        PriceBook book = PriceBook.parse("book", CHEAP);
        Reservation most = new Reservation("a", "cpu", Rate.of("0.75"), Period.ALWAYS);
        assertThatThrownBy(() -> book.withReservations(
                        List.of(most, new Reservation("b", "cpu", Rate.of("0.5"), Period.ALWAYS))))
                .hasMessageContaining("sum to 1.25");
        PriceBook flow = PriceBook.parse("flow", "{currency: EUR, reservations: [{tenant: a, device: b, share: 1}]}");
        assertThatThrownBy(() -> flow.withReservations(List.of(most))).hasMessageContaining("section of its own");
    }
}
