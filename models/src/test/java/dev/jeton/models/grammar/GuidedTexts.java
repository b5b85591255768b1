package dev.jeton.models.grammar;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.engine.TokenGrammar.Cursor;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/** Writes texts under grammars token by token, as a model that chooses at random would. */
final class GuidedTexts {

    private static final String CORPUS =
            "{\"name\": \"value\", \"list\": [1, 2.5, -3e10, true, false, null], \"a\":{\"b\":[]}}\n    \"},\n  {\"x\":\"\\u00e9\\n\\\"\", "
                    + "\"2024-02-29T10:00:00Z\"]}, the quick brown fox über straße 日本語 😀 0123456789 yes no maybe\": [{\"\"}]";

    private final GrammarVocabulary vocabulary;
    private final List<byte[]> tokens;

    private GuidedTexts(List<byte[]> tokens, boolean stripsSpace) {
        this.tokens = tokens;
        vocabulary = new GrammarVocabulary(tokens.size(), tokens::get, stripsSpace);
    }

    /** All single bytes, pieces of JSON, tokens that spell the same, one without text. */
    static GuidedTexts of(Random random, boolean stripsSpace) {
        byte[] corpus = CORPUS.getBytes(StandardCharsets.UTF_8);
        List<byte[]> tokens = new ArrayList<>();
        tokens.add(new byte[0]);
        for (int b = 0; b < 256; b++) {
            tokens.add(new byte[] {(byte) b});
        }
        for (int i = 0; i < 1_500; i++) {
            int from = random.nextInt(corpus.length - 1);
            int length = 1 + random.nextInt(Math.min(12, corpus.length - from));
            tokens.add(Arrays.copyOfRange(corpus, from, from + length));
        }
        return new GuidedTexts(tokens, stripsSpace);
    }

    /** These tokens, after one without text. */
    static GuidedTexts of(String... texts) {
        List<byte[]> tokens = new ArrayList<>();
        tokens.add(new byte[0]);
        for (String text : texts) {
            tokens.add(text.getBytes(StandardCharsets.UTF_8));
        }
        return new GuidedTexts(tokens, false);
    }

    GrammarVocabulary vocabulary() {
        return vocabulary;
    }

    int words() {
        return (tokens.size() + 63) / 64;
    }

    byte[] token(int id) {
        return tokens.get(id);
    }

    int size() {
        return tokens.size();
    }

    /** The tokens that a mask allows. */
    int[] allowed(Cursor cursor) {
        long[] bits = new long[words() + 2];
        Arrays.fill(bits, -1);
        assertThat(cursor.mask(bits, 1)).isTrue();
        assertThat(bits[0]).isEqualTo(-1);
        assertThat(bits[words() + 1]).isEqualTo(-1);
        int count = 0;
        int[] allowed = new int[64 * words()];
        for (int id = 0; id < allowed.length; id++) {
            if ((bits[1 + (id >>> 6)] >>> (id & 63) & 1) != 0) {
                allowed[count++] = id;
            }
        }
        return Arrays.copyOf(allowed, count);
    }

    /** A text that was written to its end; empty where that took more tokens than a model has. */
    Optional<String> write(Grammar grammar, Random random) {
        Cursor cursor = grammar.begin();
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        for (int i = 0; i < 2_000; i++) {
            if (cursor.mustEnd() || cursor.mayEnd() && random.nextInt(3) == 0) {
                return Optional.of(text.toString(StandardCharsets.UTF_8));
            }
            int[] allowed = allowed(cursor);
            if (allowed.length == 0) {
                assertThat(cursor.mayEnd()).isTrue();
                return Optional.of(text.toString(StandardCharsets.UTF_8));
            }
            assertThat(suggestsWhatMayCome(cursor, 1 + random.nextInt(12))).isTrue();
            cursor = another(cursor, allowed, random);
            int token = choose(allowed, i, random);
            assertThat(cursor.accept(token)).isTrue();
            text.writeBytes(tokens.get(token));
        }
        return Optional.empty();
    }

    private static boolean suggestsWhatMayCome(Cursor cursor, int most) {
        int[] likely = new int[most];
        int count = cursor.likely(likely, most);
        Cursor copy = cursor.copy();
        return Arrays.stream(likely, 0, count).allMatch(copy::accept);
    }

    /** A copy, or the cursor with a copy gone elsewhere: what becomes of one is nothing to the other. */
    static Cursor another(Cursor cursor, int[] allowed, Random random) {
        Cursor copy = cursor.copy();
        boolean copied = random.nextBoolean();
        (copied ? cursor : copy).accept(allowed[random.nextInt(allowed.length)]);
        return copied ? copy : cursor;
    }

    /** Prefers what closes, more so as the text grows. */
    int choose(int[] allowed, int length, Random random) {
        int[] closing = Arrays.stream(allowed)
                .filter(id -> tokens.get(id).length > 0 && "\"]},0".indexOf(tokens.get(id)[0]) >= 0)
                .toArray();
        boolean close = closing.length > 0 && random.nextInt(100) < 10 + length;
        int[] from = close ? closing : allowed;
        return from[random.nextInt(from.length)];
    }

    /** Whether the text can be written under the grammar and end there, cut into tokens at random. */
    boolean allows(Grammar grammar, String text, Random random) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        Cursor cursor = grammar.begin();
        for (int at = 0; at < bytes.length; ) {
            List<Integer> fitting = new ArrayList<>();
            for (int id = 1; id < tokens.size(); id++) {
                byte[] token = tokens.get(id);
                if (at + token.length <= bytes.length
                        && Arrays.equals(token, 0, token.length, bytes, at, at + token.length)) {
                    fitting.add(id);
                }
            }
            int token = fitting.get(random.nextInt(fitting.size()));
            boolean masked = Arrays.stream(allowed(cursor)).anyMatch(id -> id == token);
            boolean accepted = cursor.accept(token);
            assertThat(masked).isEqualTo(accepted);
            if (!accepted) {
                return false;
            }
            at += tokens.get(token).length;
        }
        return cursor.mayEnd();
    }

    /** JSON as the server parses it: maps in order, lists, strings, Longs, Doubles, Booleans, nulls. */
    static @Nullable Object json(String text) {
        return plain(JsonMapper.shared().readValue(text, Object.class));
    }

    private static @Nullable Object plain(@Nullable Object value) {
        return switch (value) {
            case Integer whole -> whole.longValue();
            case List<?> list -> {
                List<@Nullable Object> plain = new ArrayList<>();
                list.forEach(each -> plain.add(plain(each)));
                yield plain;
            }
            case Map<?, ?> map -> {
                Map<Object, @Nullable Object> plain = new LinkedHashMap<>();
                map.forEach((key, each) -> plain.put(key, plain(each)));
                yield plain;
            }
            case null, default -> value;
        };
    }
}
