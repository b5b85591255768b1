package dev.jeton.models.grammar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.engine.TokenGrammar.Cursor;
import dev.jeton.models.harmony.HarmonyMark;
import dev.jeton.models.reasoning.ChannelUse;
import dev.jeton.models.reasoning.ReasoningFormat.Opening;
import dev.jeton.models.reasoning.ReasoningPlace;
import dev.jeton.models.reasoning.ReasoningSplitter;
import dev.jeton.models.tools.HarmonyFormat;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Answers in channels, held to what they must be. */
class ChannelGrammarTest {

    private static final ReasoningPlace ROLE = new ReasoningPlace(Opening.EITHER, "assistant");
    private static final int UNBOUNDED = ReasoningGrammar.UNBOUNDED;

    private static final List<String> WORDS = List.of(
            "analysis",
            "assistant",
            "assist",
            "final",
            "commentary",
            "comment",
            "ary",
            " to",
            "=functions",
            ".f",
            ".",
            "json",
            " json",
            "yes",
            "no",
            "functions.g",
            "to=functions.f",
            "\u00e9",
            "<eos>");

    private static final GrammarSpec.Function F = new GrammarSpec.Function(
            "f",
            Map.of(
                    "type",
                    "object",
                    "properties",
                    Map.of("n", Map.of("enum", List.of(1L, 2L))),
                    "required",
                    List.of("n"),
                    "additionalProperties",
                    false),
            true);
    private static final GrammarSpec.Function G = new GrammarSpec.Function("g", Map.of("type", "object"), false);
    private static final GrammarSpec YES_OR_NO = new GrammarSpec.Choice(List.of("yes", "no"));

    private final List<byte[]> tokens = new ArrayList<>();
    private final GrammarVocabulary vocabulary = vocabulary(true);
    private final int[] stops = {id("<|return|>"), id("<|call|>"), id("<eos>")};

    private GrammarVocabulary vocabulary(boolean marks) {
        tokens.clear();
        for (int b = 0; b < 256; b++) {
            tokens.add(new byte[] {(byte) b});
        }
        WORDS.forEach(word -> tokens.add(word.getBytes(StandardCharsets.UTF_8)));
        for (HarmonyMark mark : HarmonyMark.values()) {
            tokens.add((marks ? mark.text() : "x" + mark).getBytes(StandardCharsets.UTF_8));
        }
        return new GrammarVocabulary(tokens.size(), tokens::get, id -> id >= tokens.size() - 8, false);
    }

    private int id(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        for (int id = tokens.size() - 1; id >= 0; id--) {
            if (Arrays.equals(tokens.get(id), bytes)) {
                return id;
            }
        }
        throw new IllegalArgumentException(text);
    }

    private String text(int id) {
        return new String(tokens.get(id), StandardCharsets.UTF_8);
    }

    private Cursor cursor(Optional<GrammarSpec> spec, ReasoningPlace place, int most) {
        Optional<Grammar> message = spec.map(given -> Grammar.compile(given, vocabulary, true));
        Optional<Grammar> behind = spec.filter(GrammarSpec.Channels.class::isInstance)
                .flatMap(given -> ((GrammarSpec.Channels) given).behind())
                .map(given -> Grammar.compile(given, vocabulary, true));
        return new ChannelGrammar(new ChannelTokens(vocabulary), message, behind, place, most, stops).begin();
    }

    private Cursor cursor(GrammarSpec spec) {
        return cursor(Optional.of(spec), ROLE, UNBOUNDED);
    }

    private static GrammarSpec channels(GrammarSpec answer, GrammarSpec.Function... functions) {
        return new GrammarSpec.Channels(Optional.of(answer), List.of(functions));
    }

    private static GrammarSpec strict() {
        return new GrammarSpec.Tags(CallTags.of(new HarmonyFormat(), List.of(F, G), false), false, true);
    }

    private List<Integer> allowed(Cursor cursor) {
        int words = (tokens.size() + 63) / 64;
        long[] bits = new long[words + 2];
        Arrays.fill(bits, -1);
        assertThat(cursor.mask(bits, 1)).isTrue();
        assertThat(bits[0]).isEqualTo(-1);
        assertThat(bits[words + 1]).isEqualTo(-1);
        List<Integer> allowed = new ArrayList<>();
        for (int id = 0; id < 64 * words; id++) {
            if ((bits[1 + (id >>> 6)] >>> (id & 63) & 1) != 0) {
                assertThat(id).isLessThan(tokens.size());
                allowed.add(id);
            }
        }
        return allowed;
    }

