package dev.jeton.models.grammar;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.engine.TokenGrammar.Cursor;
import dev.jeton.models.tools.CallFrame;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class LikelyTextTest {

    private static final List<String> WORDS = List.of("{\"", "first", "_name", "\":", " \"", ", \"", "get", "\"");

    private static final GrammarVocabulary VOCABULARY = new GrammarVocabulary(
            256 + WORDS.size(),
            id -> id < 256 ? new byte[] {(byte) id} : WORDS.get(id - 256).getBytes(StandardCharsets.UTF_8),
            false);

    /** In this order. */
    private static final Object PERSON = GuidedTexts.json("""
            {"type": "object", "required": ["first_name", "age"], "additionalProperties": false,
             "properties": {"first_name": {"type": "string"}, "age": {"type": "integer"}}}""");

    private static Cursor after(GrammarSpec spec, String text) {
        Cursor cursor = Grammar.compile(spec, VOCABULARY, false).begin();
        for (byte octet : text.getBytes(StandardCharsets.UTF_8)) {
            assertThat(cursor.accept(octet & 0xff)).as(text).isTrue();
        }
        return cursor;
    }

    private static String likely(GrammarSpec spec, String text, int most) {
        int[] tokens = new int[most];
        int count = after(spec, text).likely(tokens, most);
        ByteArrayOutputStream likely = new ByteArrayOutputStream();
        for (int i = 0; i < count; i++) {
            likely.writeBytes(VOCABULARY.bytes(tokens[i]));
        }
        return likely.toString(StandardCharsets.UTF_8);
    }

    private static String likely(String text) {
        return likely(new GrammarSpec.JsonSchema(PERSON, true), text, 20);
    }

    @Test
    void shouldWriteAKeyAndWhatIsAroundIt() {
        assertThat(likely("{\"")).isEqualTo("first_name\": \"");
    }

    @Test
    void shouldSpellInTheLongestTokens() {
        int[] tokens = new int[20];
        int count = after(new GrammarSpec.JsonSchema(PERSON, true), "{\"").likely(tokens, 20);
        assertThat(tokens).startsWith(257, 258, 259, 260);
        assertThat(count).isEqualTo(4);
    }

    @Test
    void shouldWriteNoMoreThanIsAskedFor() {
        assertThat(likely(new GrammarSpec.JsonSchema(PERSON, true), "{\"", 2)).isEqualTo("first_name");
    }

    @Test
    void shouldSayNothingWithinATextThatIsFree() {
        assertThat(likely("{\"first_name\": \"")).isEmpty();
        assertThat(likely("{\"first_name\": \"a, ")).isEmpty();
    }

    @Test
    void shouldWriteAsTheTextWasWrittenSoFar() {
        String bare = "{\"first_name\":\"a: b\",\"";
        assertThat(likely(bare)).isEqualTo("age\":");
        assertThat(likely("{\"first_name\": \"a:b\", \"")).isEqualTo("age\": ");
    }

    @Test
    void shouldNotGuessHowLinesAreIndented() {
        assertThat(likely("{\n \"first_name\": \"a\",")).isEmpty();
        assertThat(likely("{\n \"first_name\": \"a\",\n \"")).isEqualTo("age\": ");
    }

    private static GrammarSpec calls(String... names) {
        CallFrame frame = new CallFrame(
                "", "<call>{\"name\": \"", "\", \"arguments\": ", CallFrame.Body.JSON, "}</call>", "", "");
        List<GrammarSpec.Function> functions = Stream.of(names)
                .map(name -> new GrammarSpec.Function(name, PERSON, true))
                .toList();
        return new GrammarSpec.Calls(frame, List.of(), functions, true, Optional.empty());
    }

    @Test
    void shouldWriteWhatIsAroundACall() {
        assertThat(likely(calls("get"), "", 100))
                .isEqualTo("<call>{\"name\": \"get\", \"arguments\": {\"first_name\": \"");
        assertThat(likely(calls("get", "put"), "", 100)).isEqualTo("<call>{\"name\": \"");
        assertThat(likely(calls("get", "put"), "<call>{\"name\": \"p", 100))
                .isEqualTo("ut\", \"arguments\": {\"first_name\": \"");
    }

    @Test
    void shouldWriteMarksAsTheSpecialTokensThatTheyAre() {
        GrammarVocabulary special = new GrammarVocabulary(
                257,
                id -> id < 256 ? new byte[] {(byte) id} : "<call>".getBytes(StandardCharsets.UTF_8),
                id -> id == 256,
                false);
        CallFrame frame = new CallFrame("", "<call>", "(", CallFrame.Body.JSON, ")", "", "");
        GrammarSpec spec = new GrammarSpec.Calls(
                frame, List.of("<call>"), List.of(new GrammarSpec.Function("f", PERSON, true)), true, Optional.empty());
        int[] tokens = new int[3];
        assertThat(Grammar.compile(spec, special, false).begin().likely(tokens, 3))
                .isEqualTo(3);
        assertThat(tokens).containsExactly(256, 'f', '(');
    }

    @Test
    void shouldSayNothingWhereTheTextMayEnd() {
        assertThat(likely(new GrammarSpec.Regex("get(first)?"), "", 9)).isEqualTo("get");
    }

    @Test
    void shouldSayNothingWhereItMayGoOnInTwoWays() {
        assertThat(likely(new GrammarSpec.Choice(List.of("get_a_name", "get_a_list")), "g", 20))
                .isEqualTo("et_a_");
    }
}
