package dev.jeton.scheduler;

import static dev.jeton.scheduler.Simulation.BLOCK;
import static dev.jeton.scheduler.Simulation.take;
import static dev.jeton.scheduler.Simulation.tokens;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.scheduler.Simulation.Shape;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class SchedulerTest {

    private static final int[] NO_STOPS = {};

    @Test
    void generatesUpToMaxTokens() {
        Simulation simulation = new Simulation(new Shape());
        GenerationState generation = simulation.submit(tokens(0, 10), 5);

        simulation.run();

        Simulation.Output output = take(generation);
        assertThat(output.only()).hasSize(5);
        assertThat(output.reason()).isEqualTo(FinishReason.LENGTH);
        assertThat(generation.usage().completionTokens()).isEqualTo(5);
        assertThat(generation.done()).isTrue();
    }

    @Test
    void endsAtAStopTokenWhichIsCountedButNotDelivered() {
        GenerationRequest free = request(tokens(0, 10), 5, NO_STOPS, 0);
        int third = Simulation.alone(free, 0).only().get(2);
        Simulation simulation = new Simulation(new Shape());
        GenerationState generation = simulation.submit(request(tokens(0, 10), 5, new int[] {third}, 0));

        simulation.run();

        Simulation.Output output = take(generation);
        assertThat(output.only()).hasSize(2);
        assertThat(output.reason()).isEqualTo(FinishReason.STOP);
        assertThat(generation.usage().completionTokens()).isEqualTo(3);
    }

    @Test
    void tokensComputedPastAStopAreOverrun() {
        GenerationRequest free = request(tokens(0, 10), 5, NO_STOPS, 0);
        int third = Simulation.alone(free, 0).only().get(2);
        Simulation simulation = new Simulation(new Shape().tickets(2));
        GenerationState generation = simulation.submit(request(tokens(0, 10), 5, new int[] {third}, 0));

        simulation.run();

        assertThat(take(generation).only()).hasSize(2);
        assertThat(simulation.scheduler.stats().overrunTokens()).isEqualTo(1);
        simulation.scheduler.verifyIntegrity();
    }

    @Test
    void computesAPrefixThatManyBringAtOnceOnlyOnce() {
        Simulation simulation = new Simulation(new Shape().tokens(256));
        List<GenerationState> all = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            int[] prompt = tokens(0, 44);
            prompt[43] = 900 + i;
            all.add(simulation.submit(prompt, 1));
        }

        simulation.run();

        assertThat(simulation.scheduler.stats().prefillTokens()).isEqualTo(44 + 7 * 4);
        assertThat(all.get(7).usage().cachedTokens()).isEqualTo(40);
        assertThat(simulation.scheduler.stats().prefixWaits()).isEqualTo(7);
    }

    @Test
    void aWaiterTakesOverThePrefixWhenItsOwnerIsCancelled() {
        Simulation simulation = new Simulation(new Shape().tokens(8));
        GenerationState owner = simulation.submit(tokens(0, 40), 4);
        GenerationState heir = simulation.submit(tokens(0, 40), 4);
        simulation.scheduler.turn();
        simulation.scheduler.turn();

        owner.cancel();
        simulation.run();

        assertThat(take(owner).reason()).isEqualTo(FinishReason.CANCELLED);
        assertThat(take(heir).only())
                .isEqualTo(Simulation.alone(request(tokens(0, 40), 4, NO_STOPS, 0), 0)
                        .only());
    }

    @Test
    void cancelsWithinOneStepInPrefill() {
        Simulation simulation = new Simulation(new Shape().tokens(8));
        GenerationState generation = simulation.submit(tokens(0, 100), 4);
        simulation.scheduler.turn();
        long steps = simulation.scheduler.stats().steps();

        generation.cancel();
        simulation.run();

        assertThat(simulation.scheduler.stats().steps()).isLessThanOrEqualTo(steps + 1);
        assertThat(simulation.scheduler.idle()).isTrue();
        simulation.scheduler.verifyIntegrity();
    }

    @Test
    void preemptsWhoIsServedLastAndBringsItBackFirst() {
        Simulation simulation = new Simulation(new Shape().blocks(10).prefixCaching(false));
        List<GenerationState> all = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            all.add(simulation.submit(tokens(100 * i, 8), 16));
        }
        GenerationState late = simulation.submit(tokens(700, 8), 1);

        simulation.run();

        assertThat(all.get(0).usage().preemptions()).isZero();
        assertThat(all.get(2).usage().preemptions()).isPositive();
        assertThat(late.usage().totalNanos()).isGreaterThan(all.get(1).usage().totalNanos());
        for (int i = 0; i < 3; i++) {
            assertThat(take(all.get(i)).only())
                    .isEqualTo(Simulation.alone(all.get(i).request(), 0).only());
        }
        assertThat(simulation.scheduler.stats().recomputedTokens()).isPositive();
    }

    @Test
    void aBetterPriorityTakesTheBlocksOfAWorseOne() {
        Simulation simulation = new Simulation(new Shape().blocks(10).prefixCaching(false));
        GenerationState low = simulation.submit(request(tokens(0, 30), 8, NO_STOPS, 5));
        simulation.scheduler.turn();
        GenerationState high = simulation.submit(request(tokens(200, 30), 8, NO_STOPS, 0));

        simulation.run();

        assertThat(low.usage().preemptions()).isEqualTo(1);
        assertThat(high.usage().totalNanos()).isLessThan(low.usage().totalNanos());
    }

    @Test
    void shortPromptsDoNotWaitBehindALongOne() {
        Simulation simulation = new Simulation(new Shape().tokens(32));
        GenerationState big = simulation.submit(tokens(0, 400), 1);
        GenerationState small = simulation.submit(tokens(500, 8), 1);

        simulation.run();

        assertThat(small.usage().totalNanos() * 3).isLessThan(big.usage().totalNanos());
    }

    @Test
    void shortPromptsDoNotWaitBehindMoreLongOnesThanAreAdmitted() {
        Simulation simulation = new Simulation(new Shape().blocks(1024).tokens(16));
        for (int i = 0; i < 6; i++) {
            simulation.submit(request(tokens(100 * i, 400), 1, NO_STOPS, 0));
        }
        simulation.scheduler.turn();
        GenerationState small = simulation.submit(request(tokens(900, 4), 1, NO_STOPS, 0));

        assertThat(stepsUntilDone(simulation, small)).isLessThanOrEqualTo(2);
        assertThat(simulation.scheduler.sequences().waiting().size()).isEqualTo(2);
    }

    @Test
    void aBetterPriorityDoesNotWaitForThePromptsOfWorse() {
        Simulation simulation = new Simulation(new Shape().blocks(1024).tokens(16));
        for (int i = 0; i < 6; i++) {
            simulation.submit(request(tokens(100 * i, 400), 1, NO_STOPS, 1));
        }
        simulation.scheduler.turn();
        GenerationState better = simulation.submit(request(tokens(900, 64), 1, NO_STOPS, 0));

        assertThat(stepsUntilDone(simulation, better)).isLessThanOrEqualTo(5);
    }

    private static long stepsUntilDone(Simulation simulation, GenerationState generation) {
        long before = simulation.scheduler.stats().steps();
        while (!generation.done()) {
            simulation.scheduler.turn();
            take(generation);
        }
        return simulation.scheduler.stats().steps() - before;
    }

    @Test
    void decodesGoOnWhileALongPromptIsPrefilled() {
        Simulation simulation = new Simulation(new Shape().tokens(16));
        GenerationState decoding = simulation.submit(tokens(0, 8), 30);
        simulation.scheduler.turn();
        simulation.submit(tokens(300, 400), 1);
        long before = simulation.scheduler.stats().steps();

        while (!decoding.done()) {
            simulation.scheduler.turn();
            take(decoding);
        }

        assertThat(simulation.scheduler.stats().steps() - before).isLessThanOrEqualTo(30);
    }

    @Test
    void forksPrefillOnceAndSampleOnTheirOwn() {
        SamplingParameters sampling =
                new SamplingParameters(1, 0, 1, 0, 1, 0, 0, SamplingParameters.GREEDY.bias(), 5, 0, new int[0], -1);
        GenerationRequest request = new GenerationRequest(
                "n", tokens(0, 30), 4, 6, sampling, NO_STOPS, false, 0, Long.MAX_VALUE, 0, Allowance.UNLIMITED);
        Simulation simulation = new Simulation(new Shape());

        GenerationState generation = simulation.submit(request);
        simulation.run();

        Simulation.Output output = take(generation);
        assertThat(simulation.scheduler.stats().prefillTokens()).isEqualTo(29 + 4);
        assertThat(output.tokens).doesNotHaveDuplicates().allMatch(t -> t.size() == 6);
        assertThat(generation.usage().promptTokens()).isEqualTo(30);
        simulation.scheduler.verifyIntegrity();
    }

    @Test
    void endsAtTheDeadline() {
        Simulation simulation = new Simulation(new Shape());
        long deadline = simulation.clock.getAsLong() + 10_000_000;
        GenerationState generation = simulation.submit(new GenerationRequest(
                "d",
                tokens(0, 8),
                1,
                400,
                SamplingParameters.GREEDY,
                NO_STOPS,
                false,
                0,
                deadline,
                0,
                Allowance.UNLIMITED));

        simulation.run();

        Simulation.Output output = take(generation);
        assertThat(output.reason()).isEqualTo(FinishReason.DEADLINE);
        assertThat(output.only()).isNotEmpty();
        assertThat(simulation.clock.getAsLong()).isLessThan(deadline + 3_000_000);
    }

    @Test
    void aFullReaderIsNotScheduledAndAfterAWhileCancelled() {
        Simulation simulation = new Simulation(new Shape());
        simulation.scheduler.turn();
        GenerationRequest request = request(tokens(0, 8), 400, NO_STOPS, 0);
        simulation.scheduler.check(request);
        GenerationState generation =
                new GenerationState(request, 16, simulation.clock.getAsLong(), () -> {}, simulation.scheduler::obey);
        simulation.scheduler.submit(generation);
        simulation.run();
        long produced = generation.usage().completionTokens();

        simulation.clock.advance(2_000_000_000L);
        simulation.run();

        assertThat(produced).isLessThanOrEqualTo(32);
        Simulation.Output output = take(generation);
        assertThat(output.reason()).isEqualTo(FinishReason.STALLED);
        assertThat(output.only()).hasSize((int) produced);
    }

    @ParameterizedTest(name = "{0} tickets in flight")
    @ValueSource(ints = {1, 2})
    void stopsWhereTheAllowanceEnds(int tickets) {
        Simulation simulation = new Simulation(new Shape().tickets(tickets));
        GenerationState generation = simulation.submit(new GenerationRequest(
                "a",
                tokens(0, 8),
                1,
                100,
                SamplingParameters.GREEDY,
                NO_STOPS,
                false,
                0,
                Long.MAX_VALUE,
                0,
                allowanceOf(7)));

        simulation.run();

        Simulation.Output output = take(generation);
        assertThat(output.only()).hasSize(7);
        assertThat(output.reason()).isEqualTo(FinishReason.LENGTH);
    }

    private static Allowance allowanceOf(int tokens) {
        return new Allowance() {
            private int left = tokens;

            @Override
            public int grant(int count) {
                int given = Math.min(left, count);
                left -= given;
                return given;
            }

            @Override
            public boolean exhausted() {
                return left == 0;
            }
        };
    }

    @Test
    void refusesWhatCanNeverFit() {
        Simulation simulation = new Simulation(new Shape().blocks(4));

        assertThatThrownBy(() -> simulation.submit(tokens(0, 4 * BLOCK), 4))
                .isInstanceOf(RejectedException.class)
                .hasMessageContaining("room for 16");
    }

    @Test
    void aLoneSequenceThatFillsTheCacheEndsWithLength() {
        Simulation simulation = new Simulation(new Shape().blocks(4));
        GenerationState generation = simulation.submit(tokens(0, 8), 100);

        simulation.run();

        Simulation.Output output = take(generation);
        assertThat(output.reason()).isEqualTo(FinishReason.LENGTH);
        assertThat(output.only()).hasSize(8);
    }

    @Test
    void promptLogProbabilitiesCoverEveryTokenButTheFirst() {
        Simulation simulation = new Simulation(new Shape().tokens(7));
        SamplingParameters scored =
                new SamplingParameters(0, 0, 1, 0, 1, 0, 0, SamplingParameters.GREEDY.bias(), 0, 0, new int[0], 0);
        simulation.submit(tokens(0, 30), 1);
        simulation.run();
        GenerationState generation = simulation.submit(new GenerationRequest(
                "e", tokens(0, 30), 1, 0, scored, NO_STOPS, true, 0, Long.MAX_VALUE, 0, Allowance.UNLIMITED));

        simulation.run();

        float[] chosen = generation.promptLogProbabilities().chosen();
        assertThat(chosen).hasSize(30);
        assertThat(chosen[0]).isNaN();
        for (int i = 1; i < 30; i++) {
            assertThat(chosen[i]).isNotNaN();
        }
        assertThat(generation.usage().cachedTokens()).isZero();
        assertThat(take(generation).reason()).isEqualTo(FinishReason.LENGTH);
    }

    @Test
    void whatAnotherWasToComputeAndLeftUndoneIsNotCountedAsCached() {
        long[] computed = new long[1];
        Simulation simulation = new Simulation(new Shape().tokens(16), record -> {
            for (int i = 0; i < record.rows(); i++) {
                computed[0] += "waits".equals(record.request[i].id()) ? record.tokens[i] : 0;
            }
        });
        GenerationState owner = simulation.submit(tokens(0, 81), 1);
        simulation.scheduler.turn();
        GenerationState waits =
                simulation.submit(GenerationRequest.of("waits", tokens(0, 81), 1, SamplingParameters.GREEDY));
        simulation.scheduler.turn();
        owner.cancel();
        simulation.run();

        GenerationUsage usage = waits.usage();
        assertThat(computed[0]).isEqualTo(81 - 32);
        assertThat(usage.cachedTokens()).isEqualTo(32);
        assertThat(usage.savedNanos()).isPositive();
        simulation.scheduler.verifyIntegrity();
    }

    @Test
    void aPrefixThatWasFoundAndLostBeforeItWasUsedIsNotCountedAsCached() {
        Simulation simulation = new Simulation(new Shape().blocks(24).tokens(16));
        int[] prompt = tokens(0, 41);
        simulation.submit(prompt, 1);
        simulation.run();
        HeldBack held = new HeldBack();
        GenerationState waits = simulation.submit(new GenerationRequest(
                "w", prompt, 1, 1, SamplingParameters.GREEDY, NO_STOPS, false, 1, Long.MAX_VALUE, 0, held));
        simulation.scheduler.turn();
        simulation.submit(request(tokens(500, 95), 1, NO_STOPS, 0));
        simulation.run();
        held.granted = true;
        simulation.run();

        assertThat(take(waits).only()).hasSize(1);
        assertThat(waits.usage().preemptions()).isEqualTo(1);
        assertThat(waits.usage().cachedTokens()).isZero();
    }

    /** Grants nothing for now. */
    private static final class HeldBack implements Allowance {
        boolean granted;

        @Override
        public int grant(int tokens) {
            return granted ? tokens : 0;
        }

        @Override
        public boolean exhausted() {
            return false;
        }
    }

    private static GenerationRequest request(int[] prompt, int maxTokens, int[] stops, int priority) {
        return new GenerationRequest(
                "r",
                prompt,
                1,
                maxTokens,
                SamplingParameters.GREEDY,
                stops,
                false,
                priority,
                Long.MAX_VALUE,
                0,
                Allowance.UNLIMITED);
    }
}
