package dev.jeton.scheduler;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.scheduler.Simulation.Output;
import dev.jeton.scheduler.Simulation.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Random traffic on little memory, with one and with two tickets in flight: every sequence gets the tokens that it gets
 * alone, nothing hangs, and all books add up.
 */
class SchedulerPropertyTest {

    @ParameterizedTest(name = "seed {0}")
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})
    void sameTokensAloneAndInAnyBatch(int seed) {
        Random random = new Random(seed);
        int window = seed % 3 == 0 ? 10 : 0;
        Shape shape = new Shape()
                .blocks(24 + random.nextInt(40))
                .window(window)
                .sequences(2 + random.nextInt(7))
                .tokens(8 + random.nextInt(40))
                .tickets(1 + seed % 2)
                .prefixCaching(seed % 5 != 0);
        Simulation simulation = new Simulation(shape);
        List<GenerationState> live = new ArrayList<>();
        List<Output> outputs = new ArrayList<>();
        List<Boolean> cancelled = new ArrayList<>();
        for (int turn = 0; turn < 1_500; turn++) {
            if (random.nextInt(12) == 0) {
                try {
                    live.add(simulation.submit(randomRequest(random, turn, simulation)));
                    outputs.add(new Output(live.getLast().request().sequences()));
                    cancelled.add(false);
                } catch (RejectedException e) {
                    assertThat(e.reason()).isEqualTo(RejectedException.Reason.TOO_LARGE);
                }
            }
            if (!live.isEmpty() && random.nextInt(60) == 0) {
                int victim = random.nextInt(live.size());
                live.get(victim).cancel();
                cancelled.set(victim, true);
            }
            if (!simulation.scheduler.turn()) {
                simulation.clock.advance(random.nextInt(5_000_000));
            }
            for (int i = 0; i < live.size(); i++) {
                Simulation.take(live.get(i), outputs.get(i));
            }
            if (turn % 20 == 0) {
                simulation.scheduler.verifyIntegrity();
            }
        }
        simulation.run();
        for (int i = 0; i < live.size(); i++) {
            Simulation.take(live.get(i), outputs.get(i));
            assertThat(live.get(i).done()).isTrue();
            check(live.get(i), outputs.get(i), cancelled.get(i), window);
        }
        checkBooks(simulation, live);
    }

    private static void check(GenerationState generation, Output output, boolean cancelled, int window) {
        Output alone = Simulation.alone(generation.request(), window);
        for (int s = 0; s < generation.request().sequences(); s++) {
            List<Integer> expected = alone.tokens.get(s);
            List<Integer> actual = output.tokens.get(s);
            if (cancelled || output.reasons.get(s) == FinishReason.LENGTH && actual.size() < expected.size()) {
                assertThat(expected.subList(0, actual.size())).isEqualTo(actual);
            } else {
                assertThat(actual).isEqualTo(expected);
                assertThat(output.reasons.get(s)).isEqualTo(alone.reasons.get(s));
            }
        }
    }

    private static void checkBooks(Simulation simulation, List<GenerationState> live) {
        Scheduler scheduler = simulation.scheduler;
        scheduler.verifyIntegrity();
        assertThat(scheduler.idle()).isTrue();
        assertThat(simulation.queued()).isZero();
        DispatcherStats stats = scheduler.stats();
        assertThat(stats.blocksHeld() + stats.blocksComputing()).isZero();
        assertThat(simulation.stepSums).allMatch(rest -> rest == 0);
        long attributed = live.stream().mapToLong(g -> g.totals.deviceNanos).sum();
        assertThat(attributed).isEqualTo(scheduler.timeline().nanos(DeviceState.STEP));
        assertThat(scheduler.timeline().imbalance(simulation.clock.getAsLong())).isZero();
    }

    private static GenerationRequest randomRequest(Random random, int id, Simulation simulation) {
        int length = 1 + random.nextInt(60);
        int[] prompt = new int[length];
        int shared = random.nextInt(length + 1);
        int family = random.nextInt(3);
        for (int i = 0; i < length; i++) {
            prompt[i] = i < shared ? 100 * family + i : random.nextInt(Simulation.VOCABULARY);
        }
        int n = random.nextInt(6) == 0 ? 1 + random.nextInt(4) : 1;
        int[] stops = random.nextBoolean()
                ? new int[0]
                : random.ints(60, 0, Simulation.VOCABULARY).toArray();
        SamplingParameters sampling = random.nextBoolean()
                ? SamplingParameters.GREEDY
                : new SamplingParameters(
                        1, 0, 1, 0, 1, 0, 0, SamplingParameters.GREEDY.bias(), random.nextInt(50), 0, new int[0], -1);
        return new GenerationRequest(
                "r" + id,
                prompt,
                n,
                1 + random.nextInt(40),
                sampling,
                stops,
                false,
                random.nextInt(3),
                Long.MAX_VALUE,
                random.nextInt(2),
                Allowance.UNLIMITED);
    }
}
