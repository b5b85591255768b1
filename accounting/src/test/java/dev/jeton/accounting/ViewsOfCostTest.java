package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whatever happens on devices and at whatever prices: every way of looking at what they cost has the same sum. */
class ViewsOfCostTest {

    private static final long FROM = TestFacts.micros("2026-11-20T10:00:00Z");
    private static final long TO = TestFacts.micros("2200-01-01T00:00:00Z");

    /** Some requests, and windows of two devices, of which some come after a close. */
    private static List<Fact> facts(Random random, PriceBook book) {
        List<Fact> facts = new ArrayList<>();
        facts.add(new Fact.Started(FROM, "test", List.of()));
        facts.add(new Fact.Adopted(FROM, Fact.DocumentKind.PRICE_BOOK, book.version(), book.content()));
        for (int i = 0; i < 8; i++) {
            String id = "r" + i;
            facts.add(new Fact.Opened(
                    FROM,
                    id,
                    new Payer(Windows.tenant(id), "", ""),
                    "m",
                    Map.of(),
                    book.version(),
                    "",
                    1,
                    Zones.UNKNOWN,
                    Work.GENERATION));
        }
        long at = FROM;
        for (int i = 0; i < 24; i++) {
            Fact.Window window = metered(Windows.random(random, "gpu-" + i % 2, at), book);
            facts.add(window);
            at = Math.max(at + random.nextInt(2_000_000_000), window.at());
            if (i == 12) {
                facts.add(new Fact.PeriodClosed(at, "2026-11"));
                at = FROM;
            }
        }
        return facts;
    }

    /** With the energy of its lines as the meter divides it. */
    private static Fact.Window metered(Fact.Window window, PriceBook book) {
        int count = window.lines().size();
        long[] spans = new long[count + 1];
        boolean[] busy = new boolean[count + 1];
        spans[count] = window.toNanos() - window.fromNanos();
        for (int i = 0; i < count; i++) {
            spans[i] = window.lines().get(i).nanos();
            busy[i] = true;
            spans[count] -= spans[i];
        }
        long[] parts = new EnergyModel(book.device(window.device())).divide(window.joules(), spans, busy);
        List<Line> lines = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            Line line = window.lines().get(i);
            lines.add(new Line(
                    line.request(),
                    line.prefill(),
                    line.decode(),
                    line.recompute(),
                    line.overrun(),
                    line.cancelled(),
                    line.saved(),
                    line.kvByteSeconds(),
                    parts[i]));
        }
        return Windows.of(window.device(), window.from(), window.joules(), window.states(), lines);
    }

    private static long sum(TestBooks books, String sql) {
        return Long.parseLong(books.query(sql).getFirst());
    }

    private static BigDecimal column(List<Map<String, String>> rows, String name) {
        return rows.stream()
                .map(row -> new BigDecimal(row.getOrDefault(name, "0")))
                .reduce(BigDecimal.ZERO, BigDecimal::add);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})
    void everyViewHasTheSameSum(long seed) {
        Random random = Facts.random(seed);
        PriceBook book = Windows.book(random);
        try (TestBooks books = new TestBooks(Database.Kind.SQLITE)) {
            books.apply("a", facts(random, book), (version, policy) -> Costing.inForce(book.content(), policy));
            long cost = -sum(books, "SELECT SUM(device_money) FROM device_hour");
            long nanos = -sum(books, "SELECT SUM(amount) FROM posting WHERE account = 'DEVICE' AND unit = 'NANOS'");
            long joules = sum(books, "SELECT SUM(microjoules) FROM device_hour");
            Reports reports = books.ledger().reports();

            StringBuilder out = new StringBuilder();
            FocusExport export = new FocusExport(
                    FocusExport.Basis.METERED, FocusExport.Reader.OPERATOR, Hours.ISSUER, version -> book, out);
            FocusHours hours = new FocusHours(reports, Scope.OPERATOR, 0, TO);
            while (hours.next(export)) {
                // An hour at a time.
            }
            export.finish();
            List<Map<String, String>> rows = Csv.parse(out.toString()).rows();
            assertThat(column(rows, "BilledCost")).as("export").isEqualByComparingTo(Money.decimal(cost));
            assertThat(column(rows, "x_MeteredCost")).as("memo").isEqualByComparingTo(Money.decimal(cost));
            assertThat(column(rows, "x_DeviceSeconds")).as("time").isEqualByComparingTo(BigDecimal.valueOf(nanos, 9));
            assertThat(column(rows, "x_Joules")).as("energy").isEqualByComparingTo(BigDecimal.valueOf(joules, 6));

            Waste waste = reports.waste(Scope.OPERATOR, 0, TO, Filter.ALL);
            long house = waste.recompute().money()
                    + waste.overrun().money()
                    + waste.house().money();
            long rounding = sum(books, "SELECT SUM(rounding_money) FROM device_hour");
            for (Grouping.Dimension by : List.of(Grouping.Dimension.TENANT, Grouping.Dimension.HOUR)) {
                long metered = reports.totals(Scope.OPERATOR, 0, TO, Filter.ALL, new Grouping.By(by)).stream()
                        .mapToLong(Total::metered)
                        .sum();
                assertThat(metered
                                + house
                                + waste.idle().money()
                                + waste.overhead().money()
                                + rounding)
                        .as("report by %s", by)
                        .isEqualTo(cost);
            }
            Repriced same = reports.reprice(Scope.OPERATOR, 0, TO, book);
            assertThat(same.usage())
                    .as("the same prices")
                    .allSatisfy(usage -> assertThat(usage.metered().booked())
                            .isEqualTo(usage.metered().other()));
        }
    }
}
