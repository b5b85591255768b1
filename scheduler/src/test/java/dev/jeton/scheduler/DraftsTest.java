package dev.jeton.scheduler;

import static dev.jeton.scheduler.Simulation.take;
import static dev.jeton.scheduler.Simulation.tokens;
import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.TokenGrammar;
import dev.jeton.scheduler.Simulation.Shape;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DraftsTest {

    private static final int LENGTH = 60;

    private static GenerationRequest request(int first, int maxTokens) {
        return GenerationRequest.of("r" + first, tokens(first, 10), maxTokens, SamplingParameters.GREEDY);
    }

    /** What a request gets alone, every {@code wrongEach}-th token of it another one. */
    private static int[] predicted(GenerationRequest request, int wrongEach) {
        List<Integer> right = Simulation.alone(request, 0).only();
        return IntStream.range(0, right.size())
                .map(i -> i % wrongEach == wrongEach - 1 ? right.get(i) ^ 1 : right.get(i))
                .toArray();
    }

    private static GenerationRequest predicted(GenerationRequest request) {
        return request.predicting(predicted(request, Integer.MAX_VALUE));
    }

    @ParameterizedTest(name = "{0} tickets in flight")
    @ValueSource(ints = {1, 2})
    void takesARightPredictionInFewSteps(int tickets) {
        GenerationRequest request = predicted(request(0, LENGTH));
        Simulation simulation = new Simulation(new Shape().drafts(5).tickets(tickets));
        GenerationState generation = simulation.submit(request);

        simulation.run();

        assertThat(take(generation).only())
                .isEqualTo(Simulation.alone(request, 0).only());
        // the prompt, and then six tokens a step: all but the first, of which the last step has five
        assertThat(simulation.scheduler.stats().steps()).isEqualTo(1 + 10);
    }

    @Test
    void saysHowManyDraftsWereRight() {
        GenerationRequest plain = request(0, LENGTH);
        Simulation simulation = new Simulation(new Shape().drafts(5));
        GenerationState generation = simulation.submit(plain.predicting(predicted(plain, 10)));

        simulation.run();

        GenerationUsage.Drafts drafts = generation.usage().drafts();
        DispatcherStats stats = simulation.scheduler.stats();
        assertThat(generation.usage().completionTokens()).isEqualTo(LENGTH);
        assertThat(drafts.accepted()).isBetween(LENGTH / 2, drafts.computed() - 1);
        assertThat(drafts.predicted()).isEqualTo(drafts.computed());
        assertThat(drafts.acceptedPredicted()).isEqualTo(drafts.accepted());
        assertThat(stats.draftTokens()).isEqualTo(drafts.computed());
        assertThat(stats.acceptedDraftTokens()).isEqualTo(drafts.accepted());
        assertThat(stats.decodeTokens()).isEqualTo(LENGTH - 1 + drafts.computed() - drafts.accepted());
    }

    @Test
    void whatIsDiscardedIsNoAcceptedDraft() {
        Simulation simulation = new Simulation(new Shape().drafts(5));
        GenerationState generation = simulation.submit(predicted(request(0, LENGTH)));
        simulation.run();
        GenerationUsage.Drafts before = generation.usage().drafts();
        GenerationEvent event = new GenerationEvent();
        for (int i = 0; i < 9; i++) {
            generation.poll(event);
        }

        generation.stop(0);
        take(generation);

        // the first of them was sampled with the prompt, and the seventh behind five drafts
        assertThat(generation.usage().completionTokens()).isEqualTo(9);
        assertThat(before.accepted()).isEqualTo(LENGTH - 1 - 10);
        assertThat(generation.usage().drafts())
                .isEqualTo(new GenerationUsage.Drafts(before.computed(), 7, before.predicted(), 7));
    }

    @Test
    void draftsNothingWhereThatIsOff() {
        GenerationRequest request = predicted(request(0, LENGTH));
        Simulation simulation = new Simulation(new Shape());
        GenerationState generation = simulation.submit(request);

        simulation.run();

        assertThat(generation.usage().drafts()).isEqualTo(GenerationUsage.Drafts.NONE);
        assertThat(simulation.scheduler.stats().steps()).isEqualTo(LENGTH);
    }

    @ParameterizedTest(name = "{0} tickets in flight")
    @ValueSource(ints = {1, 2})
    void givesBackWhatWasGrantedForWrongDrafts(int tickets) {
        GenerationRequest plain = request(0, 200);
        Purse purse = Purse.closed(LENGTH);
        GenerationRequest request = new GenerationRequest(
                        "r", plain.prompt(), 1, 200, plain.sampling(), new int[0], false, 0, Long.MAX_VALUE, 0, purse)
                .predicting(predicted(plain, 4));
        Simulation simulation = new Simulation(new Shape().drafts(5).tickets(tickets));
        GenerationState generation = simulation.submit(request);

        simulation.run();

        assertThat(take(generation).only())
                .isEqualTo(Simulation.alone(plain, 0).only().subList(0, LENGTH));
        assertThat(purse.givenBack).isPositive();
    }

    @Test
    void oneSequenceDoesNotEndOnWhatAnothersDraftsGiveBack() {
        GenerationRequest plain = request(0, 200);
        Purse purse = Purse.closed(2 * LENGTH);
        SamplingParameters seeded =
                new SamplingParameters(1, 0, 1, 0, 1, 0, 0, SamplingParameters.GREEDY.bias(), 3, 0, new int[0], -1);
        GenerationRequest two = twice(plain, seeded, purse);
        int[] prediction = Simulation.alone(twice(plain, seeded, Allowance.UNLIMITED), 0).tokens.getFirst().stream()
                .mapToInt(token -> token % 9 == 0 ? token ^ 1 : token)
                .toArray();
        Simulation simulation = new Simulation(new Shape().drafts(8).tickets(2));
        GenerationState generation = simulation.submit(two.predicting(prediction));

        simulation.run();

        assertThat(take(generation).tokens.stream().mapToInt(List::size).sum()).isEqualTo(2 * LENGTH);
    }

    @ParameterizedTest(name = "{0} tickets in flight")
    @ValueSource(ints = {1, 2})
    void oneRequestDoesNotEndOnWhatAnothersDraftsGiveBack(int tickets) {
        GenerationRequest plain = request(0, 200);
        List<Integer> alone = Simulation.alone(plain, 0).only();
        int[] prediction = predicted(plain, Integer.MAX_VALUE);
        for (int i = 20; i < prediction.length; i++) {
            prediction[i] ^= 1;
        }
        for (int granted = 10; granted < 90; granted++) {
            Purse purse = Purse.closed(granted);
            Simulation simulation = new Simulation(new Shape().drafts(8).tickets(tickets));
            GenerationState stopped = simulation.submit(
                    paidFrom(purse, plain.prompt(), alone.get(20)).predicting(prediction));
            GenerationState other = simulation.submit(paidFrom(purse, tokens(300, 10)));

            simulation.run();

            assertThat(stopped.usage().completionTokens() + other.usage().completionTokens())
                    .isEqualTo(granted);
        }
    }

    private static GenerationRequest paidFrom(Allowance allowance, int[] prompt, int... stops) {
        return new GenerationRequest(
                "p", prompt, 1, 200, SamplingParameters.GREEDY, stops, false, 0, Long.MAX_VALUE, 0, allowance);
    }

    private static GenerationRequest twice(GenerationRequest plain, SamplingParameters seeded, Allowance allowance) {
        return new GenerationRequest(
                "r", plain.prompt(), 2, 200, seeded, new int[0], false, 0, Long.MAX_VALUE, 0, allowance);
    }

    @Test
    void draftsLessTheMoreAStepWaitsForArithmetic() {
        // each token of a step costs 20 us beyond the 50 that a millisecond of reading weights hides
        List<Long> drafts = new ArrayList<>();
        for (int sequences : new int[] {1, 8, 45, 60}) {
            Simulation simulation = new Simulation(
                    new Shape().drafts(8).sequences(60).tokens(600).blocks(4_000));
            List<GenerationState> all = IntStream.range(0, sequences)
                    .mapToObj(i -> request(15 * i, LENGTH))
                    .map(plain -> plain.predicting(predicted(plain, 4)))
                    .map(simulation::submit)
                    .toList();
            simulation.run();
            assertThat(all).allMatch(generation -> generation.usage().completionTokens() == LENGTH);
            drafts.add(simulation.scheduler.stats().draftTokens() / sequences);
        }
        assertThat(drafts.getFirst()).isGreaterThan(LENGTH / 2);
        assertThat(drafts.getLast()).isLessThan(drafts.getFirst() / 2);
        assertThat(drafts).isSortedAccordingTo((a, b) -> Long.compare(b, a));
    }

    @ParameterizedTest(name = "{0} tickets in flight")
    @ValueSource(ints = {1, 2})
    void isNeverMuchSlowerThanWithout(int tickets) {
        for (int sequences : new int[] {1, 8, 45, 60}) {
            for (int wrongEach : new int[] {1, 2, 3, 6, 20}) {
                long[] took = new long[2];
                for (int with = 0; with < 2; with++) {
                    Simulation simulation = new Simulation(new Shape()
                            .drafts(8 * with)
                            .tickets(tickets)
                            .sequences(60)
                            .tokens(600)
                            .blocks(4_000));
                    List<GenerationState> all = new ArrayList<>();
                    for (int i = 0; i < sequences; i++) {
                        GenerationRequest plain = request(15 * i, LENGTH);
                        all.add(simulation.submit(plain.predicting(predicted(plain, wrongEach))));
                    }
                    simulation.run();
                    took[with] = all.stream()
                            .mapToLong(generation -> generation.usage().totalNanos())
                            .sum();
                }
                assertThat((double) took[1] / took[0])
                        .as("%d sequences, each %d-th token wrong", sequences, wrongEach)
                        .isLessThan(1.1);
            }
        }
    }

    @ParameterizedTest(name = "{0} tickets in flight")
    @ValueSource(ints = {1, 2})
    void draftsTakeNothingOfAStepFromPromptsThatWait(int tickets) {
        Simulation simulation = new Simulation(new Shape().drafts(7).tokens(16).tickets(tickets));
        for (int first : new int[] {0, 15}) {
            simulation.submit(predicted(request(first, 200)));
        }
        for (int i = 0; i < 6; i++) {
            simulation.scheduler.turn();
        }
        GenerationState prompt =
                simulation.submit(GenerationRequest.of("p", tokens(300, 100), 1, SamplingParameters.GREEDY));

        simulation.run();

        // there is room for 14 of its tokens in a step, beside those of the two
        GenerationUsage usage = prompt.usage();
        assertThat(usage.queueNanos() + usage.prefillNanos()).isLessThan(12 * 1_100_000);
    }

    @Test
    void noDraftTakesTheBlockThatAnothersNextTokenNeeds() {
        GenerationRequest plain = request(0, LENGTH);
        List<Integer> alone = Simulation.alone(plain, 0).only();
        int[] prediction = predicted(plain, 1);
        prediction[0] = alone.getFirst();
        Simulation simulation = new Simulation(new Shape().drafts(8).blocks(7));
        // it ends before it needs a fourth block; the other needs one for its second token
        GenerationState drafting = simulation.submit(
                paidFrom(Allowance.UNLIMITED, plain.prompt(), alone.get(1)).predicting(prediction));
        GenerationState other = simulation.submit(tokens(300, 12), 4);

        simulation.run();

        assertThat(take(drafting).only()).isEqualTo(alone.subList(0, 1));
        assertThat(take(other).only()).hasSize(4);
        assertThat(drafting.usage().drafts().computed()).isPositive();
        assertThat(simulation.scheduler.stats().preemptions()).isZero();
    }

    @Test
    void draftsOfOneSequenceLeaveTheOthersOfItsRequestRoomInTheRing() {
        SamplingParameters seeded =
                new SamplingParameters(1, 0, 1, 0, 1, 0, 0, SamplingParameters.GREEDY.bias(), 3, 0, new int[0], -1);
        GenerationRequest two = twice(request(0, 200), seeded, Allowance.UNLIMITED);
        Simulation.Output alone = Simulation.alone(two, 0);
        Simulation simulation = new Simulation(new Shape().drafts(8).ring(8));
        GenerationState generation = simulation.submit(two.predicting(
                alone.tokens.getFirst().stream().mapToInt(Integer::intValue).toArray()));
        int[] taken = new int[2];
        GenerationEvent event = new GenerationEvent();

        for (int turn = 0; turn < 60; turn++) {
            simulation.scheduler.turn();
            for (int i = 0; i < 3 && generation.poll(event); i++) {
                taken[event.sequence]++;
            }
        }

        // a slow reader: there is room for three tokens at a time
        assertThat(taken[0] + taken[1]).isGreaterThan(150);
        assertThat(taken[1]).isGreaterThan(40);
    }

    @Test
    void ofAGrammarItDraftsWhatIsAllowedAlone() {
        StepGrammar grammar = new StepGrammar(Simulation.VOCABULARY, 30, 30);
        GenerationRequest guided = request(0, LENGTH).guided(grammar);
        GenerationRequest request = guided.predicting(predicted(guided, Integer.MAX_VALUE));
        Simulation simulation = new Simulation(new Shape().drafts(5));
        GenerationState right = simulation.submit(request);
        GenerationState wrong = simulation.submit(guided.predicting(
                IntStream.of(request.prediction()).map(token -> token ^ 1).toArray()));

        simulation.run();

        List<Integer> alone = Simulation.alone(guided, 0).only();
        assertThat(take(right).only()).isEqualTo(alone).hasSize(30);
        assertThat(take(wrong).only()).isEqualTo(alone);
        assertThat(right.usage().drafts().accepted()).isGreaterThan(20);
        assertThat(wrong.usage().drafts()).isEqualTo(GenerationUsage.Drafts.NONE);
    }

    @Test
    void computesNothingPastAStopToken() {
        GenerationRequest plain = request(0, LENGTH);
        List<Integer> alone = Simulation.alone(plain, 0).only();
        int[] stops = {alone.get(20)};
        GenerationRequest request = new GenerationRequest(
                        "r",
                        plain.prompt(),
                        1,
                        LENGTH,
                        plain.sampling(),
                        stops,
                        false,
                        0,
                        Long.MAX_VALUE,
                        0,
                        Allowance.UNLIMITED)
                .predicting(predicted(plain, Integer.MAX_VALUE));
        Simulation simulation = new Simulation(new Shape().drafts(7));
        GenerationState generation = simulation.submit(request);

        simulation.run();

        assertThat(take(generation).only()).isEqualTo(alone.subList(0, alone.indexOf(stops[0])));
        assertThat(generation.usage().overrunTokens()).isZero();
    }

    /**
     * Texts of which every token is given, and known before.
     *
     * @param wrongEach how often what it calls likely is not so
     */
    private record GivenText(int vocabulary, int length, int wrongEach) implements TokenGrammar {

        @Override
        public Cursor begin() {
            return new At(0);
        }

        private int token(int place) {
            return (place * 31 + 5) % vocabulary;
        }

        private final class At implements Cursor {
            private int place;

            At(int place) {
                this.place = place;
            }

            @Override
            public boolean mask(long[] bits, int from) {
                Arrays.fill(bits, from, from + (vocabulary + 63) / 64, 0);
                if (place < length) {
                    bits[from + (token(place) >>> 6)] |= 1L << token(place);
                }
                return true;
            }

            @Override
            public boolean accept(int token) {
                return place < length && token == token(place++);
            }

            @Override
            public int likely(int[] next, int most) {
                int count = Math.min(most, length - place);
                for (int i = 0; i < count; i++) {
                    next[i] = token(place + i) + ((place + i) % wrongEach == wrongEach - 1 ? 1 : 0);
                }
                return count;
            }

            @Override
            public boolean mayEnd() {
                return place == length;
            }

            @Override
            public boolean mustEnd() {
                return place == length;
            }

            @Override
            public Cursor copy() {
                return new At(place);
            }
        }
    }

    @ParameterizedTest(name = "{0} tickets in flight")
    @ValueSource(ints = {1, 2})
    void draftsWhatAGrammarLeavesNoChoiceAbout(int tickets) {
        GenerationRequest request =
                request(0, 200).guided(new GivenText(Simulation.VOCABULARY, LENGTH, Integer.MAX_VALUE));
        Simulation simulation = new Simulation(new Shape().drafts(5).tickets(tickets));
        GenerationState generation = simulation.submit(request);

        simulation.run();

        assertThat(take(generation).only())
                .isEqualTo(Simulation.alone(request, 0).only())
                .hasSize(LENGTH);
        // the prompt, and then six tokens a step
        assertThat(simulation.scheduler.stats().steps()).isEqualTo(1 + 10);
        assertThat(generation.usage().drafts().predicted()).isZero();
    }

    @Test
    void aGrammarsWrongSuggestionsCostTheDraftsBehindThem() {
        GenerationRequest request = request(0, 200).guided(new GivenText(Simulation.VOCABULARY, LENGTH, 7));
        Simulation simulation = new Simulation(new Shape().drafts(5));
        GenerationState generation = simulation.submit(request);

        simulation.run();

        assertThat(take(generation).only())
                .isEqualTo(Simulation.alone(request, 0).only())
                .hasSize(LENGTH);
        assertThat(generation.usage().drafts().accepted()).isBetween(LENGTH / 2, LENGTH - LENGTH / 7);
    }

    @Test
    void leavesOutWhatIsNoTokenOfTheEngine() {
        GenerationRequest plain = request(0, LENGTH);
        int[] prediction = predicted(plain, Integer.MAX_VALUE);
        prediction[10] = Simulation.VOCABULARY;
        prediction[30] = -1;
        Simulation simulation = new Simulation(new Shape().drafts(8));
        GenerationState generation = simulation.submit(plain.predicting(prediction));

        simulation.run();

        assertThat(take(generation).only()).isEqualTo(Simulation.alone(plain, 0).only());
        assertThat(generation.usage().drafts().accepted()).isGreaterThan(LENGTH / 2);
    }

    @Test
    void aSmallRingTakesWhatItHasRoomFor() {
        GenerationRequest request = predicted(request(0, LENGTH));
        Simulation simulation = new Simulation(new Shape().drafts(8).ring(4));
        GenerationState generation = simulation.submit(request);
        Simulation.Output output = new Simulation.Output(1);

        for (int i = 0; i < 200 && Optional.ofNullable(output.reason()).isEmpty(); i++) {
            simulation.run();
            take(generation, output);
        }

        assertThat(output.only()).isEqualTo(Simulation.alone(request, 0).only());
        assertThat(generation.usage().drafts().accepted()).isPositive();
    }
}
