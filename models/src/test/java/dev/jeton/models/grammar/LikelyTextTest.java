package dev.jeton.models.grammar;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.engine.TokenGrammar.Cursor;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class LikelyTextTest {

    private static final List<String> WORDS = List.of("{\"", "first", "_name", "\":", " \"", ", \"", "get", "\"");

    private static final GrammarVocabulary VOCABULARY = new GrammarVocabulary(
            256 + WORDS.size(),
            id -> id < 256 ? new byte[] {(byte) id} : WORDS.get(id - 256).getBytes(StandardCharsets.UTF_8),
            false);

    private static final Map<String, Object> TWO_NAMES = Map.of(
            "type",
            "object",
            "required",
            List.of("first_name", "age"),
            "additionalProperties",
            false,
            "properties",
            Map.of("first_name", Map.of("type", "string"), "age", Map.of("type", "integer")));

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
        return likely(new GrammarSpec.JsonSchema(TWO_NAMES, true), text, 20);
    }

    @Test
    void shouldWriteAKeyAndWhatIsAroundIt() {
        assertThat(likely("{\"")).isEqualTo("first_name\": \"");
    }

    @Test
    void shouldSpellInTheLongestTokens() {
        int[] tokens = new int[20];
        int count = after(new GrammarSpec.JsonSchema(TWO_NAMES, true), "{\"").likely(tokens, 20);
        assertThat(tokens).startsWith(257, 258, 259, 260);
        assertThat(count).isEqualTo(4);
    }

    @Test
    void shouldWriteNoMoreThanIsAskedFor() {
        assertThat(likely(new GrammarSpec.JsonSchema(TWO_NAMES, true), "{\"", 2))
                .isEqualTo("first_name");
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
