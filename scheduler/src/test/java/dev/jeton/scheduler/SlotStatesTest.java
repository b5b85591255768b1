package dev.jeton.scheduler;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.engine.Engine;
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
 * An engine with a state in each slot, which refuses rows that do not go on from it and samples other tokens from a
 * wrong one.
 */
class SlotStatesTest {

    /** What each further sequence of a request adds to the seed of its first. */
    private static final long SEED_STEP = 0x9e3779b97f4a7c15L;

    /** Notes whose state was copied to whom. */
    private static final class Copying extends EngineAround {
        final List<String> copies = new ArrayList<>();

        Copying(Engine engine) {
            super(engine);
        }

        @Override
        public void copyState(int from, int to) {
            copies.add(from + " to " + to);
            super.copyState(from, to);
        }
    }

    private static SamplingParameters seeded(long seed) {
        return new SamplingParameters(1, 0, 1, 0, 1, 0, 0, SamplingParameters.GREEDY.bias(), seed, 0, new int[0], -1);
    }

    private static GenerationRequest request(
            String id, int[] prompt, int sequences, int maxTokens, SamplingParameters sampling, int priority) {
        return new GenerationRequest(
                id,
                prompt,
                sequences,
                maxTokens,
                sampling,
                new int[0],
                false,
                priority,
                Long.MAX_VALUE,
                0,
                Allowance.UNLIMITED);
    }

    /** What a sequence of a request gets as the only one of a request that is alone, so that nothing forks. */
    private static List<Integer> alone(GenerationRequest request, int index, int window) {
        SamplingParameters sampling = request.sampling();
        GenerationRequest single = request(
                        request.id(),
                        request.prompt(),
                        1,
                        request.maxTokens(),
                        sampling.withSeed(sampling.seed() + index * SEED_STEP),
                        request.priority())
                .through(request.adapter());
        GenerationRequest same = request.grammar().map(single::guided).orElse(single);
        return Simulation.alone(same, new Shape().withStates().window(window)).only();
    }

    /** Prompts of three families that share prefixes, of one to three sequences. */
    private static GenerationRequest request(Random random, int id) {
        int[] prompt =
                random.ints(1 + random.nextInt(60), 0, Simulation.VOCABULARY).toArray();
        int shared = random.nextInt(prompt.length + 1);
        System.arraycopy(Simulation.tokens(100 * random.nextInt(3), shared), 0, prompt, 0, shared);
        GenerationRequest request = request(
                        "r" + id,
                        prompt,
                        1 + random.nextInt(3),
                        1 + random.nextInt(40),
                        seeded(random.nextInt(50)),
                        random.nextInt(3))
                .through(random.nextInt(2));
        return random.nextInt(4) > 0 ? request : request.guided(new StepGrammar(Simulation.VOCABULARY, 3, 20));
    }

