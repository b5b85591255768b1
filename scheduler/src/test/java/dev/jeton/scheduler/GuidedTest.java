package dev.jeton.scheduler;

import static dev.jeton.scheduler.Simulation.VOCABULARY;
import static dev.jeton.scheduler.Simulation.take;
import static dev.jeton.scheduler.Simulation.tokens;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.TokenGrammar;
import dev.jeton.models.grammar.Grammar;
import dev.jeton.models.grammar.GrammarSpec;
import dev.jeton.models.grammar.GrammarVocabulary;
import dev.jeton.models.grammar.ReasoningGrammar;
import dev.jeton.models.grammar.ReasoningTokens;
import dev.jeton.models.reasoning.ReasoningFormat;
import dev.jeton.models.reasoning.ReasoningFormat.Opening;
import dev.jeton.models.sim.SimClock;
import dev.jeton.scheduler.Simulation.Output;
import dev.jeton.scheduler.Simulation.Shape;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Sequences that must spell what a grammar allows. */
class GuidedTest {

    private static final SamplingParameters SAMPLED =
            new SamplingParameters(1, 0, 1, 0, 1, 0, 0, SamplingParameters.GREEDY.bias(), 5, 0, new int[0], -1);

    private static GenerationRequest request(int sequences, int maxTokens, int[] stops, TokenGrammar grammar) {
        return new GenerationRequest(
                        "g",
                        tokens(0, 10),
                        sequences,
                        maxTokens,
                        SAMPLED,
                        stops,
                        false,
                        0,
                        Long.MAX_VALUE,
                        0,
                        Allowance.UNLIMITED)
                .guided(grammar);
    }

    @ParameterizedTest(name = "{0} tickets in flight")
    @ValueSource(ints = {1, 2})
    void endsWhereNothingMayFollow(int tickets) {
        StepGrammar grammar = new StepGrammar(VOCABULARY, 6, 6);
        Simulation simulation = new Simulation(new Shape().tickets(tickets));
        GenerationState generation = simulation.submit(request(1, 50, new int[0], grammar));

        simulation.run();

        Output output = take(generation);
        assertThat(output.only()).hasSize(6);
        assertThat(grammar.begins(output.only())).isTrue();
        assertThat(output.reason()).isEqualTo(FinishReason.STOP);
        assertThat(generation.usage().completionTokens()).isEqualTo(6);
    }

    @ParameterizedTest(name = "{0} tickets in flight")
    @ValueSource(ints = {1, 2})
    void samplesAStopTokenOnlyWhereTheTextMayEnd(int tickets) {
        StepGrammar grammar = new StepGrammar(VOCABULARY, 4, 400);
        int[] stops = new int[VOCABULARY / 2];
        for (int i = 0; i < stops.length; i++) {
            stops[i] = i;
        }
        // half of all tokens end it, so whatever may be sampled first is past them unless the grammar says otherwise
        TokenGrammar upper = new UpperHalf(grammar);
        Simulation simulation = new Simulation(new Shape().tickets(tickets));
        GenerationState generation = simulation.submit(request(1, 400, stops, upper));

        simulation.run();

        Output output = take(generation);
        assertThat(output.only().size()).isBetween(4, 30);
        assertThat(grammar.begins(output.only())).isTrue();
        assertThat(output.reason()).isEqualTo(FinishReason.STOP);
    }

    /** The same without tokens of the lower half. */
    private record UpperHalf(StepGrammar inner) implements TokenGrammar {

        @Override
        public int vocabulary() {
            return inner.vocabulary();
        }

        @Override
        public Cursor begin() {
            return at(inner.begin());
        }

        private static Cursor at(Cursor cursor) {
            return new Cursor() {
                @Override
                public Cursor copy() {
                    return at(cursor.copy());
                }

                @Override
                public boolean mask(long[] bits, int from) {
                    cursor.mask(bits, from);
                    for (int token = 0; token < VOCABULARY / 2; token++) {
                        bits[from + (token >>> 6)] &= ~(1L << token);
                    }
                    return true;
                }

                @Override
                public boolean accept(int token) {
                    return token >= VOCABULARY / 2 && cursor.accept(token);
                }

                @Override
                public boolean mayEnd() {
                    return cursor.mayEnd();
                }

                @Override
                public boolean mustEnd() {
                    return cursor.mustEnd();
                }
            };
        }
    }

