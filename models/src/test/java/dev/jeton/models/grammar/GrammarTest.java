package dev.jeton.models.grammar;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.engine.TokenGrammar.Cursor;
import dev.jeton.models.tools.CallFrame;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class GrammarTest {

    private static final String SCHEMA =
            "{\"type\":\"object\",\"properties\":{\"name\":{\"type\":\"string\"},\"size\":{\"type\":\"string\",\"minLength\":2,\"maxLength\":30},"
                    + "\"more\":{\"type\":\"array\",\"items\":{\"$ref\":\"#\"}}},\"required\":[\"name\"],\"additionalProperties\":{}}";

    private static GrammarSpec schema() {
        return new GrammarSpec.JsonSchema(GuidedTexts.json(SCHEMA), true);
    }

    /** A cursor that took the same tokens, since a cursor cannot be copied. */
    private static Cursor again(Grammar grammar, List<Integer> tokens) {
        Cursor cursor = grammar.begin();
        tokens.forEach(token -> assertThat(cursor.accept(token)).isTrue());
        return cursor;
    }

    @Test
    void shouldMaskExactlyTheTokensThatItDoesNotAccept() {
        for (long seed = 0; seed < 4; seed++) {
            Random random = new Random(seed);
            GuidedTexts texts = GuidedTexts.of(random, false);
            Grammar grammar = Grammar.compile(schema(), texts.vocabulary(), false);
            List<Integer> taken = new ArrayList<>();
            for (int i = 0; i < 25; i++) {
                int[] allowed = texts.allowed(again(grammar, taken));
                int[] accepted = IntStream.range(0, texts.size())
                        .filter(token -> again(grammar, taken).accept(token))
                        .toArray();
                assertThat(allowed).as("seed %d after %s", seed, taken).isEqualTo(accepted);
                if (allowed.length == 0) {
                    break;
                }
                taken.add(allowed[random.nextInt(allowed.length)]);
            }
        }
    }

    @Test
    void shouldAllowTheSameWhereItForgetsWhatItFound() {
        Random random = new Random(3);
        GuidedTexts texts = GuidedTexts.of(random, false);
        Cursor keeps = Grammar.compile(schema(), texts.vocabulary(), false).begin();
        Cursor forgets = Grammar.compile(schema(), texts.vocabulary(), false, 1).begin();
        for (int i = 0; i < 200 && !keeps.mustEnd(); i++) {
            int[] allowed = texts.allowed(keeps);
            assertThat(texts.allowed(forgets)).isEqualTo(allowed);
            int token = allowed[random.nextInt(allowed.length)];
            assertThat(keeps.accept(token)).isTrue();
            assertThat(forgets.accept(token)).isTrue();
            assertThat(forgets.mayEnd()).isEqualTo(keeps.mayEnd());
        }
    }

    @Test
    void shouldLookAtTheVocabularyOnceForLongTextsOfABoundedLength() {
        Random random = new Random(3);
        GuidedTexts texts = GuidedTexts.of(random, false);
        GrammarSpec spec =
                new GrammarSpec.JsonSchema(Map.of("type", "string", "minLength", 100L, "maxLength", 3_000L), true);
        Grammar grammar = Grammar.compile(spec, texts.vocabulary(), false);
        Cursor counted = grammar.begin();
        for (int i = 0; i < 2_900; i++) {
            int token = 1 + (i == 0 ? '"' : 'a');
            assertThat(counted.accept(token)).isTrue();
            if (i > 200) {
                long before = grammar.steps();
                texts.allowed(counted);
                assertThat(grammar.steps() - before)
                        .as("nodes of the trie looked at, at %d", i)
                        .isLessThan(i == 201 ? 20_000 : 1_500);
            }
        }
    }

    @Test
    void shouldLookBehindARuleOnlyAtWhatMayFollowIt() {
        String[] tokens = IntStream.range(0, 1_000).mapToObj("%03d"::formatted).toArray(String[]::new);
        tokens[0] = "[";
        tokens[1] = "7";
        tokens[2] = "],";
        GuidedTexts texts = GuidedTexts.of(tokens);
        Object schema = GuidedTexts.json(
                "{\"anyOf\":[{\"type\":\"array\",\"items\":{\"$ref\":\"#\"}},{\"type\":\"integer\"}]}");
        Grammar grammar = Grammar.compile(new GrammarSpec.JsonSchema(schema, true), texts.vocabulary(), false);
        for (int depth = 2; depth < 6; depth++) {
            Cursor cursor = grammar.begin();
            for (int i = 0; i < depth; i++) {
                assertThat(cursor.accept(1)).isTrue();
            }
            assertThat(cursor.accept(2)).isTrue();
            texts.allowed(cursor);
            long before = grammar.steps();
            assertThat(cursor.accept(2)).isTrue();
            assertThat(texts.allowed(cursor)).contains(2, 3, 1_000);
            assertThat(grammar.steps() - before).as("nodes looked at").isLessThan(100);
        }
    }

    @Test
    void shouldFindTheTokensOfAStateOnce() {
        Random random = new Random(3);
        GuidedTexts texts = GuidedTexts.of(random, false);
        Grammar grammar = Grammar.compile(schema(), texts.vocabulary(), false);
        Cursor cursor = grammar.begin();
        texts.allowed(cursor);
        long steps = grammar.steps();
        texts.allowed(cursor);
        texts.allowed(grammar.begin());
        assertThat(grammar.steps()).isEqualTo(steps);
    }

    @Test
    void shouldHoldOnToNothingOnceItForgets() {
        Random random = new Random(3);
        GuidedTexts texts = GuidedTexts.of(random, false);
        Grammar grammar = Grammar.compile(schema(), texts.vocabulary(), false, 1);
        Cursor cursor = grammar.begin();
        texts.allowed(cursor);
        long steps = grammar.steps();
        texts.allowed(grammar.begin());
        assertThat(grammar.steps()).as("the beginning was found again").isGreaterThan(steps);
        assertThat(cursor.accept(1 + '{')).isTrue();
        texts.allowed(cursor);
        steps = grammar.steps();
        texts.allowed(cursor);
        assertThat(grammar.steps()).as("where a text stands was found again").isGreaterThan(steps);
    }

    @Test
    void shouldKeepWhatWasFoundBeforeItIsUsed() {
        Random random = new Random(3);
        GuidedTexts texts = GuidedTexts.of(random, false);
        Object schema = GuidedTexts.json("{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"maxItems\":9000}");
        Grammar grammar = Grammar.compile(new GrammarSpec.JsonSchema(schema, true), texts.vocabulary(), false, 1 << 20);
        assertThat(grammar.bytes()).isLessThan(3 << 20);
        long steps = grammar.steps();
        texts.allowed(grammar.begin());
        assertThat(grammar.steps()).isEqualTo(steps);
    }

    @Test
    void shouldKeepOnceWhatManyPlacesOfAStringAllow() {
        // letters of three alphabets, so that there are many tokens of few bytes
        int letters = 40;
        GrammarVocabulary vocabulary = new GrammarVocabulary(
                1 + letters * letters * letters,
                id -> id == 0
                        ? bytes("\"")
                        : bytes("" + (char) ('0' + id % letters) + (char) ('0' + id / letters % letters)
                                + (char) ('0' + id / letters / letters)),
                false);
        Object schema = GuidedTexts.json("{\"type\":\"string\",\"maxLength\":240}");
        Grammar grammar = Grammar.compile(new GrammarSpec.JsonSchema(schema, true), vocabulary, false, 1 << 20);
        long[] bits = new long[vocabulary.words()];
        long[] steps = new long[2];
        for (int pass = 0; pass < 2; pass++) {
            Cursor cursor = grammar.begin();
            assertThat(cursor.accept(0)).isTrue();
            for (int i = 0; i < 80; i++) {
                assertThat(cursor.mask(bits, 0)).isTrue();
                assertThat(cursor.accept(1 + i)).isTrue();
            }
            steps[pass] = grammar.steps();
        }
        assertThat(steps[1]).isEqualTo(steps[0]);
    }

    @Test
    void shouldStayWhereItIsWhenATokenIsNotAllowed() {
        Random random = new Random(3);
        GuidedTexts texts = GuidedTexts.of(random, false);
        Cursor cursor = Grammar.compile(new GrammarSpec.Choice(List.of("ab")), texts.vocabulary(), false)
                .begin();
        assertThat(cursor.accept(1 + 'x')).isFalse();
        assertThat(cursor.accept(0)).isFalse();
        assertThat(cursor.accept(1 + 'a')).isTrue();
        assertThat(cursor.mayEnd()).isFalse();
        assertThat(cursor.accept(1 + 'b')).isTrue();
        assertThat(cursor.mustEnd()).isTrue();
    }

    @Test
    void shouldWriteOneOfTheChoices() {
        Random random = new Random(5);
        GuidedTexts texts = GuidedTexts.of(random, false);
        List<String> choices = List.of("yes", "yes, maybe", "no", "日本");
        Grammar grammar = Grammar.compile(new GrammarSpec.Choice(choices), texts.vocabulary(), false);
        for (int i = 0; i < 100; i++) {
            assertThat(texts.write(grammar, random)).get().isIn(choices);
        }
        assertThat(choices)
                .allSatisfy(choice ->
                        assertThat(texts.allows(grammar, choice, random)).isTrue());
    }

    @Test
    void shouldAllowTheSpaceThatADecoderTakesAway() {
        Random random = new Random(5);
        GuidedTexts stripping = GuidedTexts.of(random, true);
        Grammar grammar = Grammar.compile(new GrammarSpec.Choice(List.of("yes")), stripping.vocabulary(), false);
        assertThat(stripping.allows(grammar, " yes", random)).isTrue();
        assertThat(stripping.allows(grammar, "yes", random)).isTrue();
        assertThat(stripping.allows(grammar, "  yes", random)).isFalse();
        Grammar goesOn = Grammar.compile(new GrammarSpec.Choice(List.of("yes")), stripping.vocabulary(), true);
        assertThat(stripping.allows(goesOn, " yes", random)).isFalse();
        GuidedTexts keeping = GuidedTexts.of(random, false);
        Grammar strict = Grammar.compile(new GrammarSpec.Choice(List.of("yes")), keeping.vocabulary(), false);
        assertThat(keeping.allows(strict, " yes", random)).isFalse();
    }

    @Test
    void shouldWriteASpaceMoreWhereOneIsTakenFromAChoice() {
        Random random = new Random(5);
        GuidedTexts stripping = GuidedTexts.of(random, true);
        GrammarSpec choice = new GrammarSpec.Choice(List.of(" yes", "no"));
        Grammar grammar = Grammar.compile(choice, stripping.vocabulary(), false);
        assertThat(stripping.allows(grammar, "  yes", random)).isTrue();
        assertThat(stripping.allows(grammar, " yes", random)).isFalse();
        assertThat(stripping.allows(grammar, " no", random)).isTrue();
        assertThat(stripping.allows(grammar, "no", random)).isTrue();
    }

    @Test
    void shouldRefuseWhatOnlyTheEmptyTextFits() {
        GuidedTexts texts = GuidedTexts.of(new Random(5), false);
        assertThatThrownBy(() -> Grammar.compile(new GrammarSpec.Regex("^$"), texts.vocabulary(), false))
                .isInstanceOf(GrammarException.class)
                .hasMessageContaining("empty text");
    }

    @Test
    void shouldAllowEveryTokenThatSpellsTheSame() {
        byte[][] tokens = {bytes("a"), bytes("ab"), bytes("a"), bytes("b"), bytes("ab")};
        Cursor cursor = Grammar.compile(
                        new GrammarSpec.Choice(List.of("ab")), new GrammarVocabulary(5, id -> tokens[id], false), false)
                .begin();
        long[] bits = new long[1];
        assertThat(cursor.mask(bits, 0)).isTrue();
        assertThat(bits[0]).isEqualTo(0b10111);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "(a|b)*a(a|b){13}c{0,5000}d{0,5000}",
                "(a{0,400}b{0,400}){0,100}",
                "(\\p{L}|\\p{N}|\\p{S}|\\p{P}|\\p{M}|\\p{Lu}|\\p{Lt}|\\p{Lo}|\\p{Nd}|\\p{Zs}|\\p{Cc}){900}",
                "((((a?){50}){50}){50}b){2}"
            })
    void shouldGiveUpWhatTakesTooLong(String pattern) {
        GuidedTexts texts = GuidedTexts.of(new Random(5), false);
        Object schema = Map.of("type", "object", "patternProperties", Map.of(pattern, true, "x" + pattern, Map.of()));
        assertThatThrownBy(() -> Grammar.compile(new GrammarSpec.JsonSchema(schema, true), texts.vocabulary(), false))
                .isInstanceOf(GrammarException.class);
    }

    @Test
    void shouldFollowAnObjectOfManyMembersThatMayBeLeftOut() {
        GuidedTexts texts = GuidedTexts.of(new Random(5), false);
        Map<String, Object> members = new LinkedHashMap<>();
        for (int i = 0; i < 1_500; i++) {
            members.put("k" + i, Map.of("type", "integer"));
        }
        Grammar grammar = Grammar.compile(
                new GrammarSpec.JsonSchema(Map.of("type", "object", "properties", members), true),
                texts.vocabulary(),
                false);
        assertThat(texts.allows(grammar, "{\"k0\": 1, \"k7\":23,\"k1499\":4}", new Random(5)))
                .isTrue();
        assertThat(texts.allows(grammar, "{\"k7\": 1, \"k0\":2}", new Random(5)))
                .isFalse();
        assertThat(grammar.steps()).as("what masks have cost").isLessThan(5_000_000);
    }

    @Test
    void shouldRefuseMoreMembersThatMayBeLeftOutThanAStateHasPlaces() {
        GuidedTexts texts = GuidedTexts.of(new Random(5), false);
        Map<String, Object> members = new LinkedHashMap<>();
        for (int i = 0; i < 5_000; i++) {
            members.put("k" + i, true);
        }
        Map<String, Object> inner = Map.of("type", "object", "properties", members);
        Map<String, Object> schema = Map.of("type", "object", "properties", Map.of("a", inner));
        assertThatThrownBy(() -> Grammar.compile(new GrammarSpec.JsonSchema(schema, true), texts.vocabulary(), false))
                .isInstanceOf(GrammarException.class)
                .hasMessageContaining("schema.properties.a.properties: more than 2000 in a row");
    }

    @Test
    void shouldGiveUpAMaskThatTakesTooLong() {
        GuidedTexts texts = GuidedTexts.of(new Random(5), false);
        List<Object> alternatives = new ArrayList<>();
        for (int i = 0; i < 1_800; i++) {
            alternatives.add(Map.of("type", "string", "pattern", "^a[^" + (char) (0x4e00 + i) + "]*$"));
        }
        GrammarSpec spec = new GrammarSpec.JsonSchema(Map.of("anyOf", alternatives), true);
        Cursor cursor = Grammar.compile(spec, texts.vocabulary(), false).begin();
        long[] bits = new long[texts.words()];
        assertThat(cursor.mask(bits, 0)).isTrue();
        assertThat(cursor.accept(1 + '"')).isTrue();
        assertThat(cursor.accept(1 + 'a')).isTrue();
        assertThat(cursor.mask(bits, 0)).isFalse();
    }

    private static final CallFrame FRAME =
            new CallFrame("", "<call>{\"name\": \"", "\", \"arguments\": ", CallFrame.Body.JSON, "}</call>", "\n", "");

    private static GrammarSpec.Calls calls(boolean one, Optional<GrammarSpec> otherwise) {
        Object schema = GuidedTexts.json("{\"properties\":{\"x\":{\"type\":\"string\"}},\"required\":[\"x\"]}");
        return new GrammarSpec.Calls(
                FRAME,
                List.of("<call>", "</call>"),
                List.of(new GrammarSpec.Function("f", schema, true), new GrammarSpec.Function("go", Map.of(), true)),
                one,
                otherwise);
    }

    @Test
    void shouldWriteCallsInTheirFrames() {
        Random random = new Random(5);
        GuidedTexts texts = GuidedTexts.of(random, false);
        Grammar one = Grammar.compile(calls(true, Optional.empty()), texts.vocabulary(), false);
        String call = "<call>{\"name\": \"f\", \"arguments\": {\"x\": \"y\"}}</call>";
        String other = "<call>{\"name\": \"go\", \"arguments\": {}}</call>";
        assertThat(texts.allows(one, call, random)).isTrue();
        assertThat(texts.allows(one, other, random)).isTrue();
        assertThat(texts.allows(one, call + "\n" + other, random)).isFalse();
        assertThat(texts.allows(one, call.replace("{\"x\": \"y\"}", "{}"), random))
                .isFalse();
        assertThat(texts.allows(one, call.replace("{\"x\": \"y\"}", "[]"), random))
                .isFalse();
        Grammar several = Grammar.compile(calls(false, Optional.empty()), texts.vocabulary(), false);
        assertThat(texts.allows(several, call + "\n" + other + "\n" + call, random))
                .isTrue();
        assertThat(texts.allows(several, "no", random)).isFalse();
        GrammarSpec.Calls either = calls(false, Optional.of(new GrammarSpec.Choice(List.of("no"))));
        Grammar or = Grammar.compile(either, texts.vocabulary(), false);
        assertThat(texts.allows(or, "no", random)).isTrue();
        assertThat(texts.allows(or, call, random)).isTrue();
    }

    @Test
    void shouldWriteAFramesMarksAsTheSpecialTokensThatTheyAre() {
        List<byte[]> tokens = new ArrayList<>();
        for (int b = 0; b < 256; b++) {
            tokens.add(new byte[] {(byte) b});
        }
        int open = tokens.size();
        tokens.add(bytes("<call>"));
        int close = tokens.size();
        tokens.add(bytes("</call>"));
        GrammarVocabulary vocabulary = new GrammarVocabulary(tokens.size(), tokens::get, id -> id >= 256, false);
        Cursor cursor = Grammar.compile(calls(true, Optional.empty()), vocabulary, false)
                .begin();
        assertThat(cursor.accept('<')).isFalse();
        assertThat(cursor.accept(0xff)).isFalse();
        assertThat(cursor.accept(open)).isTrue();
        for (byte octet : bytes("{\"name\": \"f\", \"arguments\": {\"x\": \"<call>")) {
            assertThat(cursor.accept(octet)).isTrue();
        }
        assertThat(cursor.accept(open)).isFalse();
        assertThat(cursor.accept(close)).isFalse();
        for (byte octet : bytes("\"}}")) {
            assertThat(cursor.accept(octet)).isTrue();
        }
        assertThat(cursor.accept(close)).isTrue();
        assertThat(cursor.mustEnd()).isTrue();
    }
}