    @ParameterizedTest(name = "seed {0}")
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})
    void everySequenceGetsTheTokensThatItGetsAlone(int seed) {
        Random random = new Random(seed);
        int window = seed % 3 == 0 ? 10 : 0;
        Simulation simulation = new Simulation(new Shape()
                .withStates()
                .blocks(26 + random.nextInt(20))
                .window(window)
                .sequences(3 + random.nextInt(6))
                .tokens(8 + random.nextInt(24))
                .tickets(1 + seed % 2)
                .drafts(4));
        List<GenerationState> live = new ArrayList<>();
        List<Output> outputs = new ArrayList<>();
        boolean[] cancelled = new boolean[60];
        for (int turn = 0; turn < 1_200; turn++) {
            if (turn % 20 == 0) {
                live.add(simulation.submit(request(random, turn)));
                outputs.add(new Output(live.getLast().request().sequences()));
                simulation.scheduler.verifyIntegrity();
            }
            if (random.nextInt(80) == 0) {
                int victim = random.nextInt(live.size());
                live.get(victim).cancel();
                cancelled[victim] = true;
            }
            if (!simulation.scheduler.turn()) {
                simulation.clock.advance(random.nextInt(5_000_000));
            }
            for (int i = 0; i < live.size(); i++) {
                Simulation.take(live.get(i), outputs.get(i));
            }
        }
        simulation.run();

        for (int i = 0; i < live.size(); i++) {
            Simulation.take(live.get(i), outputs.get(i));
            check(live.get(i), outputs.get(i), cancelled[i], window);
        }
        DispatcherStats stats = simulation.scheduler.stats();
        assertThat(stats.preemptions()).isPositive();
        assertThat(stats.prefixHitTokens()).isZero();
        assertThat(stats.draftTokens()).isZero();
        assertThat(stats.blocksHeld() + stats.blocksComputing() + stats.blocksCached())
                .isZero();
        simulation.scheduler.verifyIntegrity();
    }

    private static void check(GenerationState generation, Output output, boolean cancelled, int window) {
        assertThat(generation.done()).isTrue();
        assertThat(generation.usage().cachedTokens()).isZero();
        for (int s = 0; s < generation.request().sequences(); s++) {
            List<Integer> expected = alone(generation.request(), s, window);
            List<Integer> actual = output.tokens.get(s);
            assertThat(actual).isEqualTo(cancelled ? expected.subList(0, actual.size()) : expected);
            assertThat(output.reasons.get(s)).isNotEqualTo(FinishReason.ERROR);
        }
    }

    @ParameterizedTest(name = "a prompt of {0} tokens")
    @ValueSource(ints = {1, 2, 4, 5, 21})
    void forksGoOnFromTheirParentsState(int length) {
        for (int tickets = 1; tickets <= 2; tickets++) {
            List<Copying> engines = new ArrayList<>();
            Simulation simulation =
                    new Simulation(new Shape().withStates().tokens(8).tickets(tickets), StepListener.NONE, engine -> {
                        engines.add(new Copying(engine));
                        return engines.getLast();
                    });
            GenerationState other = simulation.submit(Simulation.tokens(50, 9), 30);
            simulation.scheduler.turn();
            GenerationRequest request = request("forks", Simulation.tokens(7, length), 3, 12, seeded(5), 0);
            GenerationState generation = simulation.submit(request);
            simulation.run();

            Output output = Simulation.take(generation);
            for (int s = 0; s < 3; s++) {
                assertThat(output.tokens.get(s)).isEqualTo(alone(request, s, 0));
            }
            assertThat(output.tokens).doesNotHaveDuplicates();
            assertThat(Simulation.take(other).only()).isEqualTo(alone(other.request(), 0, 0));
            // at the first token there is no state yet
            assertThat(engines.getFirst().copies).isEqualTo(length == 1 ? List.of() : List.of("1 to 2", "1 to 3"));
        }
    }

    @Test
    void aPromptThatWasJustComputedIsComputedAgain() {
        Simulation simulation = new Simulation(new Shape().withStates());
        for (int i = 0; i < 2; i++) {
            GenerationState generation = simulation.submit(Simulation.tokens(0, 40), 5);
            simulation.run();
            assertThat(generation.usage().cachedTokens()).isZero();
        }
        assertThat(simulation.scheduler.stats().prefillTokens()).isEqualTo(80);
        assertThat(simulation.scheduler.stats().prefixQueriedTokens()).isZero();
    }

    @Test
    void aSequenceThatWasPreemptedIsComputedFromItsFirstTokenOn() {
        Simulation simulation =
                new Simulation(new Shape().withStates().blocks(16).tokens(16));
        GenerationState preempted =
                simulation.submit(request("late", Simulation.tokens(0, 20), 1, 20, SamplingParameters.GREEDY, 1));
        for (int i = 0; i < 5; i++) {
            simulation.scheduler.turn();
        }
        simulation.submit(request("first", Simulation.tokens(300, 45), 1, 4, SamplingParameters.GREEDY, 0));
        simulation.run();

        assertThat(preempted.totals.preemptions).isOne();
        assertThat(preempted.totals.recomputedTokens).isGreaterThanOrEqualTo(20);
        assertThat(Simulation.take(preempted).only()).isEqualTo(alone(preempted.request(), 0, 0));
    }
}
