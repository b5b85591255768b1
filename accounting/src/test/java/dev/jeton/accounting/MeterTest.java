package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.StepTimeModel;
import dev.jeton.models.sim.SimClock;
import dev.jeton.models.sim.SimEngine;
import dev.jeton.scheduler.DeviceState;
import dev.jeton.scheduler.Generation;
import dev.jeton.scheduler.GenerationRequest;
import dev.jeton.scheduler.Scheduler;
import dev.jeton.scheduler.SchedulerConfig;
import dev.jeton.scheduler.StepListener;
import dev.jeton.scheduler.StepRecord;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MeterTest {

    /** 3 microjoules a nanosecond in steps, 1 otherwise. */
    private static final EnergyModel ENERGY = new EnergyModel(new DevicePrice(
            "*", new DevicePrice.Rented(Rate.ZERO), Rate.of("1000"), Rate.of("3000"), Rate.ONE, false, Rate.ZERO));

    private final SimClock clock = new SimClock(1_000);
    private final List<Fact.Window> windows = new ArrayList<>();
    private OptionalLong count = OptionalLong.empty();
    private final Meter meter =
            new Meter("sim", new BookClock(clock, () -> 1_000_000), ENERGY, () -> count, windows::add);

    @Test
    void saysThatAWindowIsCrowdedLongBeforeItCouldNotBeJournaled() {
        for (int i = 0; i < Fact.MAX_LINES / 4; i++) {
            meter.memo(new RequestMeter("r" + i), 1, 0);
        }
        assertThat(meter.crowded()).isFalse();
        meter.memo(new RequestMeter("one more"), 1, 0);
        assertThat(meter.crowded()).isTrue();
        clock.advance(1_000);
        meter.tick(false);
        assertThat(meter.crowded()).isFalse();
    }

    @Test
    void makesDecodingTheHousesThatNobodyWanted() {
        StepListener engine = meter.engine();
        GenerationRequest mine = request("a", new int[] {1}, 1);
        RequestMeter owner = ((Owned) mine.allowance()).meter();
        engine.onState(DeviceState.STEP, 1_000);
        engine.onStep(step(1_000, 2_000, mine, StepRecord.DECODE, 1_000L));
        meter.discard(owner, 300);
        clock.advance(1_000);
        engine.onState(DeviceState.IDLE, 2_000);
        meter.tick(true);
        assertThat(windows.getFirst().lines()).singleElement().satisfies(line -> {
            assertThat(line.decode()).isEqualTo(700);
            assertThat(line.overrun()).isEqualTo(300);
        });
    }

    @Test
    void leavesWhatIsInAWindowThatHasEndedToWhomItWas() {
        StepListener engine = meter.engine();
        GenerationRequest mine = request("a", new int[] {1}, 1);
        engine.onState(DeviceState.STEP, 1_000);
        engine.onStep(step(1_000, 2_000, mine, StepRecord.DECODE, 1_000L));
        engine.onState(DeviceState.IDLE, 2_000);
        clock.advance(1_000);
        meter.tick(true);
        meter.discard(((Owned) mine.allowance()).meter(), 300);
        clock.advance(1_000);
        meter.tick(true);
        assertThat(windows.getFirst().lines().getFirst().decode()).isEqualTo(1_000);
        assertThat(windows.get(1).lines()).isEmpty();
        assertThat(meter.imbalance()).isZero();
    }

    private record Owned(RequestMeter meter) implements Metered {
        @Override
        public int grant(int tokens) {
            return tokens;
        }

        @Override
        public boolean exhausted() {
            return false;
        }
    }

    private static GenerationRequest request(String id, int[] prompt, int maxTokens) {
        return new GenerationRequest(
                id,
                prompt,
                1,
                maxTokens,
                SamplingParameters.GREEDY,
                new int[0],
                false,
                0,
                Long.MAX_VALUE,
                0,
                new Owned(new RequestMeter(id)));
    }

    /** A block of 1,024 bytes takes 0.1 ms, a tenth of a step. */
    private static final double COPY_NANOS_PER_BYTE = 100;

    private Scheduler scheduler(int blocks, int tickets) {
        SimEngine engine = new SimEngine(
                100,
                256,
                List.of(new LayerGroup(4, blocks, 1024, 0, 200)),
                8,
                32,
                tickets,
                new StepTimeModel.Coefficients(1_000_003, 20_011, 53),
                COPY_NANOS_PER_BYTE,
                clock);
        SchedulerConfig config = new SchedulerConfig(8, 32, 64, 1024, 1_000_000_000L, 0, true, 7);
        return new Scheduler(engine, config, clock, clock.getAsLong(), meter.engine());
    }

    private StepRecord step(long start, long end, Object... rows) {
        StepRecord step = new StepRecord();
        step.startNanos = start;
        step.endNanos = end;
        for (int i = 0; i < rows.length; i += 3) {
            step.add((GenerationRequest) rows[i], 0, (byte) rows[i + 1], 1, 1);
            step.nanos[i / 3] = (long) rows[i + 2];
        }
        return step;
    }

    private static long lines(Fact.Window window) {
        return window.lines().stream().mapToLong(Line::nanos).sum();
    }

    private static long state(Fact.Window window, DeviceState state) {
        return window.states().get(state.ordinal());
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void everyNanosecondOfAStepIsSomebodysInEveryWindow(long seed) {
        Random random = new Random(seed);
        List<Scheduler> schedulers = List.of(scheduler(24, 1), scheduler(64, 2));
        List<Generation> under = new ArrayList<>();
        long start = clock.getAsLong();
        for (int i = 0; i < 400; i++) {
            Scheduler scheduler = schedulers.get(random.nextInt(2));
            switch (random.nextInt(6)) {
                case 0 -> {
                    int[] prompt = random.ints(1 + random.nextInt(40), 1, 90).toArray();
                    under.add(scheduler.submit(request("r" + i, prompt, 1 + random.nextInt(30))));
                }
                case 1 -> under.get(random.nextInt(Math.max(1, under.size()))).cancel();
                case 2 -> clock.advance(random.nextInt(3_000_000));
                case 3 -> meter.tick(random.nextBoolean());
                default -> scheduler.turn();
            }
            if (under.isEmpty()) {
                under.add(scheduler.submit(request("first", new int[] {1, 2}, 3)));
            }
        }
        schedulers.forEach(scheduler -> {
            while (scheduler.turn()) {
                // until nothing is left to do
            }
        });
        meter.tick(true);
        meter.tick(true);
        assertThat(windows).as("seed " + seed).hasSizeGreaterThan(3);
        long at = start;
        for (Fact.Window window : windows) {
            assertThat(window.fromNanos()).as("seed " + seed).isEqualTo(at);
            at = window.toNanos();
            long sum = window.states().stream().mapToLong(Long::longValue).sum();
            assertThat(sum).as("seed " + seed).isEqualTo(window.toNanos() - window.fromNanos());
            assertThat(lines(window)).as("seed " + seed).isEqualTo(state(window, DeviceState.STEP));
        }
        assertThat(at).isEqualTo(clock.getAsLong());
    }

    /** A prompt that the device has evicted comes back, and nothing else is to do meanwhile. */
    @Test
    void timeOfCopiesAloneIsCopyAndNobodys() {
        long start = clock.getAsLong();
        Scheduler scheduler = scheduler(20, 1);
        for (int i = 0; i <= 20; i++) {
            int from = i == 20 ? 0 : i * 2;
            int[] prompt = IntStream.range(from, from + (from == 0 ? 41 : 12)).toArray();
            scheduler.submit(request("r" + i, prompt, 1));
            while (!scheduler.idle() || scheduler.copying()) {
                clock.advance(scheduler.turn() ? 0 : 10_000);
            }
        }
        assertThat(scheduler.stats().host().loadedBlocks()).isEqualTo(10);
        meter.tick(true);
        long copied = 0;
        for (Fact.Window window : windows) {
            long sum = window.states().stream().mapToLong(Long::longValue).sum();
            assertThat(sum).isEqualTo(window.toNanos() - window.fromNanos());
            assertThat(lines(window)).isEqualTo(state(window, DeviceState.STEP));
            copied += state(window, DeviceState.COPY);
        }
        assertThat(copied).isBetween(10 * 102_400L, 11 * 102_400L);
        assertThat(windows.getFirst().fromNanos()).isEqualTo(start);
        assertThat(windows.getLast().toNanos()).isEqualTo(clock.getAsLong());
    }

    @Test
    void twoEnginesAtOnceShareTheTime() {
        StepListener a = meter.engine();
        StepListener b = meter.engine();
        GenerationRequest mine = request("a", new int[] {1}, 1);
        GenerationRequest yours = request("b", new int[] {1}, 1);
        a.onState(DeviceState.STEP, 1_000);
        b.onState(DeviceState.STEP, 1_400);
        clock.advance(1_000);
        a.onStep(step(1_000, 2_000, mine, StepRecord.DECODE, 1_000L));
        a.onState(DeviceState.IDLE, 2_000);
        b.onStep(step(1_400, 2_000, yours, StepRecord.PREFILL, 600L));
        b.onState(DeviceState.IDLE, 2_000);
        meter.tick(true);
        assertThat(windows.getFirst().lines()).extracting(Line::nanos).containsExactlyInAnyOrder(700L, 300L);
    }

    @Test
    void cuttingInTheMiddleOfAStepLeavesEachWindowItsPart() {
        StepListener engine = meter.engine();
        GenerationRequest mine = request("a", new int[] {1}, 1);
        engine.onState(DeviceState.STEP, 1_000);
        clock.advance(400);
        meter.tick(true);
        assertThat(windows).isEmpty();
        clock.advance(600);
        engine.onStep(step(1_000, 2_000, mine, StepRecord.DECODE, 1_000L));
        engine.onState(DeviceState.IDLE, 2_000);
        meter.tick(true);
        assertThat(windows).extracting(MeterTest::lines).containsExactly(400L, 600L);
    }

    @Test
    void failedAndOverrunRowsAreTheHousesAndCancelledOnesTheTenants() {
        StepListener engine = meter.engine();
        GenerationRequest mine = request("a", new int[] {1}, 1);
        engine.onState(DeviceState.STEP, 1_000);
        clock.advance(60);
        engine.onStep(step(
                1_000,
                1_060,
                mine,
                StepRecord.FAILED,
                10L,
                mine,
                StepRecord.OVERRUN,
                20L,
                mine,
                StepRecord.CANCELLED,
                30L));
        engine.onState(DeviceState.IDLE, 1_060);
        meter.tick(true);
        Line line = windows.getFirst().lines().getFirst();
        assertThat(line.house()).isEqualTo(30);
        assertThat(line.payable()).isEqualTo(30);
    }

    @Test
    void aStepThatNeverLandsIsTheHouses() {
        StepListener engine = meter.engine();
        engine.onState(DeviceState.STEP, 1_000);
        clock.advance(500);
        engine.onState(DeviceState.DOWN, 1_500);
        meter.tick(true);
        assertThat(windows.getFirst().lines()).singleElement().satisfies(line -> {
            assertThat(line.request()).isEqualTo(Meter.UNOWNED);
            assertThat(line.house()).isEqualTo(500);
        });
    }

    @Test
    void aQuietWindowIsHandedOnOnlyWhenDue() {
        meter.engine().onState(DeviceState.IDLE, 1_000);
        clock.advance(10);
        meter.tick(false);
        assertThat(windows).isEmpty();
        meter.tick(true);
        assertThat(windows)
                .singleElement()
                .satisfies(window -> assertThat(state(window, DeviceState.IDLE)).isEqualTo(10));
    }

    /** 25 ns of a request's step, 75 ns of another's, 100 ns idle. */
    private Fact.Window windowOfTwoRequests() {
        StepListener engine = meter.engine();
        engine.onState(DeviceState.STEP, 1_000);
        clock.advance(100);
        engine.onStep(step(
                1_000,
                1_100,
                request("a", new int[] {1}, 1),
                StepRecord.DECODE,
                25L,
                request("b", new int[] {1}, 1),
                StepRecord.DECODE,
                75L));
        engine.onState(DeviceState.IDLE, 1_100);
        clock.advance(100);
        meter.tick(true);
        return windows.getLast();
    }

    @Test
    void modelledEnergyIsApportionedByTimeAndPower() {
        Fact.Window window = windowOfTwoRequests();
        assertThat(window.measured()).isFalse();
        assertThat(window.joules()).isEqualTo(400);
        assertThat(window.lines()).extracting(Line::joules).containsExactly(75L, 225L);
    }

    @Test
    void measuredEnergyIsApportionedAlike() {
        count = OptionalLong.of(5_000);
        meter.engine().onState(DeviceState.IDLE, 1_000);
        clock.advance(100);
        meter.tick(true);
        assertThat(windows.getLast().measured())
                .as("nobody read the counter when it began")
                .isFalse();

        count = OptionalLong.of(5_800);
        StepListener engine = meter.engine();
        engine.onState(DeviceState.STEP, 1_100);
        clock.advance(100);
        engine.onStep(step(1_100, 1_200, request("a", new int[] {1}, 1), StepRecord.DECODE, 100L));
        engine.onState(DeviceState.IDLE, 1_200);
        clock.advance(100);
        meter.tick(true);
        Fact.Window window = windows.getLast();
        assertThat(window.measured()).isTrue();
        assertThat(window.joules()).isEqualTo(800);
        assertThat(window.lines()).extracting(Line::joules).containsExactly(600L);
    }

    @Test
    void energyIsModelledWhereTheCounterCannotBeRead() {
        count = OptionalLong.of(5_000);
        meter.tick(true);
        clock.advance(100);
        meter.tick(true);
        count = OptionalLong.empty();
        clock.advance(100);
        meter.tick(true);
        count = OptionalLong.of(9_000);
        clock.advance(100);
        meter.tick(true);
        clock.advance(100);
        meter.tick(true);
        assertThat(windows).extracting(Fact.Window::measured).containsExactly(false, false, false, true);
    }

    @Test
    void memosBelongToTheWindowInWhichTheyBecomeKnown() {
        RequestMeter request = new RequestMeter("a");
        meter.memo(request, 5, 7);
        clock.advance(10);
        meter.tick(false);
        assertThat(windows.getFirst().lines()).singleElement().satisfies(line -> {
            assertThat(line.saved()).isEqualTo(5);
            assertThat(line.kvByteSeconds()).isEqualTo(7);
            assertThat(line.nanos()).isZero();
        });
    }
}