    private List<String> allowedTexts(Cursor cursor) {
        return allowed(cursor).stream().map(this::text).toList();
    }

    private void take(Cursor cursor, String... texts) {
        for (String text : texts) {
            assertThat(allowed(cursor)).as(text).contains(id(text));
            assertThat(cursor.accept(id(text))).as(text).isTrue();
        }
    }

    /** As many tokens as it takes, each the longest that may come. */
    private void write(Cursor cursor, String text) {
        String rest = text;
        while (!rest.isEmpty()) {
            String left = rest;
            int token = allowed(cursor).stream()
                    .filter(id -> left.startsWith(text(id)))
                    .max((a, b) -> tokens.get(a).length - tokens.get(b).length)
                    .orElseThrow(() -> new AssertionError("no token goes on with '%s'".formatted(left)));
            assertThat(cursor.accept(token)).isTrue();
            rest = rest.substring(text(token).length());
        }
    }

    @Test
    void leavesThinkingFreeAndHoldsTheAnswerToItsGrammar() {
        Cursor cursor = cursor(channels(YES_OR_NO));
        assertThat(allowedTexts(cursor)).containsExactly("<|channel|>");
        take(cursor, "<|channel|>", "analysis", "<|message|>", "no", "to=functions.f", "\u00e9");
        assertThat(cursor.mayEnd()).isFalse();
        assertThat(allowedTexts(cursor))
                .contains("<|end|>")
                .doesNotContain("<|start|>", "<|return|>", "<|call|>", "<eos>");
        take(cursor, "<|end|>");
        assertThat(allowedTexts(cursor)).containsExactly("<|start|>");
        take(cursor, "<|start|>");
        assertThat(allowedTexts(cursor)).containsExactlyInAnyOrder("a", "assist", "assistant");
        take(cursor, "assist", "a", "n", "t", "<|channel|>", "final", "<|message|>");
        assertThat(allowedTexts(cursor)).containsExactlyInAnyOrder("y", "yes", "n", "no");
        assertThat(cursor.mayEnd()).isFalse();
        take(cursor, "yes");
        assertThat(cursor.mayEnd() && cursor.mustEnd()).isTrue();
    }

    @Test
    void takesCallsWithTheirHeadersInEitherOrder() {
        for (String header : List.of(
                " to=functions.f<|channel|>commentary<|message|>",
                " to=functions.f<|channel|>commentary json<|message|>",
                " to=functions.f <|constrain|>json<|channel|>commentary<|message|>",
                "<|channel|>commentary to=functions.f <|constrain|>json<|message|>",
                "<|channel|>commentary to=functions.f<|constrain|>json<|message|>",
                "<|channel|>commentary to=functions.f<|message|>")) {
            Cursor cursor = cursor(new GrammarSpec.Channels(Optional.empty(), List.of(F, G)));
            write(cursor, header);
            assertThat(cursor.mayEnd()).isFalse();
            write(cursor, "{\"n\":");
            assertThat(allowedTexts(cursor)).doesNotContain("3", "yes");
            write(cursor, "2}");
            assertThat(cursor.mustEnd()).isTrue();
        }
        Cursor cursor = cursor(new GrammarSpec.Channels(Optional.empty(), List.of(F)));
        take(cursor, "<|channel|>");
        assertThat(allowedTexts(cursor)).doesNotContain("f", "final").contains("analysis", "commentary");
        write(cursor, "commentary to=functions.");
        assertThat(allowedTexts(cursor)).containsExactly("f");
    }

    @Test
    void takesNoTextForAMark() {
        Cursor cursor = cursor(channels(YES_OR_NO));
        take(cursor, "<|channel|>", "final");
        assertThat(allowedTexts(cursor)).containsExactlyInAnyOrder(" ", " json", "<|constrain|>", "<|message|>");
    }