    @ParameterizedTest(name = "{0} tickets in flight")
    @ValueSource(ints = {1, 2})
    void guidesEachForkFromTheBeginning(int tickets) {
        StepGrammar grammar = new StepGrammar(VOCABULARY, 9, 9);
        Simulation simulation = new Simulation(new Shape().tickets(tickets));
        GenerationState generation = simulation.submit(request(4, 50, new int[0], grammar));

        simulation.run();

        Output output = take(generation);
        assertThat(output.tokens).doesNotHaveDuplicates().allMatch(text -> text.size() == 9 && grammar.begins(text));
    }

    @Test
    void keepsTwoStepsInFlight() {
        Simulation plain = new Simulation(new Shape().tickets(2));
        plain.submit(tokens(0, 10), 40);
        plain.run();
        Simulation guided = new Simulation(new Shape().tickets(2));
        guided.submit(request(1, 40, new int[0], new StepGrammar(VOCABULARY, 400, 400)));
        guided.run();
        // the next step is launched before the one before it has landed: else the device would wait for the host
        assertThat(guided.clock.getAsLong()).isEqualTo(plain.clock.getAsLong());
        assertThat(guided.scheduler.stats().overrunTokens()).isZero();
    }

    @Test
    void failsOnlyTheSequenceForWhichNoTokenIsLeft() {
        Simulation simulation = new Simulation(new Shape());
        TokenGrammar nothing = new StepGrammar(VOCABULARY, 99, 0);
        GenerationState stuck = simulation.submit(request(1, 20, new int[0], nothing));
        GenerationState other = simulation.submit(tokens(50, 10), 20);

        simulation.run();

        assertThat(take(stuck).reasons).containsExactly(FinishReason.ERROR);
        assertThat(take(other).reasons).containsExactly(FinishReason.LENGTH);
    }

    @ParameterizedTest(name = "{0} tickets in flight")
    @ValueSource(ints = {1, 2})
    void endsOnlyTheSequenceWhoseMaskTakesTooLong(int tickets) {
        TokenGrammar slow = new AmbiguousAfter(new StepGrammar(VOCABULARY, 99, 99), 5);
        Simulation simulation = new Simulation(new Shape().tickets(tickets));
        GenerationState given = simulation.submit(request(1, 40, new int[0], slow));
        GenerationState other = simulation.submit(tokens(50, 10), 20);

        simulation.run();

        Output output = take(given);
        assertThat(output.only()).hasSize(5);
        assertThat(output.reasons).containsExactly(FinishReason.ERROR);
        assertThat(output.messages.getFirst()).contains("too ambiguous");
        assertThat(take(other).reasons).containsExactly(FinishReason.LENGTH);
        simulation.scheduler.verifyIntegrity();
    }

    /** The same, but it cannot say what follows so many tokens. */
    private record AmbiguousAfter(StepGrammar inner, int tokens) implements TokenGrammar {

        @Override
        public int vocabulary() {
            return inner.vocabulary();
        }

        @Override
        public Cursor begin() {
            return at(inner.begin(), 0);
        }

        private Cursor at(Cursor cursor, int before) {
            return new Cursor() {
                private int taken = before;

                @Override
                public Cursor copy() {
                    return at(cursor.copy(), taken);
                }

                @Override
                public boolean mask(long[] bits, int from) {
                    return taken < tokens && cursor.mask(bits, from);
                }

                @Override
                public boolean accept(int token) {
                    taken++;
                    return cursor.accept(token);
                }

                @Override
                public boolean mayEnd() {
                    return cursor.mayEnd();
                }

                @Override
                public boolean mustEnd() {
                    return cursor.mustEnd();
                }
            };
        }
    }

    @Test
    void refusesAGrammarWhereTheEngineFollowsNone() {
        VectorEngine engine = new VectorEngine(64, 4, 64, 1, new SimClock(0));
        GenerationRequest request = request(1, 5, new int[0], new StepGrammar(VOCABULARY, 1, 2));
        assertThatThrownBy(() -> GrammarMasks.check(request, engine.info()))
                .isInstanceOf(RejectedException.class)
                .hasMessageContaining("follows no grammars");
    }

