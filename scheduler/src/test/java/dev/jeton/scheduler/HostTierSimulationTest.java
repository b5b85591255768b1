package dev.jeton.scheduler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.engine.DeviceLostException;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.scheduler.Simulation.Output;
import dev.jeton.scheduler.Simulation.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The scheduler with a host's tier, on an engine that finds what is wrong with a copy or read before it is complete.
 */
class HostTierSimulationTest {

    private static final int CHATS = 24;
    private static final int PREFIX = 60;

    /** Chats of 15 blocks and more in turn, four times what the device holds. */
    @ParameterizedTest(name = "{0} tickets")
    @ValueSource(ints = {1, 2})
    void servesAWorkingSetOfFourTimesTheDeviceFromTheHost(int tickets) {
        Simulation without = new Simulation(new Shape().blocks(100).tickets(tickets));
        Simulation with = new Simulation(new Shape().blocks(100).hostBlocks(600).tickets(tickets));
        List<List<Integer>> expected = chats(without, 4);
        List<List<Integer>> actual = chats(with, 4);

        assertThat(actual).isEqualTo(expected);
        DispatcherStats before = without.scheduler.stats();
        DispatcherStats now = with.scheduler.stats();
        assertThat(before.prefixHitTokens())
                .as("the device alone loses nearly all")
                .isLessThan(CHATS * PREFIX / 2);
        assertThat(now.prefillTokens()).isLessThan(before.prefillTokens() / 3);
        assertThat(now.host().hitTokens()).isGreaterThan(2L * CHATS * PREFIX);
        assertThat(now.host().loadedBytes()).isEqualTo(1024 * now.host().loadedBlocks());
        checkTime(with);
    }

    private static List<List<Integer>> chats(Simulation simulation, int rounds) {
        List<List<Integer>> histories = new ArrayList<>();
        for (int c = 0; c < CHATS; c++) {
            List<Integer> history = new ArrayList<>();
            for (int token : Simulation.tokens(37 * c, PREFIX)) {
                history.add(token);
            }
            histories.add(history);
        }
        for (int round = 0; round < rounds; round++) {
            for (int c = 0; c < CHATS; c += 2) {
                GenerationState one = simulation.submit(prompt(histories.get(c)), 6);
                GenerationState other = simulation.submit(prompt(histories.get(c + 1)), 6);
                simulation.run();
                histories.get(c).addAll(Simulation.take(one).only());
                histories.get(c + 1).addAll(Simulation.take(other).only());
            }
        }
        return histories;
    }

    private static int[] prompt(List<Integer> history) {
        return history.stream().mapToInt(Integer::intValue).toArray();
    }