    @Test
    void holdsCallsOfAFreeAnswerFromTheFunctionsNameOn() {
        Cursor cursor = cursor(strict());
        assertThat(cursor.mayEnd()).isTrue();
        take(cursor, "<|channel|>", "analysis", "<|message|>", "to=functions.f");
        assertThat(cursor.free()).isTrue();
        assertThat(cursor.mayEnd()).isTrue();
        take(cursor, "<|end|>", "<|start|>", "assistant", "<|channel|>", "commentary", " to");
        take(cursor, "=functions", ".f");
        assertThat(cursor.mayEnd()).isFalse();
        assertThat(allowedTexts(cursor))
                .containsExactlyInAnyOrder(" ", " json", "<|channel|>", "<|constrain|>", "<|message|>");
        take(cursor, " json", "<|message|>");
        write(cursor, "{\"n\":1}");
        assertThat(cursor.mustEnd()).isTrue();
    }

    /** As the splitter reads it: models now and then forget what comes before a function's name. */
    @Test
    void holdsCallsThatNameTheFunctionAlone() {
        for (String header : List.of(
                "<|channel|>commentary to=f<|message|>",
                "<|channel|>commentary to=f <|constrain|>json<|message|>",
                " to=f<|channel|>commentary code<|message|>")) {
            Cursor cursor = cursor(strict());
            write(cursor, header);
            assertThat(cursor.free()).isFalse();
            assertThat(allowedTexts(cursor.copy())).contains("{").doesNotContain("yes");
            write(cursor, "{\"n\":2}");
            assertThat(cursor.mustEnd()).isTrue();
        }
        for (String other : List.of("python", "fg", "user", "all")) {
            Cursor cursor = cursor(strict());
            write(cursor, "<|channel|>commentary to=" + other + "<|message|>yes");
            assertThat(cursor.free()).as(other).isTrue();
        }
    }

    @Test
    void leavesOtherMessagesOfAFreeAnswerFree() {
        Cursor cursor = cursor(strict());
        take(cursor, "<|channel|>", "final", "<|message|>");
        assertThat(cursor.free()).isTrue();
        take(cursor, "to=functions.f", "yes", "<|end|>");
        assertThat(cursor.free()).isTrue();
        take(cursor, "<|start|>", "assistant", "to=functions.f", "<|message|>");
        assertThat(allowedTexts(cursor)).contains("{").doesNotContain("yes");
    }

    @Test
    void followsTagsOfAWholeTextInTheAnswer() {
        GrammarSpec tags = new GrammarSpec.Tags(
                List.of(new GrammarSpec.Tag(List.of("<x"), new GrammarSpec.Text(">yes</x>"))), false, false);
        Cursor cursor = cursor(channels(tags, F));
        take(cursor, "<|channel|>", "analysis", "<|message|>", "<", "x", "no", "<|end|>", "<|start|>", "assistant");
        assertThat(cursor.mayEnd()).isFalse();
        take(cursor, "<|channel|>", "final", "<|message|>", "no", "<");
        assertThat(cursor.mayEnd()).isTrue();
        take(cursor, "x");
        assertThat(cursor.mayEnd()).isFalse();
        assertThat(allowedTexts(cursor)).containsExactly(">");
        write(cursor, ">yes</x>");
        assertThat(cursor.mayEnd()).isTrue();
        assertThat(cursor.mustEnd()).isFalse();
    }

    @Test
    void endsThinkingWhereItsBoundIsSpentAndBeginsNoOther() {
        Cursor cursor = cursor(Optional.of(channels(YES_OR_NO)), ROLE, 2);
        take(cursor, "<|channel|>", "analysis", "<|message|>", "yes", "yes");
        assertThat(allowedTexts(cursor)).containsExactly("<|end|>");
        take(cursor, "<|end|>", "<|start|>", "assistant", "<|channel|>");
        assertThat(allowedTexts(cursor))
                .isNotEmpty()
                .doesNotContain("a", "analysis")
                .contains("final");

        Cursor free = cursor(Optional.empty(), ROLE, 1);
        take(free, "<|channel|>", "analysis", "<|message|>", "yes");
        assertThat(allowedTexts(free)).containsExactly("<|end|>");
        take(free, "<|end|>");
        assertThat(free.mayEnd()).isTrue();
        take(free, "<|start|>", "assistant", "<|channel|>");
        assertThat(allowedTexts(free)).doesNotContain("analysis").contains("final", "commentary");
        take(free, "final", "<|message|>");
        assertThat(free.free()).isTrue();
    }

