package dev.jeton.scheduler;

import static dev.jeton.scheduler.Simulation.take;
import static dev.jeton.scheduler.Simulation.tokens;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.engine.DeviceLostException;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.sim.SimEngine;
import dev.jeton.scheduler.Simulation.Output;
import dev.jeton.scheduler.Simulation.Shape;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Requests that end in unusual ways, and those that must not wait for them. */
class SchedulerEndsTest {

    /** An allowance that grants nothing until told that it is exhausted. */
    private static final class Withheld implements Allowance {
        boolean exhausted;

        @Override
        public int grant(int tokens) {
            return 0;
        }

        @Override
        public boolean exhausted() {
            return exhausted;
        }
    }

    /** An allowance that is filled from outside. */
    private static final class Granting implements Allowance {
        int left;

        @Override
        public int grant(int tokens) {
            int given = Math.min(left, tokens);
            left -= given;
            return given;
        }

        @Override
        public boolean exhausted() {
            return false;
        }
    }

    @Test
    void aRequestThatTheEngineRefusesIsCountedOutOfTheQueueOnce() {
        FaultyEngine[] engine = new FaultyEngine[1];
        Simulation simulation =
                new Simulation(new Shape(), StepListener.NONE, inner -> engine[0] = new FaultyEngine(inner));
        engine[0].refusesToOpen = true;
        GenerationState refused = simulation.submit(request(tokens(0, 10), 3, 5, 0, Allowance.UNLIMITED));
        simulation.run();

        Output output = take(refused);
        assertThat(output.reasons).containsOnly(FinishReason.ERROR);
        assertThat(output.messages).containsOnly("refused");
        assertThat(simulation.queued()).isZero();
        assertThat(simulation.queuedTokens()).isZero();
        simulation.scheduler.verifyIntegrity();
        assertThat(simulation.scheduler.idle()).isTrue();
    }

    @ParameterizedTest(name = "{0} tickets in flight")
    @ValueSource(ints = {1, 2})
    void aForkThatTheEngineRefusesEndsAlone(int tickets) {
        FaultyEngine[] engine = new FaultyEngine[1];
        Simulation simulation = new Simulation(
                new Shape().tickets(tickets), StepListener.NONE, inner -> engine[0] = new FaultyEngine(inner));
        engine[0].refusedOpen = 4;
        GenerationRequest request = request(tokens(0, 30), 3, 5, 0, Allowance.UNLIMITED);
        GenerationState generation = simulation.submit(request);
        GenerationState other = simulation.submit(tokens(100, 10), 20);
        simulation.run();

        Output output = take(generation);
        Output alone = Simulation.alone(request, 0);
        assertThat(output.reasons).containsExactly(FinishReason.LENGTH, FinishReason.LENGTH, FinishReason.ERROR);
        assertThat(output.messages.get(2)).isEqualTo("refused");
        assertThat(output.tokens.subList(0, 2)).isEqualTo(alone.tokens.subList(0, 2));
        assertThat(output.tokens.get(2)).isEmpty();
        assertThat(take(other).only()).hasSize(20);
        simulation.scheduler.verifyIntegrity();
    }

    @ParameterizedTest(name = "open {0}")
    @ValueSource(ints = {1, 2})
    void aDeviceLostWhileASlotIsOpenedBreaksTheTurn(int open) {
        FaultyEngine[] engine = new FaultyEngine[1];
        Simulation simulation =
                new Simulation(new Shape(), StepListener.NONE, inner -> engine[0] = new FaultyEngine(inner));
        engine[0].lostAtOpen = open;
        GenerationState generation = simulation.submit(request(tokens(0, 30), 2, 5, 0, Allowance.UNLIMITED));

        assertThatThrownBy(simulation::run).isInstanceOf(DeviceLostException.class);
        assertThat(generation.ended()).isFalse();
    }

