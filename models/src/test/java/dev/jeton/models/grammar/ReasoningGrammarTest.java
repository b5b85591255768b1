package dev.jeton.models.grammar;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.engine.TokenGrammar;
import dev.jeton.models.engine.TokenGrammar.Cursor;
import dev.jeton.models.reasoning.ReasoningFormat;
import dev.jeton.models.reasoning.ReasoningFormat.Opening;
import dev.jeton.models.reasoning.ReasoningSplitter;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Thinking in front of what an answer must be. */
class ReasoningGrammarTest {

    private static final int[] NO_STOPS = {};

    /** Single bytes, and some longer tokens that hold marks whole, in part, and with what comes before and after. */
    private static final List<String> WORDS = List.of(
            "</", "think", ">\n", ">\n\n", ">{", "><", "k>yes", "\n\n", "\n\n\n", "yes", "no", "<th", "ink>", "ink>a",
            " <");

    private final List<byte[]> tokens = new ArrayList<>();
    private final List<String> specials = new ArrayList<>();

    private GrammarVocabulary vocabulary(String... more) {
        for (int b = 0; b < 256; b++) {
            tokens.add(new byte[] {(byte) b});
        }
        WORDS.forEach(word -> tokens.add(word.getBytes(StandardCharsets.UTF_8)));
        for (String word : more) {
            tokens.add(word.getBytes(StandardCharsets.UTF_8));
            if (word.startsWith("[") || word.startsWith("<eos")) {
                specials.add(word);
            }
        }
        return new GrammarVocabulary(
                tokens.size(),
                tokens::get,
                id -> specials.contains(new String(tokens.get(id), StandardCharsets.UTF_8)),
                false);
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

    private static Optional<Grammar> yesOrNo(GrammarVocabulary vocabulary) {
        return Optional.of(Grammar.compile(new GrammarSpec.Choice(List.of("yes", "no")), vocabulary, true));
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
        return allowed(cursor).stream()
                .map(id -> new String(tokens.get(id), StandardCharsets.UTF_8))
                .toList();
    }

    private void take(Cursor cursor, String... texts) {
        for (String text : texts) {
            assertThat(allowed(cursor)).as(text).contains(id(text));
            assertThat(cursor.accept(id(text))).as(text).isTrue();
        }
    }

    private static ReasoningGrammar grammar(
            GrammarVocabulary vocabulary, Optional<Grammar> answer, Opening opening, int most) {
        return new ReasoningGrammar(
                new ReasoningTokens(vocabulary, ReasoningFormat.QWEN3), answer, opening, most, NO_STOPS);
    }

    @Test
    void leavesThinkingFreeAndHoldsTheAnswerToItsGrammar() {
        GrammarVocabulary vocabulary = vocabulary("</think>");
        Cursor cursor = grammar(vocabulary, yesOrNo(vocabulary), Opening.THINKING, ReasoningGrammar.UNBOUNDED)
                .begin();
        assertThat(allowed(cursor)).hasSize(tokens.size());
        take(cursor, "no", "\n\n", "<", "yes");
        assertThat(cursor.mayEnd()).isFalse();
        take(cursor, "</think>");
        assertThat(allowedTexts(cursor)).containsExactlyInAnyOrder("y", "yes", "n", "no", "\n", "\n\n");
        take(cursor, "\n\n");
        assertThat(allowedTexts(cursor)).containsExactlyInAnyOrder("y", "yes", "n", "no");
        take(cursor, "yes");
        assertThat(cursor.mustEnd()).isTrue();
    }

    @Test
    void findsTheMarkInTokensOfWhichNoneIsIt() {
        GrammarVocabulary vocabulary = vocabulary();
        Cursor cursor = grammar(vocabulary, yesOrNo(vocabulary), Opening.THINKING, ReasoningGrammar.UNBOUNDED)
                .begin();
        take(cursor, "<", "</", "think");
        assertThat(allowedTexts(cursor)).contains(">", ">\n", ">\n\n", "<").doesNotContain(">{", "><");
        assertThat(cursor.accept(id(">{"))).isFalse();
        take(cursor, ">\n");
        assertThat(allowedTexts(cursor)).containsExactlyInAnyOrder("y", "yes", "n", "no", "\n");
    }

    @Test
    void letsTheModelThinkOrAnswerWhereThePromptLeavesItOpen() {
        GrammarVocabulary vocabulary = vocabulary("<think>", "</think>");
        Optional<Grammar> angled =
                Optional.of(Grammar.compile(new GrammarSpec.Choice(List.of("<tag>", "yes")), vocabulary, true));
        ReasoningGrammar grammar = grammar(vocabulary, angled, Opening.EITHER, ReasoningGrammar.UNBOUNDED);
        Cursor answers = grammar.begin();
        assertThat(allowedTexts(answers)).containsExactlyInAnyOrder("y", "yes", "<", "<th", "<think>");
        take(answers, "<", "t", "a", "g", ">");
        assertThat(answers.mustEnd()).isTrue();
        Cursor thinks = grammar.begin();
        take(thinks, "<", "t", "h");
        assertThat(allowedTexts(thinks)).containsExactlyInAnyOrder("i", "ink>", "ink>a");
        assertThat(thinks.mayEnd()).isFalse();
        take(thinks, "ink>a", "</think>", "<", "t");
        assertThat(allowedTexts(thinks)).containsExactly("a");
        Cursor whole = grammar.begin();
        take(whole, "<think>", "\n", "</think>", "yes");
        assertThat(whole.mustEnd()).isTrue();
    }

    @Test
    void takesMarksThatAreSpecialTokens() {
        GrammarVocabulary vocabulary = vocabulary("[THINK]", "[/THINK]", "[OTHER]");
        ReasoningGrammar grammar = new ReasoningGrammar(
                new ReasoningTokens(vocabulary, ReasoningFormat.MISTRAL),
                yesOrNo(vocabulary),
                Opening.EITHER,
                2,
                NO_STOPS);
        Cursor cursor = grammar.begin();
        assertThat(allowedTexts(cursor)).containsExactlyInAnyOrder("y", "yes", "n", "no", "[", "[THINK]");
        take(cursor, "[THINK]", "[OTHER]", "yes");
        assertThat(allowedTexts(cursor)).containsExactly("[/THINK]");
        take(cursor, "[/THINK]", "no");
        assertThat(cursor.mustEnd()).isTrue();
    }

    @Test
    void endsThinkingOnceItsBoundIsReached() {
        GrammarVocabulary vocabulary = vocabulary();
        Cursor cursor =
                grammar(vocabulary, Optional.empty(), Opening.THINKING, 3).begin();
        take(cursor, "yes", "yes");
        assertThat(cursor.mayEnd()).isTrue();
        take(cursor, "<");
        assertThat(cursor.mayEnd()).isFalse();
        assertThat(allowedTexts(cursor)).containsExactly("/");
        take(cursor, "/");
        assertThat(allowedTexts(cursor)).containsExactlyInAnyOrder("t", "think");
        take(cursor, "think");
        assertThat(allowedTexts(cursor)).containsExactly(">");
        take(cursor, ">");
        assertThat(allowed(cursor)).hasSize(tokens.size());
        assertThat(cursor.mayEnd()).isTrue();
        assertThat(cursor.mustEnd()).isFalse();
    }

    /** A model that has just written a bracket may mean nothing by it, and knows the mark as one token. */
    @Test
    void endsThinkingByTheWholeMarkBehindItsFirstCharacter() {
        ReasoningGrammar grammar = grammar(vocabulary("</think>"), Optional.empty(), Opening.THINKING, 2);
        Cursor compares = grammar.begin();
        take(compares, "a", "<");
        assertThat(allowedTexts(compares)).containsExactly("</think>");
        take(compares, "</think>");
        assertThat(allowed(compares)).hasSize(tokens.size());
        Cursor marks = grammar.begin();
        take(marks, "a", "</");
        assertThat(allowedTexts(marks)).containsExactlyInAnyOrder("t", "think");
    }

    @Test
    void endsACharacterBeforeTheThinking() {
        ReasoningGrammar grammar = grammar(vocabulary("</think>"), Optional.empty(), Opening.THINKING, 1);
        Cursor cursor = grammar.begin();
        for (byte octet : "\ud83d\ude00".getBytes(StandardCharsets.UTF_8)) {
            assertThat(allowed(cursor)).contains(octet & 0xff);
            assertThat(cursor.accept(octet & 0xff)).isTrue();
        }
        assertThat(allowedTexts(cursor)).containsExactly("</think>");
    }

    @Test
    void endsThinkingWhoseCharactersNeverEnd() {
        Cursor cursor = grammar(vocabulary("</think>"), Optional.empty(), Opening.THINKING, 1)
                .begin();
        for (int i = 0; i < 4; i++) {
            assertThat(allowed(cursor)).contains(0xf0);
            assertThat(cursor.accept(0xf0)).isTrue();
        }
        assertThat(allowedTexts(cursor)).containsExactly("</think>");
    }

    @Test
    void leavesTokensThatEndATextToWhoeverKnowsThatItMayEnd() {
        GrammarVocabulary vocabulary = vocabulary("<eos>", "</think>");
        int[] stops = {id("<eos>"), tokens.size() + 7, -1};
        ReasoningTokens known = new ReasoningTokens(vocabulary, ReasoningFormat.QWEN3);
        for (Optional<Grammar> answer : List.of(yesOrNo(vocabulary), Optional.<Grammar>empty())) {
            TokenGrammar grammar = new ReasoningGrammar(known, answer, Opening.THINKING, 100, stops);
            assertThat(allowedTexts(grammar.begin())).doesNotContain("<eos>").contains("</think>");
        }
    }

    /** What a model writes that chooses at random: its answer, by the splitter's account, follows the grammar. */
    @Test
    void agreesWithTheSplitterAboutWhereTheAnswerBegins() {
        GrammarVocabulary vocabulary = vocabulary();
        ReasoningTokens known = new ReasoningTokens(vocabulary, ReasoningFormat.QWEN3);
        Optional<Grammar> answer = yesOrNo(vocabulary);
        int thought = 0;
        for (long seed = 0; seed < 300; seed++) {
            Random random = new Random(seed);
            Opening opening = Opening.values()[random.nextInt(3)];
            Cursor cursor = new ReasoningGrammar(known, answer, opening, random.nextInt(40), NO_STOPS).begin();
            ByteArrayOutputStream text = new ByteArrayOutputStream();
            while (!cursor.mustEnd()) {
                List<Integer> allowed = allowed(cursor);
                List<Integer> likely = allowed.stream()
                        .filter(id -> "</thinkyesno>\n".contains(new String(tokens.get(id), StandardCharsets.UTF_8)))
                        .toList();
                List<Integer> from = likely.isEmpty() ? allowed : likely;
                cursor = GuidedTexts.another(
                        cursor, allowed.stream().mapToInt(Integer::intValue).toArray(), random);
                int token = from.get(random.nextInt(from.size()));
                assertThat(cursor.accept(token)).isTrue();
                text.writeBytes(tokens.get(token));
            }
            StringBuilder thinking = new StringBuilder();
            StringBuilder content = new StringBuilder();
            ReasoningSplitter splitter =
                    ReasoningSplitter.byMarks(ReasoningFormat.QWEN3, opening, false, thinking, content);
            splitter.add(text.toString(StandardCharsets.UTF_8));
            splitter.finish();
            assertThat(content.toString()).as("seed %d: %s", seed, text).isIn("yes", "no");
            thought += thinking.isEmpty() ? 0 : 1;
        }
        assertThat(thought).isPositive();
    }

    @Test
    void leavesAllFreeWhereTheAnswerMayBeAnythingAndFollowsItsTagsOnly() {
        GrammarVocabulary vocabulary = vocabulary();
        GrammarSpec.Tag tag = new GrammarSpec.Tag(List.of("no"), new GrammarSpec.Choice(List.of("yes")));
        Grammar answer = Grammar.compile(new GrammarSpec.Tags(List.of(tag), false, false), vocabulary, true);
        ReasoningTokens marks = new ReasoningTokens(vocabulary, ReasoningFormat.QWEN3);
        for (Opening opening : Opening.values()) {
            Cursor cursor = new ReasoningGrammar(
                            marks, Optional.of(answer), opening, ReasoningGrammar.UNBOUNDED, NO_STOPS)
                    .begin();
            assertThat(cursor.free()).as("%s", opening).isTrue();
            assertThat(cursor.mayEnd()).as("%s", opening).isTrue();
            if (opening == Opening.EITHER) {
                for (String token : List.of("<th", "ink>")) {
                    assertThat(cursor.accept(id(token))).isTrue();
                }
            }
            boolean thinks = opening != Opening.ANSWERING;
            for (String token : thinks ? List.of("no", "x", "</", "think", ">\n\n", "x", "no") : List.of("x", "no")) {
                assertThat(cursor.mayEnd()).as("before '%s'", token).isTrue();
                assertThat(cursor.accept(id(token))).as("'%s'", token).isTrue();
            }
            assertThat(cursor.mayEnd()).isFalse();
            assertThat(cursor.free()).isFalse();
            assertThat(cursor.accept(id("no"))).isFalse();
            assertThat(cursor.accept(id("yes"))).isTrue();
            assertThat(cursor.free()).isTrue();
        }
        Cursor bounded = new ReasoningGrammar(marks, Optional.of(answer), Opening.THINKING, 2, NO_STOPS).begin();
        assertThat(bounded.accept(id("no"))).isTrue();
        assertThat(bounded.free()).isTrue();
        assertThat(bounded.accept(id("no"))).isTrue();
        assertThat(bounded.free()).as("its bound is reached").isFalse();
        assertThat(bounded.mayEnd()).isFalse();
    }
}
