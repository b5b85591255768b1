package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.accounting.Posting.Account;
import dev.jeton.accounting.Posting.Kind;
import dev.jeton.accounting.Posting.Unit;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class CostingTest {

    private static final long SECOND = 1_000_000_000L;

    /** 3.6 units an hour: one nano-unit of money a microsecond. */
    private static final String EVEN = "currency: EUR\ndevices: [{name: gpu-0, per-hour: 3.6%s}]\n";

    /** A device of that price; more of its entry, and what follows it in the book. */
    static Costing costing(String more, String after) {
        return new Costing(PriceBook.parse("prices.yaml", EVEN.formatted(more) + after));
    }

    static long sum(List<Posting> postings, Unit unit, Account account) {
        return postings.stream()
                .filter(posting -> posting.unit() == unit && posting.account() == account)
                .mapToLong(Posting::amount)
                .sum();
    }

    private static long sum(List<Posting> postings, Unit unit, Account account, String party, Kind kind) {
        return postings.stream()
                .filter(posting -> posting.unit() == unit
                        && posting.account() == account
                        && posting.party().equals(party)
                        && posting.kind() == kind)
                .mapToLong(Posting::amount)
                .sum();
    }

    @Test
    void shouldSendEachNanosecondToWhomItBelongs() {
        Line line = new Line("r1", 10, 20, 30, 40, 50, 999, 0, 0);
        List<Posting> postings = costing("", "")
                .postings(
                        Windows.of("gpu-0", 0, 0, List.of(150L, 1L, 2L, 100L, 3L, 4L, 5L), List.of(line)),
                        request -> "acme");
        assertThat(postings.stream().filter(posting -> posting.unit() == Unit.NANOS))
                .containsExactly(
                        new Posting(Account.DEVICE, "gpu-0", "", Kind.WHOLE, Unit.NANOS, -265),
                        new Posting(Account.TENANT, "acme", "r1", Kind.PREFILL, Unit.NANOS, 10),
                        new Posting(Account.TENANT, "acme", "r1", Kind.DECODE, Unit.NANOS, 20),
                        new Posting(Account.TENANT, "acme", "r1", Kind.CANCELLED, Unit.NANOS, 50),
                        new Posting(Account.HOUSE, "", "r1", Kind.RECOMPUTE, Unit.NANOS, 30),
                        new Posting(Account.HOUSE, "", "r1", Kind.OVERRUN, Unit.NANOS, 40),
                        new Posting(Account.IDLE, "gpu-0", "", Kind.STATE, Unit.NANOS, 100),
                        new Posting(Account.OVERHEAD, "gpu-0", "", Kind.STATE, Unit.NANOS, 1),
                        new Posting(Account.OVERHEAD, "gpu-0", "", Kind.STATE, Unit.NANOS, 2),
                        new Posting(Account.OVERHEAD, "gpu-0", "", Kind.STATE, Unit.NANOS, 3),
                        new Posting(Account.OVERHEAD, "gpu-0", "", Kind.STATE, Unit.NANOS, 4),
                        new Posting(Account.OVERHEAD, "gpu-0", "", Kind.STATE, Unit.NANOS, 5));
    }

    @Test
    void shouldDivideTheCostOfTheWindowByTime() {
        Fact.Window window = Windows.of(
                "gpu-0",
                Windows.START,
                0,
                Windows.states(SECOND, 0, 0, SECOND),
                List.of(Windows.line("a", SECOND / 4, 0), Windows.line("b", 0, 3 * SECOND / 4)));
        Costing costing = costing("", "");
        List<Posting> postings = costing.postings(window, request -> request);
        assertThat(costing.cost(window)).isEqualTo(2_000_000);
        assertThat(sum(postings, Unit.MONEY, Account.DEVICE)).isEqualTo(-2_000_000);
        assertThat(sum(postings, Unit.MONEY, Account.TENANT, "a", Kind.PREFILL)).isEqualTo(250_000);
        assertThat(sum(postings, Unit.MONEY, Account.TENANT, "b", Kind.DECODE)).isEqualTo(750_000);
        assertThat(sum(postings, Unit.MONEY, Account.IDLE)).isEqualTo(1_000_000);
    }

    @Test
    void shouldConserveEveryUnitWhateverHappens() {
        for (int seed = 0; seed < 4_000; seed++) {
            Random random = new Random(seed);
            Costing costing = new Costing(Windows.book(random));
            Fact.Window window = Windows.random(random, "gpu-0", Windows.START);
            List<Posting> postings = costing.postings(window, Windows::tenant);
            String what = "seed %d: %s under %s"
                    .formatted(seed, window, costing.book().content());
            for (Unit unit : Unit.values()) {
                assertThat(Costing.balance(postings, unit)).as(what).isZero();
            }
            assertThat(sum(postings, Unit.NANOS, Account.DEVICE))
                    .as(what)
                    .isEqualTo(window.fromNanos() - window.toNanos());
            assertThat(sum(postings, Unit.MICROJOULES, Account.DEVICE)).as(what).isEqualTo(-window.joules());
            assertThat(sum(postings, Unit.MONEY, Account.DEVICE)).as(what).isEqualTo(-costing.cost(window));
            assertThat(postings)
                    .as(what)
                    .allMatch(posting -> (posting.account() == Account.DEVICE) == (posting.amount() < 0));
        }
    }

    @Test
    void shouldChargeEachPartItsExactShareOfTheTimeToTheNanoUnit() {
        for (int seed = 0; seed < 1_000; seed++) {
            Random random = new Random(seed);
            Costing costing = costing("", "");
            Fact.Window window = Windows.random(random, "gpu-0", Windows.START);
            List<Posting> postings = costing.postings(window, Windows::tenant);
            double cost = costing.cost(window);
            double span = window.toNanos() - window.fromNanos();
            List<Posting> times = postings.stream()
                    .filter(posting -> posting.unit() == Unit.NANOS && posting.account() != Account.DEVICE)
                    .toList();
            for (Posting time : times) {
                double exact = cost * (time.amount() / span);
                long same = times.stream()
                        .filter(other -> key(other).equals(key(time)))
                        .count();
                if (same == 1) {
                    long money = postings.stream()
                            .filter(posting ->
                                    posting.unit() == Unit.MONEY && key(posting).equals(key(time)))
                            .mapToLong(Posting::amount)
                            .sum();
                    assertThat(Math.abs(money - exact)).as("seed " + seed).isLessThan(1 + exact * 1e-12);
                }
            }
        }
    }

    private static String key(Posting posting) {
        return "%s %s %s %s".formatted(posting.account(), posting.party(), posting.request(), posting.kind());
    }

    @Test
    void shouldCostTheSameHoweverThePeriodIsCut() {
        for (int seed = 0; seed < 300; seed++) {
            Random random = new Random(seed);
            DevicePrice price = Windows.book(random).device("gpu-0");
            long from = Windows.START + random.nextLong() % 1_000_000_000_000L;
            long to = from + 1 + (random.nextLong() >>> 20);
            long whole = price.cost(from, to);
            long sum = 0;
            long at = from;
            while (at < to) {
                long next = Math.min(to, at + 1 + (random.nextLong() >>> 20 + random.nextInt(10)));
                sum += price.cost(at, next);
                at = next;
            }
            assertThat(sum)
                    .as("seed %d: %s from %d to %d", seed, price, from, to)
                    .isEqualTo(whole);
        }
    }

    @Test
    void shouldCostExactlyItsPriceOverTheLifeOfAnOwnedDevice() {
        DevicePrice price = PriceBook.parse("p", """
                currency: EUR
                devices: [{name: d, purchase: 32000.000000001, lifetime-days: 1461, purchased: 2026-01-01}]
                """).device("d");
        long begin = ((DevicePrice.Owned) price.capital()).purchased();
        long life = ((DevicePrice.Owned) price.capital()).lifetimeMicros();
        assertThat(price.cost(begin - 5_000, begin + life + 5_000)).isEqualTo(32_000_000_000_001L);
        assertThat(price.cost(0, begin)).isZero();
        assertThat(price.cost(begin + life, begin + 2 * life)).isZero();
    }

    @Test
    void shouldCarveResidencyOutOfTheCostAndDivideItByMemoryHeld() {
        Costing costing = costing(", residency-share: 0.2", "");
        Fact.Window window = Windows.of(
                "gpu-0",
                0,
                0,
                Windows.states(SECOND, 0, 0, 0),
                List.of(new Line("a", SECOND, 0, 0, 0, 0, 0, 10, 0), new Line("b", 0, 0, 0, 0, 0, 0, 30, 0)));
        List<Posting> postings = costing.postings(window, request -> request);
        assertThat(sum(postings, Unit.MONEY, Account.TENANT, "a", Kind.PREFILL)).isEqualTo(800_000);
        assertThat(sum(postings, Unit.MONEY, Account.TENANT, "a", Kind.RESIDENCY))
                .isEqualTo(50_000);
        assertThat(sum(postings, Unit.MONEY, Account.TENANT, "b", Kind.RESIDENCY))
                .isEqualTo(150_000);
        assertThat(sum(postings, Unit.MONEY, Account.DEVICE)).isEqualTo(-1_000_000);
    }

    @Test
    void shouldCarveNothingOutWhereNobodyHoldsMemory() {
        Fact.Window window = Windows.of("gpu-0", 0, 0, Windows.states(0, 0, 0, SECOND), List.of());
        List<Posting> postings = costing(", residency-share: 0.2", "").postings(window, request -> request);
        assertThat(sum(postings, Unit.MONEY, Account.IDLE)).isEqualTo(1_000_000);
    }

    @Test
    void shouldChargeAnUnusedReservationToWhoeverReserved() {
        Costing costing = costing("", "reservations: [{tenant: acme, device: gpu-0, share: 0.5}]\n");
        Fact.Window window = Windows.of(
                "gpu-0",
                0,
                0,
                Windows.states(400, 0, 0, 600),
                List.of(Windows.line("a", 100, 0), Windows.line("b", 300, 0)));
        List<Posting> postings = costing.postings(window, request -> request.equals("a") ? "acme" : "other");
        assertThat(sum(postings, Unit.NANOS, Account.TENANT, "acme", Kind.RESERVED))
                .isEqualTo(400);
        assertThat(sum(postings, Unit.NANOS, Account.IDLE)).isEqualTo(200);
    }

    @Test
    void shouldNotChargeReservedTimeInWhichOthersWorked() {
        Costing costing = costing("", """
                reservations:
                  - {tenant: acme, device: gpu-0, share: 0.6}
                  - {tenant: blue, device: gpu-0, share: 0.3}
                """);
        Fact.Window window =
                Windows.of("gpu-0", 0, 0, Windows.states(700, 0, 0, 300), List.of(Windows.line("b", 700, 0)));
        List<Posting> postings = costing.postings(window, request -> "other");
        assertThat(sum(postings, Unit.NANOS, Account.TENANT, "acme", Kind.RESERVED))
                .isEqualTo(200);
        assertThat(sum(postings, Unit.NANOS, Account.TENANT, "blue", Kind.RESERVED))
                .isEqualTo(100);
        assertThat(sum(postings, Unit.NANOS, Account.IDLE)).isZero();
    }

    @Test
    void shouldChargeTheHouseForALineWithoutARequest() {
        Fact.Window window = Windows.of("gpu-0", 0, 0, Windows.states(50, 0, 0, 0), List.of(Windows.line("", 20, 30)));
        List<Posting> postings = costing("", "").postings(window, request -> {
            throw new AssertionError("nobody to ask for");
        });
        assertThat(sum(postings, Unit.NANOS, Account.HOUSE)).isEqualTo(50);
    }

    @Test
    void shouldGiveASingleNanoUnitToTheLargestPart() {
        Fact.Window window = new Fact.Window(
                "gpu-0",
                0,
                1,
                0,
                1_000,
                Windows.states(1_000, 0, 0, 0),
                0,
                true,
                List.of(Windows.line("a", 400, 0), Windows.line("b", 600, 0)));
        List<Posting> money = costing("", "").postings(window, request -> request).stream()
                .filter(posting -> posting.unit() == Unit.MONEY)
                .toList();
        assertThat(money)
                .containsExactly(
                        new Posting(Account.DEVICE, "gpu-0", "", Kind.WHOLE, Unit.MONEY, -1),
                        new Posting(Account.TENANT, "b", "b", Kind.PREFILL, Unit.MONEY, 1));
    }

    @Test
    void shouldBookTheCostOfAWindowWithoutTimeAsRounding() {
        Fact.Window window =
                new Fact.Window("gpu-0", 0, 5, 9, 9, List.of(), 3, false, List.of(Windows.line("a", 0, 0)));
        List<Posting> postings = costing("", "").postings(window, request -> request);
        assertThat(sum(postings, Unit.MONEY, Account.ROUNDING)).isEqualTo(5);
        assertThat(sum(postings, Unit.MICROJOULES, Account.ROUNDING)).isEqualTo(3);
    }

    @Test
    void shouldDivideHugeAmounts() {
        long huge = Long.MAX_VALUE - 7;
        Costing costing = new Costing(PriceBook.parse("p", """
                currency: EUR
                residency-share: 0.999999
                devices: [{name: gpu-0, per-hour: 3000, idle-watts: 1, busy-watts: 100000000}]
                reservations: [{tenant: t, device: gpu-0, share: 1}]
                """));
        Line line = new Line("a", huge / 2, 1, 0, 0, 0, 0, Long.MAX_VALUE, 0);
        Fact.Window window = new Fact.Window(
                "gpu-0",
                0,
                huge / 1_000,
                0,
                huge,
                Windows.states(huge / 2 + 1, 0, 0, huge - huge / 2 - 1),
                Long.MAX_VALUE,
                true,
                List.of(line));
        List<Posting> postings = costing.postings(window, request -> request);
        assertThat(sum(postings, Unit.MONEY, Account.DEVICE)).isEqualTo(-costing.cost(window));
        assertThat(costing.cost(window)).isGreaterThan(7_000_000_000_000_000_000L);
    }

    @Test
    void shouldSeeASpanThatWasDroppedDoubledOrOverlapped() {
        Fact.Window sound =
                Windows.of("gpu-0", 0, 0, Windows.states(500, 30, 20, 450), List.of(Windows.line("a", 500, 0)));
        assertThat(Costing.imbalance(sound)).isZero();
        for (int change : new int[] {-30, 30, 7}) {
            List<Long> states = new ArrayList<>(sound.states());
            states.set(1, states.get(1) + change);
            Fact.Window broken = new Fact.Window("gpu-0", 0, 1_000, 0, 1_000, states, 0, true, sound.lines());
            assertThat(Costing.imbalance(broken)).isEqualTo(-change);
            List<Posting> postings = costing("", "").postings(broken, request -> request);
            assertThat(sum(postings, Unit.NANOS, Account.ROUNDING)).isEqualTo(-change);
            assertThat(sum(postings, Unit.MONEY, Account.DEVICE)).isEqualTo(-1_000);
        }
    }

    @Test
    void shouldRefuseAWindowWhoseLinesAreNotItsSteps() {
        Costing costing = costing("", "");
        Fact.Window window =
                Windows.of("gpu-0", 0, 0, Windows.states(500, 0, 0, 0), List.of(Windows.line("a", 499, 0)));
        assertThatThrownBy(() -> costing.postings(window, request -> request))
                .isInstanceOf(AccountingException.class)
                .hasMessageContaining("its lines sum to 499 ns, its steps to 500 ns");
    }

    @Test
    void shouldRefuseAWindowWithNegativeAmountsOrTooMuchEnergyInItsLines() {
        Costing costing = costing("", "");
        Line negative = new Line("a", 5, -5, 0, 0, 0, 0, 0, 0);
        Line energetic = new Line("a", 0, 0, 0, 0, 0, 0, 0, 11);
        assertThatThrownBy(() -> costing.postings(
                        Windows.of("gpu-0", 0, 0, Windows.states(0, 0, 0, 0), List.of(negative)), request -> request))
                .hasMessageContaining("negative amount");
        assertThatThrownBy(() -> costing.postings(
                        Windows.of("gpu-0", 0, 10, Windows.states(0, 0, 0, 0), List.of(energetic)), request -> request))
                .hasMessageContaining("11 microjoules, it has 10");
        assertThatThrownBy(() -> costing.postings(
                        new Fact.Window("gpu-0", 5, 4, 0, 0, List.of(), 0, true, List.of()), request -> request))
                .hasMessageContaining("ends before it begins");
    }

    @Test
    void shouldChargeNothingForADeviceThatTheBookDoesNotName() {
        Fact.Window window = Windows.of("cpu", 0, 9, Windows.states(0, 0, 0, SECOND), List.of());
        List<Posting> postings = costing("", "").postings(window, request -> request);
        assertThat(postings).noneMatch(posting -> posting.unit() == Unit.MONEY);
        assertThat(sum(postings, Unit.NANOS, Account.IDLE)).isEqualTo(SECOND);
    }

    @Test
    void shouldChargeNobodyForTimeThatWasBookedTwiceOnlyForTheClocks() {
        List<Long> states = Windows.states(0, 600, 0, 900);
        Fact.Window doubled = new Fact.Window("gpu-0", 0, 1_500, 0, 1_000, states, 0, true, List.of());
        List<Posting> postings = costing("", "").postings(doubled, request -> request);
        assertThat(sum(postings, Unit.MONEY, Account.OVERHEAD)).isEqualTo(600);
        assertThat(sum(postings, Unit.MONEY, Account.IDLE)).isEqualTo(900);
        assertThat(sum(postings, Unit.MONEY, Account.ROUNDING)).isZero();
    }
}
