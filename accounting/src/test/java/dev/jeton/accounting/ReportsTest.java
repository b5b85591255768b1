package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;

import dev.jeton.scheduler.DeviceState;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.TreeMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

@ParameterizedClass
@EnumSource(Database.Kind.class)
class ReportsTest {

    private static final long FROM = TestFacts.START;
    private static final long TO = FROM + 1000 * Periods.HOUR;
    private static final Scope ALICE = new Scope.Tenant("alice");

    private final TestBooks books;

    ReportsTest(Database.Kind kind) {
        books = new TestBooks(kind);
    }

    @AfterEach
    void close() {
        books.close();
    }

    /** Alice has two requests in two hours and one that failed, Bob one that was cancelled. */
    private Reports reports() {
        books.apply(
                "a",
                TestFacts.begin()
                        .zones("here", "far")
                        .opened("a1", "alice", Map.of("task", "sum", "o'dd \"name", "1"))
                        .opened("b1", "bob", Map.of("task", "sum"))
                        .window("a1", "b1")
                        .closed("a1", Fact.Outcome.COMPLETED, 100_000, 50)
                        .closed("b1", Fact.Outcome.CANCELLED, 20_000, 70)
                        .opened("a2", "alice", Map.of("task", "plan"))
                        .window("a2")
                        .closed("a2", Fact.Outcome.FAILED, 3_000, 90)
                        .passing(0)
                        .window()
                        .facts());
        return books.ledger().reports();
    }

    @Test
    void streamsHoursWithEveryDimension() {
        List<HourRow> rows = new ArrayList<>();

        reports().hours(ALICE, FROM, TO, Filter.ALL, hour -> rows.add(hour.row()));

        assertThat(rows)
                .extracting(HourRow::hour, HourRow::tenant, HourRow::project, HourRow::key, HourRow::model)
                .containsOnly(tuple(FROM, "alice", "project-alice", "key-alice", "model"));
        assertThat(rows)
                .filteredOn(row -> row.labels().containsValue("sum"))
                .containsExactly(new HourRow(
                        FROM,
                        "alice",
                        "project-alice",
                        "key-alice",
                        "model",
                        Map.of("task", "sum", "o'dd \"name", "1"),
                        "book1",
                        new Zones("here", "far"),
                        Work.UNKNOWN,
                        1,
                        1,
                        0,
                        0,
                        new Tokens(10, 20, 30),
                        400,
                        3_005,
                        340,
                        5,
                        300,
                        40,
                        700,
                        80,
                        90,
                        100_000,
                        14_285,
                        9_015,
                        1_020,
                        "",
                        0,
                        0));
    }

    @Test
    void totalsByTenant() {
        assertThat(totals(Scope.OPERATOR, Filter.ALL, new Grouping.By(Grouping.Dimension.TENANT)))
                .extracting(Total::group, Total::requests, Total::completed, Total::cancelled, Total::failed)
                .containsExactly(tuple("alice", 2L, 1L, 0L, 1L), tuple("bob", 1L, 0L, 1L, 0L));
    }

    @Test
    void totalsSayMargin() {
        assertThat(totals(Scope.OPERATOR, Filter.ALL, new Grouping.By(Grouping.Dimension.MODEL)))
                .extracting(Total::list, Total::metered, Total::margin)
                .containsExactly(tuple(123_000L, 9_015L + 9_018 + 9_015, 123_000L - 27_048));
    }

    @Test
    void totalsSayBytesAndTheirPriceBesideTheListPrice() {
        assertThat(totals(ALICE, Filter.ALL, new Grouping.By(Grouping.Dimension.TENANT)))
                .extracting(Total::list, Total::egressBytes, Total::egress)
                .containsExactly(tuple(103_000L, 800L, 14_285L + 428));
    }

    @Test
    void totalsByLabel() {
        assertThat(totals(Scope.OPERATOR, Filter.ALL, new Grouping.ByLabel("task")))
                .extracting(Total::group, Total::requests)
                .containsExactly(tuple("plan", 1L), tuple("sum", 2L));
    }

    @Test
    void totalsByAnOddLabelPutThoseWithoutItTogether() {
        assertThat(totals(ALICE, Filter.ALL, new Grouping.ByLabel("o'dd \"name")))
                .extracting(Total::group, Total::requests)
                .containsExactly(tuple("", 1L), tuple("1", 1L));
    }

    @Test
    void totalsByHour() {
        assertThat(totals(Scope.OPERATOR, Filter.ALL, new Grouping.By(Grouping.Dimension.HOUR)))
                .extracting(Total::group, Total::requests)
                .containsExactly(tuple("2026-11-20T10:00:00Z", 3L));
    }

    @Test
    void filtersByLabel() {
        Filter plan = new Filter("", "", "", "", Map.of("task", "plan"));

        assertThat(totals(Scope.OPERATOR, plan, new Grouping.By(Grouping.Dimension.TENANT)))
                .extracting(Total::group, Total::requests)
                .containsExactly(tuple("alice", 1L));
    }