    /** Few prefixes that many want, little memory, slow copies, preemptions, cancels amid copies. */
    @ParameterizedTest(name = "seed {0}")
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12})
    void givesTheSameTokensWhateverHappensAmidCopies(int seed) {
        Random random = new Random(seed);
        int window = seed % 3 == 0 ? 10 : 0;
        Simulation simulation = new Simulation(new Shape()
                .blocks(40 + random.nextInt(30))
                .hostBlocks(60 + random.nextInt(200))
                .copyNanosPerByte(1 + random.nextInt(2_000))
                .window(window)
                .sequences(6)
                .tokens(16 + random.nextInt(40))
                .tickets(1 + seed % 2));
        List<GenerationState> live = new ArrayList<>();
        List<Output> outputs = new ArrayList<>();
        List<Boolean> cancelled = new ArrayList<>();
        int cancelledAmidLoads = 0;
        for (int turn = 0; turn < 3_000; turn++) {
            if (random.nextInt(8) == 0 && simulation.queued() < 12) {
                live.add(simulation.submit(request(random, turn)));
                outputs.add(new Output(live.getLast().request().sequences()));
                cancelled.add(false);
            }
            if (!live.isEmpty() && random.nextInt(30) == 0) {
                int victim = live.size() - 1 - random.nextInt(Math.min(4, live.size()));
                cancelledAmidLoads += simulation.scheduler.stats().host().loading() > 0 ? 1 : 0;
                live.get(victim).cancel();
                cancelled.set(victim, true);
            }
            if (!simulation.scheduler.turn()) {
                simulation.clock.advance(random.nextInt(500_000));
            }
            for (int i = 0; i < live.size(); i++) {
                Simulation.take(live.get(i), outputs.get(i));
            }
            simulation.scheduler.verifyIntegrity();
        }
        simulation.run();
        for (int i = 0; i < live.size(); i++) {
            Simulation.take(live.get(i), outputs.get(i));
            assertThat(live.get(i).done()).isTrue();
            check(live.get(i), outputs.get(i), cancelled.get(i), window);
        }
        DispatcherStats stats = simulation.scheduler.stats();
        assertThat(stats.host().loadedBlocks()).isGreaterThan(100);
        assertThat(cancelledAmidLoads).isPositive();
        assertThat(stats.blocksHeld() + stats.blocksComputing() + stats.blocksLoading())
                .isZero();
        assertThat(stats.host().loading() + stats.host().offloading()).isZero();
        checkTime(simulation);
    }

    private static GenerationRequest request(Random random, int id) {
        int shared = 20 + random.nextInt(60);
        int own = 1 + random.nextInt(8);
        int family = random.nextInt(8);
        int[] prompt = new int[shared + own];
        for (int i = 0; i < prompt.length; i++) {
            prompt[i] = i < shared ? (100 * family + i) % Simulation.VOCABULARY : random.nextInt(Simulation.VOCABULARY);
        }
        GenerationRequest plain =
                GenerationRequest.of("r" + id, prompt, 1 + random.nextInt(20), SamplingParameters.GREEDY);
        return new GenerationRequest(
                plain.id(),
                prompt,
                random.nextInt(6) == 0 ? 2 : 1,
                plain.maxTokens(),
                plain.sampling(),
                plain.stopTokens(),
                false,
                random.nextInt(3),
                Long.MAX_VALUE,
                0,
                Allowance.UNLIMITED);
    }

    private static void check(GenerationState generation, Output output, boolean cancelled, int window) {
        Output alone = Simulation.alone(generation.request(), window);
        for (int s = 0; s < generation.request().sequences(); s++) {
            List<Integer> expected = alone.tokens.get(s);
            List<Integer> actual = output.tokens.get(s);
            assertThat(expected.subList(0, actual.size())).isEqualTo(actual);
            if (!cancelled) {
                assertThat(actual).isEqualTo(expected);
                assertThat(output.reasons.get(s)).isEqualTo(alone.reasons.get(s));
            }
        }
    }

    private static void checkTime(Simulation simulation) {
        assertThat(simulation.scheduler.timeline().imbalance(simulation.clock.getAsLong()))
                .isZero();
        assertThat(simulation.stepSums).allMatch(rest -> rest == 0);
    }

    @Test
    void bookAsCopyWhatIsSpentOnWaitingForBlocksAlone() {
        List<DeviceState> states = new ArrayList<>();
        List<Long> stamps = new ArrayList<>();
        Simulation simulation = new Simulation(new Shape().blocks(20).hostBlocks(100), new StepListener() {
            @Override
            public void onState(DeviceState state, long now) {
                states.add(state);
                stamps.add(now);
            }

            @Override
            public void onStep(StepRecord record) {}
        });
        evictOne(simulation);
        long before = simulation.scheduler.timeline().nanos(DeviceState.COPY);
        states.clear();
        stamps.clear();
        GenerationState again = simulation.submit(Simulation.tokens(0, 41), 2);
        simulation.run();

        assertThat(Simulation.take(again).reason()).isEqualTo(FinishReason.LENGTH);
        assertThat(again.usage().cachedTokens()).isEqualTo(40);
        assertThat(simulation.scheduler.timeline().nanos(DeviceState.COPY) - before)
                .as("ten blocks of 1024 bytes of 20 ns")
                .isEqualTo(10 * 20_480);
        long told = 0;
        for (int i = 0; i + 1 < states.size(); i++) {
            told += states.get(i) == DeviceState.COPY ? stamps.get(i + 1) - stamps.get(i) : 0;
        }
        assertThat(told).as("told to listeners").isEqualTo(10 * 20_480);
        assertThat(states)
                .filteredOn(state -> state != DeviceState.STALLED)
                .containsSubsequence(DeviceState.COPY, DeviceState.STEP, DeviceState.IDLE);
        checkTime(simulation);
    }

    @Test
    void goesOnCopyingWhereThereIsNoWork() {
        Simulation simulation = new Simulation(new Shape().blocks(16).hostBlocks(100));
        simulation.submit(Simulation.tokens(0, 60), 1);
        while (!simulation.scheduler.idle()) {
            simulation.scheduler.turn();
        }
        assertThat(simulation.scheduler.copying()).isTrue();
        long idle = simulation.scheduler.timeline().nanos(DeviceState.IDLE);
        simulation.run();

        assertThat(simulation.scheduler.copying()).isFalse();
        assertThat(simulation.scheduler.stats().host().offloadedBlocks()).isPositive();
        assertThat(simulation.scheduler.timeline().nanos(DeviceState.IDLE)).isGreaterThan(idle);
        assertThat(simulation.scheduler.timeline().nanos(DeviceState.COPY)).isZero();
        checkTime(simulation);
    }

    @Test
    void quotesWhatTheHostHas() {
        Simulation simulation = new Simulation(new Shape().blocks(20).hostBlocks(100));
        evictOne(simulation);

        assertThat(simulation.scheduler.quote(Simulation.tokens(0, 41), 0, 0).cachedTokens())
                .isEqualTo(40);
    }

    @Test
    void failsItsRequestsWhereTheDeviceIsLostAmidACopy() {
        boolean[] lost = {false};
        Simulation simulation = new Simulation(
                new Shape().blocks(20).hostBlocks(100), record -> {}, engine -> new EngineAround(engine) {
                    @Override
                    public long onloaded() {
                        if (lost[0]) {
                            throw new DeviceLostException("lost", new IllegalStateException("gone"));
                        }
                        return super.onloaded();
                    }
                });
        evictOne(simulation);
        GenerationState again = simulation.submit(Simulation.tokens(0, 41), 2);
        simulation.scheduler.turn();
        assertThat(simulation.scheduler.stats().blocksLoading()).isEqualTo(10);
        lost[0] = true;
        assertThatThrownBy(simulation::run).isInstanceOf(DeviceLostException.class);
        simulation.scheduler.loseEverything("lost");

        assertThat(Simulation.take(again).reason()).isEqualTo(FinishReason.ERROR);
        checkTime(simulation);
    }

    /** Computes a prompt of ten blocks and a bit, and has others push it out of the device. */
    private static void evictOne(Simulation simulation) {
        simulation.submit(Simulation.tokens(0, 41), 1);
        simulation.run();
        for (int other = 1; other < 30; other++) {
            simulation.submit(Simulation.tokens(300 + 13 * other, 12), 1);
            simulation.run();
        }
        simulation.scheduler.verifyIntegrity();
    }
}
