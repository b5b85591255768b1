package dev.jeton.models.grammar;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.engine.TokenGrammar.Cursor;
import dev.jeton.models.grammar.GrammarSpec.Tag;
import dev.jeton.models.grammar.GrammarSpec.Tags;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.TreeSet;
import java.util.function.IntPredicate;
import java.util.regex.Pattern;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Texts that are free but for what follows their triggers. */
class TagsTest {

    private static final int SEEDS = 60;

    /** Tags, and an expression of all texts that they allow, of which those are free that have no trigger. */
    private record Language(Tags tags, String texts, List<String> triggers) {

        /** By a reading of the whole that knows nothing of automata: free text is looked through for triggers. */
        boolean allows(String text) {
            return Pattern.compile(texts, Pattern.DOTALL).matcher(text).matches();
        }
    }

    private static GrammarSpec one(String expression) {
        return new GrammarSpec.Regex(expression);
    }

    /** Text up to a trigger: no place in it begins one. */
    private static String without(String trigger) {
        return "(?:(?!" + trigger + ").)*+";
    }

    private static Language repeated(Tags tags, String trigger, String rest) {
        String free = without(trigger);
        String tag = trigger + "(?:" + rest + ")";
        String texts = tags.first()
                ? tag + (tags.one() ? "" : "(?:" + free + tag + ")*" + free)
                : free + (tags.one() ? "(?:" + tag + ")?" : "(?:" + tag + free + ")*");
        return new Language(tags, texts, List.of(trigger));
    }

    static List<Language> languages() {
        List<Language> all = new ArrayList<>();
        for (boolean first : List.of(false, true)) {
            for (boolean last : List.of(false, true)) {
                Tag plain = new Tag(List.of("<a>"), one("[xy]{1,2}<"));
                all.add(repeated(new Tags(List.of(plain), first, last), "<a>", "[xy]{1,2}<"));
                // what its rest begins with is what a trigger begins with, and what a tag ends with, too
                Tag own = new Tag(List.of("aab"), one("a{1,2}b?"));
                all.add(repeated(new Tags(List.of(own), first, last), "aab", "a{1,2}b?"));
            }
        }
        Tag two = new Tag(List.of("<"), one("x>"));
        Tag three = new Tag(List.of("<"), one("y+>"));
        all.add(repeated(new Tags(List.of(two, three), false, false), "<", "x>|y+>"));
        Tag empty = new Tag(List.of("xx"), new GrammarSpec.Text(""));
        all.add(repeated(new Tags(List.of(empty), false, false), "xx", ""));
        return all;
    }

    /** Single characters of a small alphabet and random pieces of them, some twice, one without text, one special. */
    private static List<byte[]> tokens(Random random) {
        String alphabet = "<a>xyb";
        List<byte[]> tokens = new ArrayList<>();
        tokens.add(new byte[0]);
        alphabet.chars().forEach(c -> tokens.add(new byte[] {(byte) c}));
        for (int i = 0; i < 60; i++) {
            StringBuilder text = new StringBuilder();
            for (int left = 2 + random.nextInt(6); left > 0; left--) {
                text.append(alphabet.charAt(random.nextInt(alphabet.length())));
            }
            tokens.add(text.toString().getBytes(StandardCharsets.UTF_8));
        }
        return tokens;
    }

    private static TreeSet<Integer> allowed(Cursor cursor, int size) {
        int words = (size + 63) / 64;
        long[] bits = new long[words];
        assertThat(cursor.mask(bits, 0)).isTrue();
        TreeSet<Integer> allowed = new TreeSet<>();
        for (int token = 0; token < 64 * words; token++) {
            if ((bits[token >>> 6] >>> token & 1) != 0) {
                allowed.add(token);
            }
        }
        return allowed;
    }

    private static TreeSet<Integer> matching(int size, IntPredicate which) {
        TreeSet<Integer> matching = new TreeSet<>();
        for (int token = 0; token < size; token++) {
            if (which.test(token)) {
                matching.add(token);
            }
        }
        return matching;
    }

    private static Cursor after(Grammar grammar, List<Integer> tokens) {
        Cursor cursor = grammar.begin();
        tokens.forEach(token -> assertThat(cursor.accept(token)).isTrue());
        return cursor;
    }

    @ParameterizedTest
    @MethodSource("languages")
    void shouldAllowWhatTriggersLetFollowAndEveryTextWithoutThem(Language language) {
        for (int seed = 0; seed < SEEDS; seed++) {
            Random random = new Random(seed);
            List<byte[]> tokens = tokens(random);
            GrammarVocabulary vocabulary = new GrammarVocabulary(tokens.size(), tokens::get, false);
            Grammar grammar = Grammar.compile(language.tags(), vocabulary, false);
            Cursor cursor = grammar.begin();
            ByteArrayOutputStream text = new ByteArrayOutputStream();
            List<Integer> written = new ArrayList<>();
            for (int i = 0; i < 25 && !cursor.mustEnd(); i++) {
                String sofar = text.toString(StandardCharsets.UTF_8);
                assertThat(cursor.mayEnd())
                        .as("seed %d: '%s' may end", seed, sofar)
                        .isEqualTo(language.allows(sofar));
                TreeSet<Integer> allowed = allowed(cursor, tokens.size());
                assertThat(allowed)
                        .as("seed %d: something may follow '%s'", seed, sofar)
                        .isNotEmpty();
                assertThat(cursor.free())
                        .as("seed %d: '%s' is free", seed, sofar)
                        .isEqualTo(cursor.mayEnd() && allowed.size() == tokens.size());
                // each token by itself, from the beginning: a mask is no more than that
                assertThat(allowed)
                        .as("seed %d: what may follow '%s'", seed, sofar)
                        .isEqualTo(matching(
                                tokens.size(), token -> after(grammar, written).accept(token)));
                int token = choose(allowed, random);
                assertThat(cursor.accept(token)).isTrue();
                written.add(token);
                text.writeBytes(tokens.get(token));
            }
        }
    }

    private static int choose(TreeSet<Integer> allowed, Random random) {
        return List.copyOf(allowed).get(random.nextInt(allowed.size()));
    }

    @ParameterizedTest
    @MethodSource("languages")
    void shouldAllowTheSameTextsHoweverTheyAreCut(Language language) {
        Random random = new Random(7);
        List<byte[]> tokens = tokens(random);
        GrammarVocabulary vocabulary = new GrammarVocabulary(tokens.size(), tokens::get, false);
        Grammar grammar = Grammar.compile(language.tags(), vocabulary, false);
        int fitting = 0;
        for (int i = 0; i < 4_000; i++) {
            StringBuilder text = new StringBuilder();
            List<Integer> cut = new ArrayList<>();
            if (random.nextBoolean()) {
                for (int c : language.triggers().getFirst().toCharArray()) {
                    cut.add(1 + "<a>xyb".indexOf(c));
                }
                text.append(language.triggers().getFirst());
            }
            for (int left = random.nextInt(7); left > 0; left--) {
                int token = 1 + random.nextInt(tokens.size() - 1);
                cut.add(token);
                text.append(new String(tokens.get(token), StandardCharsets.UTF_8));
            }
            Cursor cursor = grammar.begin();
            boolean ends = cut.stream().allMatch(cursor::accept) && cursor.mayEnd();
            assertThat(ends).as("'%s'", text).isEqualTo(language.allows(text.toString()));
            fitting += ends ? 1 : 0;
        }
        assertThat(fitting).isPositive();
    }
}