    @Test
    void filtersByEveryDimension() {
        Filter bob = new Filter("bob", "project-bob", "key-bob", "model", Map.of());
        Filter nobody = new Filter("bob", "project-alice", "", "", Map.of());
        Grouping grouping = new Grouping.By(Grouping.Dimension.PROJECT);
        Reports reports = reports();

        assertThat(reports.totals(Scope.OPERATOR, FROM, TO, bob, grouping)).hasSize(1);
        assertThat(reports.totals(Scope.OPERATOR, FROM, TO, nobody, grouping)).isEmpty();
    }

    @Test
    void percentileIsTheNearestRank() {
        TestFacts facts = TestFacts.begin();
        SplittableRandom random = new SplittableRandom(5);
        List<Integer> latencies = new ArrayList<>();
        for (int i = 1; i <= 41; i++) {
            latencies.add(random.nextInt(1_000_000));
            facts.opened("r" + i, "alice", Map.of()).closed("r" + i, Fact.Outcome.COMPLETED, 1, latencies.getLast());
        }
        books.apply("a", facts.facts());
        latencies.sort(null);

        List<Total> totals = books.ledger()
                .reports()
                .totals(ALICE, FROM, TO, Filter.ALL, new Grouping.By(Grouping.Dimension.TENANT));

        // The least number that at least 95 percent of 41, so 39 of them, do not exceed.
        assertThat(totals.getFirst().p95Nanos()).isEqualTo((long) latencies.get(38));
    }

    @Test
    void wasteIsSortedByItsCause() {
        Waste waste = reports().waste(Scope.OPERATOR, FROM, TO, Filter.ALL);

        assertThat(waste.recompute()).isEqualTo(new Waste.Part(900, 2_700));
        assertThat(waste.overrun()).isEqualTo(new Waste.Part(120, 360));
        assertThat(waste.cancelled()).isEqualTo(new Waste.Part(15, 45));
        assertThat(waste.failed()).isEqualTo(new Waste.Part(3_000, 9_000));
        assertThat(waste.house()).isEqualTo(Waste.Part.NONE);
        assertThat(waste.overhead()).isEqualTo(new Waste.Part(1_800, 5_400));
        assertThat(waste.idle().nanos()).isEqualTo(3_000_000_000L - 1_800 - 3 * 3_345 - 1);
    }

    @Test
    void aTenantsWasteIsItsOwn() {
        Waste waste = reports().waste(ALICE, FROM, TO, Filter.ALL);

        assertThat(waste.recompute()).isEqualTo(new Waste.Part(600, 1_800));
        assertThat(waste.idle()).isEqualTo(Waste.Part.NONE);
    }

    @Test
    void devicesHaveStatesAndCost() {
        DeviceTotal device = reports().devices(Scope.OPERATOR, FROM, TO).getFirst();

        assertThat(device.states()).containsEntry(DeviceState.STEP, 3 * 3_345L + 1);
        assertThat(device.states().values().stream().mapToLong(Long::longValue).sum())
                .isEqualTo(3_000_000_000L);
        assertThat(device.money()).containsEntry(Posting.Account.DEVICE, -9_000_000_003L);
        assertThat(device.money().values().stream().mapToLong(Long::longValue).sum())
                .isZero();
    }

    @Test
    void listsRequestsLastFirst() {
        assertThat(reports().requests(Scope.OPERATOR, FROM, TO, Filter.ALL, 2))
                .extracting(RequestRow::id, RequestRow::metered)
                .containsExactly(tuple("a2", 9_015L), tuple("a1", 9_015L));
    }

    @Test
    void refusesAListWithoutBound() {
        assertThatThrownBy(() ->
                        books.ledger().reports().requests(Scope.OPERATOR, FROM, TO, Filter.ALL, Integer.MAX_VALUE))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("ask for 1 to 10000");
    }

    @Test
    void pagesAreTogetherTheWholeList() {
        books.apply("a", TestFacts.random(new SplittableRandom(7), "a", 800));
        Reports reports = books.ledger().reports();
        Scope tenant = new Scope.Tenant("tenant1");
        SplittableRandom random = new SplittableRandom(8);
        List<RequestRow> paged = new ArrayList<>();
        Optional<Reports.Cursor> after = Optional.empty();
        List<RequestRow> page;
        do {
            page = reports.requests(tenant, FROM, TO, Filter.ALL, after, random.nextInt(1, 20));
            paged.addAll(page);
            after = page.isEmpty()
                    ? Optional.empty()
                    : Optional.of(new Reports.Cursor(
                            page.getLast().closedAt(), page.getLast().id()));
        } while (!page.isEmpty());

        assertThat(paged)
                .hasSizeGreaterThan(20)
                .isEqualTo(reports.requests(tenant, FROM, TO, Filter.ALL, Reports.MAX_REQUESTS));
    }