    @Test
    void forksEndWithAParentThatFailsBeforeTheFork() {
        FaultyEngine[] engine = new FaultyEngine[1];
        Simulation simulation =
                new Simulation(new Shape().tokens(8), StepListener.NONE, inner -> engine[0] = new FaultyEngine(inner));
        engine[0].failsRows = true;
        GenerationState generation = simulation.submit(request(tokens(0, 30), 3, 5, 0, Allowance.UNLIMITED));
        simulation.run();

        assertThat(take(generation).reasons).containsOnly(FinishReason.ERROR);
        assertThat(generation.done()).isTrue();
        simulation.scheduler.verifyIntegrity();
        assertThat(simulation.scheduler.stats().blocksComputing()).isZero();
    }

    @Test
    void stoppingASequenceBeforeTheForkLosesNoneOfTheOthers() {
        Simulation simulation = new Simulation(new Shape().tokens(8));
        GenerationState generation = simulation.submit(request(tokens(0, 30), 3, 5, 0, Allowance.UNLIMITED));
        simulation.scheduler.turn();
        generation.stop(0);
        simulation.run();

        Output output = take(generation);
        assertThat(generation.done()).isTrue();
        assertThat(output.tokens.get(1)).hasSize(5);
        assertThat(output.tokens.get(2)).hasSize(5);
        simulation.scheduler.verifyIntegrity();
    }

    @Test
    void aRequestThroughAnAdapterThatThereIsNotIsRefused() {
        Simulation simulation = new Simulation(new Shape());
        GenerationRequest request = request(tokens(0, 30), 1, 9, 0, Allowance.UNLIMITED);

        assertThatThrownBy(() -> simulation.scheduler.check(request.through(SimEngine.ADAPTERS + 1)))
                .isInstanceOf(RejectedException.class)
                .hasMessageContaining("adapter 3: the engine 'sim' has 2");
    }

    @Test
    void timeOfTokensPastAStopIsTheHouses() {
        Simulation simulation = new Simulation(new Shape());
        GenerationState generation = simulation.submit(request(tokens(0, 30), 1, 9, 0, Allowance.UNLIMITED));
        simulation.run();
        GenerationEvent event = new GenerationEvent();
        for (int i = 0; i < 4; i++) {
            assertThat(generation.poll(event)).isTrue();
        }
        long before = generation.usage().deviceNanos();
        generation.stop(0);
        take(generation);

        GenerationUsage usage = generation.usage();
        assertThat(usage.deviceNanos() + usage.discardedNanos()).isEqualTo(before);
        assertThat(usage.discardedNanos()).isBetween(before / 4, before);
        assertThat(usage.completionTokens()).isEqualTo(4);
        assertThat(usage.overrunTokens()).isEqualTo(5);
    }

    @ParameterizedTest(name = "{0} tickets in flight")
    @ValueSource(ints = {1, 2})
    void aReaderThatIsSlowLosesNothingOfItsManySequences(int tickets) {
        Simulation simulation =
                new Simulation(new Shape().ring(5).tickets(tickets).sequences(8));
        GenerationRequest request = request(tokens(0, 10), 7, 30, 0, Allowance.UNLIMITED);
        GenerationState generation = simulation.submit(request);
        Output output = new Output(7);
        for (int i = 0; i < 10_000 && !generation.done(); i++) {
            simulation.run();
            take(generation, output);
        }

        assertThat(output.tokens).isEqualTo(Simulation.alone(request, 0).tokens);
        assertThat(output.reasons).containsOnly(FinishReason.LENGTH);
    }

    @Test
    void aReaderThatTakesALittleAllTheTimeIsNotStalled() {
        Simulation simulation = new Simulation(new Shape().ring(5));
        GenerationState generation = simulation.submit(request(tokens(0, 10), 3, 40, 0, Allowance.UNLIMITED));
        Output output = new Output(3);
        GenerationEvent event = new GenerationEvent();
        while (!generation.done()) {
            simulation.run();
            simulation.clock.advance(400_000_000L);
            if (generation.poll(event) && event.finished) {
                output.reasons.set(event.sequence, event.reason);
            }
        }

        assertThat(output.reasons).containsOnly(FinishReason.LENGTH);
    }

