package dev.jeton.scheduler;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.Iteration;
import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.SequenceEngine;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.sim.SimClock;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.LongSupplier;
import org.junit.jupiter.api.Test;

/** Turns over an engine that tells what a test has it tell, on a clock that the test moves. */
class SequenceSchedulerTest {

    private static final SchedulerConfig CONFIG = new SchedulerConfig(4, 256, 64, 16, 1_000_000, 0, true, 7);

    private final SimClock clock = new SimClock(1_000);
    private final SequenceEvents sink = new SequenceEvents(() -> {});
    private final List<Byte> kinds = new ArrayList<>();
    private final List<DeviceState> states = new ArrayList<>();
    private Runnable whenClosed = () -> {};

    private final class Told implements SequenceEngine {

        @Override
        public EngineInfo info() {
            return new EngineInfo(
                    "told", 100, 64, List.of("test"), List.of(new LayerGroup(16, 64, 64, 0)), 4, 4, 256, 1, Set.of());
        }

        @Override
        public int maxOverrun() {
            return 2;
        }

        @Override
        public void start(Sink to) {
            assertThat(to).isSameAs(sink);
        }

        @Override
        public void submit(long id, SequenceSpec spec, int maxTokens, int priority) {
            assertThat(maxTokens).isPositive();
        }

        @Override
        public void cancel(long id) {
            assertThat(id).isZero();
        }

        @Override
        public Stats stats() {
            return new Stats(0, 0, 0, 0);
        }

        @Override
        public void close() {
            whenClosed.run();
        }
    }

    private SequenceScheduler scheduler(LongSupplier time) {
        StepListener kept = new StepListener() {
            @Override
            public void onState(DeviceState state, long now) {
                states.add(state);
            }

            @Override
            public void onStep(StepRecord record) {
                for (int row = 0; row < record.rows(); row++) {
                    kinds.add(record.kind[row]);
                }
            }
        };
        return new SequenceScheduler(new Told(), CONFIG, time, time.getAsLong(), kept, new QueuedRequests(), sink);
    }

    private GenerationState begin(SequenceScheduler scheduler) {
        return begin(scheduler, Allowance.UNLIMITED);
    }

    private GenerationState begin(SequenceScheduler scheduler, Allowance allowance) {
        GenerationState generation = new GenerationState(
                new GenerationRequest(
                        "r",
                        new int[] {1, 2, 3},
                        1,
                        8,
                        SamplingParameters.GREEDY,
                        new int[0],
                        false,
                        0,
                        Long.MAX_VALUE,
                        0,
                        allowance),
                16,
                clock.getAsLong(),
                () -> {},
                told -> {});
        scheduler.submit(generation);
        scheduler.turn();
        return generation;
    }

    private void iterate(long from, long to) {
        Iteration iteration = new Iteration();
        iteration.add(0, 3, 1, 3);
        iteration.startNanos = from;
        iteration.endNanos = to;
        sink.iteration(iteration);
    }

    @Test
    void booksWhatTheEngineDidUntilItWasClosed() {
        SequenceScheduler scheduler = scheduler(clock);
        begin(scheduler);
        whenClosed = () -> {
            iterate(2_000, 3_000);
            sink.finished(0, SequenceEngine.Finish.CANCELLED, "closed");
        };
        clock.advanceTo(4_000);
        scheduler.endEverything(FinishReason.SHUTDOWN, "the test ends");
        assertThat(scheduler.idle()).isTrue();
        scheduler.close();
        assertThat(scheduler.timeline().nanos(DeviceState.STEP)).isEqualTo(1_000);
        assertThat(scheduler.timeline().imbalance(4_000)).isZero();
        assertThat(kinds).containsExactly(StepRecord.OVERRUN);
        assertThat(states).containsExactly(DeviceState.LOADING, DeviceState.IDLE, DeviceState.STEP, DeviceState.IDLE);
    }

    @Test
    void booksAllTimeOfAnEngineThatWasLost() {
        SequenceScheduler scheduler = scheduler(clock);
        begin(scheduler);
        clock.advanceTo(2_000);
        scheduler.loseEverything("as the test wants it");
        whenClosed = () -> iterate(2_000, 2_500);
        clock.advanceTo(3_000);
        scheduler.close();
        assertThat(scheduler.timeline().nanos(DeviceState.DOWN)).isEqualTo(1_000);
        assertThat(scheduler.timeline().imbalance(3_000)).isZero();
    }

    @Test
    void countsNoTokenBeforeTheIterationThatItComesOf() {
        List<Runnable> afterReading = new ArrayList<>();
        SequenceScheduler scheduler = scheduler(() -> {
            long now = clock.getAsLong();
            List.copyOf(afterReading).forEach(Runnable::run);
            afterReading.clear();
            return now;
        });
        GenerationState generation = begin(scheduler);
        // the engine is quicker than the turn that takes what it tells
        afterReading.add(() -> {
            clock.advanceTo(2_000);
            iterate(1_500, 1_900);
            sink.token(0, 7, -0.5f);
        });
        scheduler.turn();
        GenerationUsage usage = generation.usage();
        assertThat(usage.completionTokens()).isEqualTo(1);
        assertThat(usage.prefillNanos()).isEqualTo(500);
        assertThat(usage.decodeNanos()).isZero();
        assertThat(usage.totalNanos()).isEqualTo(1_000);
    }

    @Test
    void findsNoMoreOfAPromptInTheCacheThanItHas() {
        SequenceScheduler scheduler = scheduler(clock);
        GenerationState generation = begin(scheduler);
        Iteration first = new Iteration();
        // all three tokens of the prompt were there, and two of the three that were generated are now
        first.add(0, 0, 3, 5);
        first.startNanos = 1_000;
        first.endNanos = 2_000;
        sink.iteration(first);
        clock.advanceTo(2_000);
        scheduler.turn();
        assertThat(generation.usage().promptTokens()).isEqualTo(3);
        assertThat(generation.usage().cachedTokens()).isEqualTo(3);
    }

    @Test
    void doesNotStepWhileReadersOnlyTakeWhatWasTold() {
        boolean[] granting = {false};
        SequenceScheduler scheduler = scheduler(clock);
        GenerationState generation = begin(scheduler, new Allowance() {
            @Override
            public int grant(int tokens) {
                return granting[0] ? tokens : 0;
            }

            @Override
            public boolean exhausted() {
                return false;
            }
        });
        iterate(1_000, 2_000);
        sink.token(0, 7, -0.5f);
        sink.finished(0, SequenceEngine.Finish.LENGTH, "");
        clock.advanceTo(2_000);
        scheduler.turn();
        assertThat(scheduler.idle()).isFalse();
        assertThat(states).endsWith(DeviceState.STEP, DeviceState.STALLED);
        clock.advanceTo(9_000);
        granting[0] = true;
        scheduler.turn();
        assertThat(generation.ended()).isTrue();
        assertThat(states).endsWith(DeviceState.STALLED, DeviceState.IDLE);
        assertThat(scheduler.timeline().nanos(DeviceState.STALLED)).isEqualTo(7_000);
        assertThat(scheduler.timeline().imbalance(9_000)).isZero();
        begin(scheduler);
        assertThat(states).endsWith(DeviceState.IDLE, DeviceState.STEP);
    }
}