    @Test
    void refusesAGrammarOverAnotherVocabulary() {
        Simulation simulation = new Simulation(new Shape());
        GenerationRequest request = request(1, 5, new int[0], new StepGrammar(VOCABULARY + 1, 1, 2));
        assertThatThrownBy(() -> simulation.submit(request))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("1001 tokens");
    }

    @Test
    void goesOnWhereItWasAfterAPreemption() {
        StepGrammar grammar = new StepGrammar(VOCABULARY, 60, 60);
        Simulation simulation = new Simulation(new Shape().blocks(30).sequences(4));
        List<GenerationState> all = List.of(
                simulation.submit(request(1, 99, new int[0], grammar)),
                simulation.submit(request(1, 99, new int[0], grammar)));

        simulation.run();

        assertThat(simulation.scheduler.stats().preemptions()).isPositive();
        List<Integer> alone =
                Simulation.alone(request(1, 99, new int[0], grammar), 0).only();
        assertThat(all)
                .allSatisfy(generation -> assertThat(take(generation).only()).isEqualTo(alone));
    }

    /** Thinking of at most 20 tokens, then yes or no; all in tokens of one to three bytes. */
    private static TokenGrammar thinking(Opening opening) {
        GrammarVocabulary vocabulary = new GrammarVocabulary(VOCABULARY, GuidedTest::spelled, false);
        return new ReasoningGrammar(
                new ReasoningTokens(vocabulary, ReasoningFormat.QWEN3),
                Optional.of(Grammar.compile(new GrammarSpec.Choice(List.of("yes", "no")), vocabulary, true)),
                opening,
                20,
                new int[] {3});
    }