    @Test
    void nobodyWaitsForABlockThatNeedsAGrant() {
        Simulation simulation = new Simulation(new Shape());
        Withheld allowance = new Withheld();
        GenerationState owner = simulation.submit(request(tokens(0, 8), 1, 5, 0, allowance));
        GenerationState other = simulation.submit(request(tokens(0, 20), 1, 5, 0, Allowance.UNLIMITED));
        simulation.run();

        assertThat(take(other).only()).hasSize(5);
        assertThat(take(owner).only()).isEmpty();
        allowance.exhausted = true;
        simulation.run();
        assertThat(take(owner).reason()).isEqualTo(FinishReason.LENGTH);
    }

    @Test
    void whatWaitsBehindAnExhaustedRequestIsAdmittedAtOnce() {
        Simulation simulation = new Simulation(new Shape().sequences(1));
        Withheld allowance = new Withheld();
        simulation.submit(request(tokens(0, 8), 1, 5, 0, allowance));
        GenerationState next = simulation.submit(request(tokens(100, 8), 1, 5, 0, Allowance.UNLIMITED));
        simulation.run();
        allowance.exhausted = true;

        simulation.run();

        assertThat(take(next).only()).hasSize(5);
    }

    @ParameterizedTest(name = "{0} tickets in flight")
    @ValueSource(ints = {1, 2})
    void aBetterPriorityDoesNotWaitForAWorseOneToEnd(int tickets) {
        Simulation simulation = new Simulation(new Shape().tickets(tickets).sequences(2));
        List<GenerationState> low = new ArrayList<>();
        low.add(simulation.submit(request(tokens(0, 8), 1, 300, 5, Allowance.UNLIMITED)));
        low.add(simulation.submit(request(tokens(100, 8), 1, 300, 5, Allowance.UNLIMITED)));
        for (int i = 0; i < 10; i++) {
            simulation.scheduler.turn();
        }
        GenerationState high = simulation.submit(request(tokens(200, 8), 1, 4, 0, Allowance.UNLIMITED));
        long before = simulation.scheduler.stats().steps();
        while (!high.done()) {
            simulation.scheduler.turn();
            take(high);
        }

        assertThat(simulation.scheduler.stats().steps() - before).isLessThan(10);
        simulation.run();
        assertThat(take(low.get(1)).only())
                .isEqualTo(Simulation.alone(low.get(1).request(), 0).only());
    }

    @Test
    void decodesFitATokenBudgetThatIsSmallerThanTheirNumber() {
        Simulation simulation = new Simulation(new Shape().sequences(8).tokens(3));
        Granting allowance = new Granting();
        List<GenerationState> all = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            allowance.left = 1;
            all.add(simulation.submit(request(tokens(100 * i, 5), 1, 10, 0, allowance)));
            simulation.run();
        }
        allowance.left = 1_000;
        simulation.run();

        assertThat(all).allSatisfy(g -> assertThat(take(g).only()).hasSize(10));
    }

    @Test
    void everyRequestEndsWhenTheEngineBreaksInAdmission() {
        FaultyEngine[] engine = new FaultyEngine[1];
        Simulation simulation =
                new Simulation(new Shape(), StepListener.NONE, inner -> engine[0] = new FaultyEngine(inner));
        GenerationState running = simulation.submit(tokens(0, 10), 50);
        simulation.scheduler.turn();
        GenerationState breaking = simulation.submit(tokens(50, 10), 50);
        engine[0].breaksOnOpen = true;
        assertThatThrownBy(simulation.scheduler::turn).hasMessage("broken");
        simulation.scheduler.loseEverything("lost");

        assertThat(take(running).reason()).isEqualTo(FinishReason.ERROR);
        assertThat(take(breaking).reason()).isEqualTo(FinishReason.ERROR);
        assertThat(simulation.queued()).isZero();
        assertThat(simulation.queuedTokens()).isZero();
        assertThat(simulation.scheduler.idle()).isTrue();
    }

    private static GenerationRequest request(
            int[] prompt, int sequences, int maxTokens, int priority, Allowance allowance) {
        return new GenerationRequest(
                "r",
                prompt,
                sequences,
                maxTokens,
                sequences == 1
                        ? SamplingParameters.GREEDY
                        : new SamplingParameters(
                                1, 0, 1, 0, 1, 0, 0, SamplingParameters.GREEDY.bias(), 5, 0, new int[0], -1),
                new int[0],
                false,
                priority,
                Long.MAX_VALUE,
                0,
                allowance);
    }
}