    /** What a model would write in place of a name that it may not write is that name in another way. */
    @Test
    void beginsTheNameOfAnotherChannelWhereTheBoundIsSpent() {
        Cursor cursor = cursor(Optional.empty(), ROLE, 0);
        take(cursor, "<|channel|>");
        assertThat(allowedTexts(cursor)).containsExactlyInAnyOrder("f", "final", "c", "comment", "commentary");
    }

    @Test
    void lendsThinkingTheTokensThatEndACharacter() {
        Cursor cursor = cursor(Optional.empty(), ReasoningPlace.of(Opening.THINKING), 1);
        assertThat(cursor.accept(0xc3)).isTrue();
        assertThat(allowed(cursor)).contains(0xa9);
        assertThat(cursor.accept(0xa9)).isTrue();
        assertThat(allowedTexts(cursor)).containsExactly("<|end|>");
    }

    @Test
    void copiesStandWhereTheyWereMade() {
        Cursor cursor = cursor(Optional.of(channels(YES_OR_NO, F)), ROLE, 3);
        for (String token : List.of(
                "<|channel|>",
                "analysis",
                "<|message|>",
                "no",
                "<|end|>",
                "<|start|>",
                "assist",
                "a",
                "n",
                "t",
                "<|channel|>",
                "final",
                "<|message|>",
                "yes")) {
            Cursor copy = cursor.copy();
            List<Integer> before = allowed(cursor);
            take(cursor, token);
            assertThat(allowed(copy)).isEqualTo(before);
            take(copy, token);
            assertThat(allowed(copy)).isEqualTo(allowed(cursor));
            assertThat(copy.mayEnd()).isEqualTo(cursor.mayEnd());
        }
    }

    @Test
    void refusesAVocabularyWithoutTheMarks() {
        GrammarVocabulary none = vocabulary(false);
        assertThatThrownBy(() -> new ChannelTokens(none))
                .isInstanceOf(GrammarException.class)
                .hasMessageContaining("<|start|>");
        assertThatThrownBy(() -> Grammar.compile(channels(YES_OR_NO), none, true))
                .isInstanceOf(GrammarException.class)
                .hasMessageContaining("<|channel|>");
    }

    /** What is written at random under the masks, read by the splitter. */
    @Test
    void writesWhatTheSplitterReads() {
        int answers = 0;
        int calls = 0;
        for (int seed = 0; seed < 400; seed++) {
            Random random = new Random(seed);
            ReasoningPlace place = random.nextInt(4) == 0 ? ReasoningPlace.of(Opening.THINKING) : ROLE;
            Cursor cursor = cursor(Optional.of(channels(YES_OR_NO, F)), place, random.nextInt(12));
            StringBuilder thinking = new StringBuilder();
            StringBuilder answer = new StringBuilder();
            ReasoningSplitter splitter = ReasoningSplitter.ofChannels(
                    place, new ChannelUse(false, true, name -> false, () -> {}), false, thinking, answer);
            for (int i = 0; i < 400 && !cursor.mustEnd(); i++) {
                List<Integer> allowed = allowed(cursor);
                int token = allowed.get(random.nextInt(allowed.size()));
                assertThat(cursor.accept(token)).as("seed %d", seed).isTrue();
                int written = token;
                splitter.add(HarmonyMark.of(text(token))
                        .map(mark -> String.valueOf(mark.sign()))
                        .orElseGet(() -> new String(tokens.get(written), StandardCharsets.ISO_8859_1)));
            }
            assertThat(cursor.mustEnd()).as("seed %d", seed).isTrue();
            splitter.finish();
            String call = HarmonyFormat.BEGIN + "f" + HarmonyFormat.ARGUMENTS;
            assertThat(answer.toString())
                    .as("seed %d", seed)
                    .matches("yes|no|" + call + "\\{\\s*\"n\"\\s*:\\s*[12]\\s*}");
            answers += answer.toString().startsWith(call) ? 0 : 1;
            calls += answer.toString().startsWith(call) ? 1 : 0;
        }
        assertThat(answers).isGreaterThan(20);
        assertThat(calls).isGreaterThan(20);
    }
}