    private static byte[] spelled(int token) {
        List<String> words = List.of("</", "thi", "nk>", "<th", "ink", ">", "ye", "s", "no", "\n\n");
        String text = token < 128 ? String.valueOf((char) token) : words.get(token % words.size());
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    private static String text(List<Integer> tokens) {
        return tokens.stream()
                .map(token -> new String(spelled(token), StandardCharsets.US_ASCII))
                .collect(Collectors.joining());
    }

    @ParameterizedTest
    @EnumSource(names = {"THINKING", "EITHER"})
    void thinksWithinItsBoundWhateverIsInFlightForkedOrPreempted(Opening opening) {
        GenerationRequest request = request(8, 99, new int[] {3}, thinking(opening));
        Output alone = Simulation.alone(request, 0);
        assertThat(alone.tokens).hasSize(8).allSatisfy(tokens -> {
            assertThat(text(tokens)).matches("(?s).*(yes|no)");
            assertThat(tokens.size()).isLessThan(20 + "<think></think>\n\nyes".length());
        });
        assertThat(alone.tokens).anyMatch(tokens -> text(tokens).contains("</think>"));
        for (int tickets = 1; tickets <= 2; tickets++) {
            Simulation simulation =
                    new Simulation(new Shape().tickets(tickets).blocks(30).sequences(16));
            List<GenerationState> all = List.of(simulation.submit(request), simulation.submit(request));

            simulation.run();

            assertThat(simulation.scheduler.stats().preemptions()).isPositive();
            assertThat(all)
                    .allSatisfy(
                            generation -> assertThat(take(generation).tokens).isEqualTo(alone.tokens));
        }
    }

    /** Free, but that the beginning of a mark is gone on with and followed by yes or no. */
    private static Grammar tagged() {
        GrammarVocabulary vocabulary = new GrammarVocabulary(VOCABULARY, GuidedTest::spelled, false);
        GrammarSpec rest = new GrammarSpec.Choice(List.of("ink>yes", "ink>no", "ink>yes</thi"));
        return Grammar.compile(
                new GrammarSpec.Tags(List.of(new GrammarSpec.Tag(List.of("<th"), rest)), false, false),
                vocabulary,
                true);
    }

    /** Counts the masks that it is asked for. */
    private static final class Counted implements TokenGrammar {
        private final TokenGrammar inner;
        private int masks;

        Counted(TokenGrammar inner) {
            this.inner = inner;
        }

        @Override
        public int vocabulary() {
            return inner.vocabulary();
        }

        @Override
        public Cursor begin() {
            return at(inner.begin());
        }

        private Cursor at(Cursor cursor) {
            return new Cursor() {
                @Override
                public Cursor copy() {
                    return at(cursor.copy());
                }

                @Override
                public boolean mask(long[] bits, int from) {
                    masks++;
                    return cursor.mask(bits, from);
                }

                @Override
                public boolean accept(int token) {
                    return cursor.accept(token);
                }

                @Override
                public boolean free() {
                    return cursor.free();
                }

                @Override
                public boolean mayEnd() {
                    return cursor.mayEnd();
                }

                @Override
                public boolean mustEnd() {
                    return cursor.mustEnd();
                }
            };
        }
    }

    @Test
    void followsATagWhereverOneBeginsWhateverIsInFlightForkedOrPreempted() {
        GenerationRequest request = request(8, 99, new int[] {3}, tagged());
        Output alone = Simulation.alone(request, 0);
        assertThat(alone.tokens).anyMatch(tokens -> text(tokens).contains("<think>"));
        assertThat(alone.tokens)
                .allSatisfy(tokens -> assertThat(text(tokens) + "~")
                        .as("a tag is followed, but where the length cuts it")
                        .matches("(?s)([^<]|<(?!th)|<think>(yes|no)|<th(i|in|ink|ink>|ink>y|ink>ye|ink>n)?~)*"));
        for (int tickets = 1; tickets <= 2; tickets++) {
            Simulation simulation =
                    new Simulation(new Shape().tickets(tickets).blocks(30).sequences(16));
            List<GenerationState> all = List.of(simulation.submit(request), simulation.submit(request));

            simulation.run();

            assertThat(simulation.scheduler.stats().preemptions()).isPositive();
            assertThat(all)
                    .allSatisfy(
                            generation -> assertThat(take(generation).tokens).isEqualTo(alone.tokens));
        }
    }

    @ParameterizedTest(name = "{0} tickets in flight")
    @ValueSource(ints = {1, 2})
    void makesNoMaskForATextThatIsFree(int tickets) {
        Counted grammar = new Counted(tagged());
        Simulation plain = new Simulation(new Shape().tickets(tickets));
        GenerationState unbound = plain.submit(new GenerationRequest(
                "g", tokens(0, 10), 1, 300, SAMPLED, new int[] {3}, false, 0, Long.MAX_VALUE, 0, Allowance.UNLIMITED));
        plain.run();
        List<Integer> free = take(unbound).only();
        int before = text(free).indexOf("<th");
        assertThat(before).isPositive();
        int until = 0;
        while (text(free.subList(0, until + 1)).length() <= before) {
            until++;
        }
        Simulation guided = new Simulation(new Shape().tickets(tickets));
        GenerationState bound = guided.submit(request(1, until, new int[] {3}, grammar));
        guided.run();

        assertThat(take(bound).only()).isEqualTo(free.subList(0, until));
        assertThat(grammar.masks).as("masks before a tag begins").isZero();
        GenerationState on = guided.submit(request(1, until + 20, new int[] {3}, grammar));
        guided.run();
        assertThat(take(on).only())
                .hasSize(until + 20)
                .startsWith(free.subList(0, until).toArray(Integer[]::new));
        assertThat(grammar.masks).as("masks within tags").isBetween(1, 19);
    }

    @ParameterizedTest(name = "{0} tickets in flight")
    @ValueSource(ints = {1, 2})
    void samplesNoStopTokenWhereTheTextMayNotEndThoughItSpellsWhatMayCome(int tickets) {
        GrammarVocabulary vocabulary = new GrammarVocabulary(VOCABULARY, GuidedTest::spelled, false);
        Grammar grammar = Grammar.compile(new GrammarSpec.Regex("y{50}n?"), vocabulary, true);
        Simulation simulation = new Simulation(new Shape().tickets(tickets));
        GenerationState generation = simulation.submit(request(1, 99, new int[] {'n', 'y'}, grammar));

        simulation.run();

        Output output = take(generation);
        // nothing but a stop token is left at the beginning, and that ends it
        assertThat(output.only()).isEmpty();
        assertThat(output.reason()).isEqualTo(FinishReason.STOP);

        Grammar either = Grammar.compile(new GrammarSpec.Regex("(y|n|s){50}"), vocabulary, true);
        GenerationState other = simulation.submit(request(1, 99, new int[] {'n', 'y'}, either));
        simulation.run();
        assertThat(text(take(other).only())).matches("s{50}");
    }
}