    @Test
    void aCursorShowsNobodyAnothersRows() {
        Reports.Cursor beforeAll = new Reports.Cursor(Long.MAX_VALUE, "");

        assertThat(reports().requests(new Scope.Tenant("eve"), FROM, TO, Filter.ALL, Optional.of(beforeAll), 10))
                .isEmpty();
    }

    @Test
    void findsTheNewestRequestOfABeginning() {
        Reports reports = reports();

        assertThat(reports.newest(ALICE, "a").map(RequestRow::id)).contains("a2");
        assertThat(reports.newest(ALICE, "a1").map(RequestRow::id)).contains("a1");
        assertThat(reports.newest(ALICE, "%")).isEmpty();
        assertThat(reports.newest(ALICE, "b")).isEmpty();
        assertThat(reports.newest(Scope.OPERATOR, "b").map(RequestRow::id)).contains("b1");
    }

    @Test
    void givesTheFirstGroupsWhereOnlySomeAreWanted() {
        Grouping byTenant = new Grouping.By(Grouping.Dimension.TENANT);
        Reports reports = reports();

        assertThat(reports.totals(Scope.OPERATOR, FROM, TO, Filter.ALL, byTenant, Optional.empty(), 1))
                .isEqualTo(reports.totals(Scope.OPERATOR, FROM, TO, Filter.ALL, byTenant)
                        .subList(0, 1));
    }

    @Test
    void sizesCountWhatHoursWouldHandOn() {
        books.apply("a", TestFacts.random(new SplittableRandom(9), "a", 500));
        Reports reports = books.ledger().reports();
        for (Scope scope : List.of(Scope.OPERATOR, new Scope.Tenant("tenant1"), new Scope.Tenant("eve"))) {
            Map<Long, Long> rows = new TreeMap<>();
            reports.hours(
                    scope,
                    FROM,
                    TO,
                    Filter.ALL,
                    booked -> rows.merge(booked.row().hour(), 1L, Long::sum));
            reports.deviceHours(
                    scope, FROM, TO, booked -> rows.merge(booked.row().hour(), 0L, Long::sum));

            assertThat(reports.sizes(scope, FROM, TO))
                    .extracting(Reports.HourSize::hour, Reports.HourSize::rows)
                    .containsExactlyElementsOf(rows.entrySet().stream()
                            .map(entry -> tuple(entry.getKey(), entry.getValue()))
                            .toList());
        }
    }

    @Test
    void explainsARequest() {
        RequestRow row = reports().request(ALICE, "a1").orElseThrow();

        assertThat(row.payer()).isEqualTo(new Payer("alice", "project-alice", "key-alice"));
        assertThat(row.outcome()).contains(Fact.Outcome.COMPLETED);
        assertThat(row.payable()).isEqualTo(3_005);
        assertThat(row.houseMoney()).isEqualTo(1_020);
        assertThat(row.zones()).isEqualTo(new Zones("here", "far"));
        assertThat(row.egressBytes()).isEqualTo(400);
        assertThat(row.egress()).isEqualTo(14_285);
        assertThat(row.margin()).isEqualTo(100_000 - 9_015);
    }

    @Test
    void noQuestionShowsATenantAnothersRows() {
        Reports reports = reports();
        Scope eve = new Scope.Tenant("eve");
        Filter alice = new Filter("alice", "", "", "", Map.of());
        List<Object> seen = new ArrayList<>();

        for (Filter filter : List.of(Filter.ALL, alice)) {
            reports.hours(eve, 0, TO, filter, seen::add);
            for (Grouping.Dimension dimension : Grouping.Dimension.values()) {
                seen.addAll(reports.totals(eve, 0, TO, filter, new Grouping.By(dimension)));
            }
            seen.addAll(reports.totals(eve, 0, TO, filter, new Grouping.ByLabel("task")));
            seen.addAll(reports.requests(eve, 0, TO, filter, 100));
            seen.addAll(reports.sizes(eve, 0, TO));
            assertThat(reports.waste(eve, 0, TO, filter)).isEqualTo(new WasteSum().waste());
        }
        seen.addAll(reports.devices(eve, 0, TO));
        reports.deviceHours(eve, 0, TO, seen::add);
        reports.request(eve, "a1").ifPresent(seen::add);
        reports.newest(eve, "a").ifPresent(seen::add);

        assertThat(seen).isEmpty();
    }

    @Test
    void everyQuestionTakesAScope() {
        assertThat(Reports.class.getDeclaredMethods())
                .filteredOn(method -> Modifier.isPublic(method.getModifiers()))
                .isNotEmpty()
                .allSatisfy(method -> assertThat(method.getParameterTypes()[0]).isEqualTo(Scope.class));
    }

    @Test
    void aTenantsNameIsNotPartOfTheQuestion() {
        Scope odd = new Scope.Tenant("' OR '1' = '1");

        assertThat(reports().requests(odd, 0, TO, Filter.ALL, 10)).isEmpty();
    }

    private List<Total> totals(Scope scope, Filter filter, Grouping grouping) {
        return reports().totals(scope, FROM, TO, filter, grouping);
    }
}
