package dev.jeton.benchmarks;

import dev.jeton.models.engine.TokenGrammar.Cursor;
import dev.jeton.models.grammar.Grammar;
import dev.jeton.models.grammar.GrammarSpec;
import dev.jeton.models.grammar.GrammarVocabulary;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * What guided decoding costs the host: a schema compiled, and the masks of a document, from a grammar that has seen it
 * before and from one that was just compiled.
 *
 * <p>The vocabulary is made, of words as byte-level BPE has them: with a space before them and without, in three cases,
 * with what JSON puts around them. The limit of a known mask is its writing: {@code vocabulary / 8} bytes.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(1)
public class GrammarBenchmark {

    private static final String LETTERS = "etaoinshrdlucmfwygpbvk";
    private static final List<String> AROUND =
            List.of("\"", "\":", "\",", "\"},", "\"}]", ":", " \"", ",\n", " {", "}", "[");

    /** Tokens. */
    @Param({"32000", "128256"})
    public int vocabulary;

    /** Reused, as the scheduler reuses its own. */
    private long[] bits = new long[0];

    private Made made = make(300);

    /** A vocabulary, and a document in its tokens that the schema allows. */
    private record Made(GrammarVocabulary tokens, GrammarSpec schema, Grammar known, int[] document) {}

    /** Makes the vocabulary, and a document in its tokens. */
    @Setup
    public void setUp() {
        made = make(vocabulary);
        bits = new long[(vocabulary + 63) / 64];
        System.out.println("tokens of the document: " + made.document.length);
    }

    private static Made make(int vocabulary) {
        Random random = new Random(1);
        Set<String> words = new LinkedHashSet<>(AROUND);
        while (words.size() < vocabulary - 256) {
            StringBuilder word = new StringBuilder();
            for (int left = 1 + random.nextInt(9); left > 0; left--) {
                word.append(LETTERS.charAt((int) Math.abs(random.nextGaussian() * 8) % LETTERS.length()));
            }
            switch (random.nextInt(6)) {
                case 0 -> word.setCharAt(0, Character.toUpperCase(word.charAt(0)));
                case 1, 2, 3 -> word.insert(0, ' ');
                case 4 -> word.append(AROUND.get(random.nextInt(random.nextInt(AROUND.size()) + 1)));
                default -> {}
            }
            words.add(word.toString());
        }
        List<byte[]> bytes = new ArrayList<>();
        for (int octet = 0; octet < 256; octet++) {
            bytes.add(new byte[] {(byte) octet});
        }
        words.forEach(word -> bytes.add(word.getBytes(StandardCharsets.UTF_8)));
        GrammarVocabulary tokens = new GrammarVocabulary(bytes.size(), bytes::get, false);
        GrammarSpec schema = new GrammarSpec.JsonSchema(people(), true);
        return new Made(tokens, schema, Grammar.compile(schema, tokens, false), cut(text(random), bytes));
    }

    private static Map<String, Object> people() {
        Map<String, Object> text = Map.of("type", "string");
        Map<String, Object> person = Map.of(
                "type",
                "object",
                "properties",
                new TreeMap<>(Map.of(
                        "age", Map.of("type", "integer", "minimum", 0L, "maximum", 150L),
                        "city", Map.of("enum", List.of("Paris", "London", "Lagos")),
                        "name", text,
                        "notes", Map.of("type", "array", "items", text),
                        "since", Map.of("type", "string", "format", "date"))),
                "required",
                List.of("age", "city", "name", "notes", "since"),
                "additionalProperties",
                false);
        return Map.of("type", "array", "items", person);
    }

    private static String text(Random random) {
        StringBuilder text = new StringBuilder("[");
        for (int person = 0; person < 8; person++) {
            text.append(person == 0 ? "" : ",\n").append(" {\"age\": ").append(random.nextInt(100));
            text.append(", \"city\": \"Lagos\", \"name\": \"").append(sentence(random, 2));
            text.append("\", \"notes\": [\"")
                    .append(sentence(random, 12))
                    .append("\", \"")
                    .append(sentence(random, 7));
            text.append("\"], \"since\": \"2024-02-29\"}");
        }
        return text.append(']').toString();
    }

    private static String sentence(Random random, int words) {
        StringBuilder text = new StringBuilder();
        for (int word = 0; word < words; word++) {
            text.append(word == 0 ? "" : " ");
            for (int left = 2 + random.nextInt(5); left > 0; left--) {
                text.append(LETTERS.charAt(random.nextInt(LETTERS.length())));
            }
        }
        return text.toString();
    }

    /** The longest token first, always. */
    private static int[] cut(String text, List<byte[]> tokens) {
        Map<String, Integer> ids = new HashMap<>();
        for (int id = 0; id < tokens.size(); id++) {
            ids.put(new String(tokens.get(id), StandardCharsets.ISO_8859_1), id);
        }
        List<Integer> cut = new ArrayList<>();
        for (int at = 0; at < text.length(); ) {
            int length = Math.min(16, text.length() - at);
            while (!ids.containsKey(text.substring(at, at + length))) {
                length--;
            }
            cut.add(ids.get(text.substring(at, at + length)));
            at += length;
        }
        return cut.stream().mapToInt(Integer::intValue).toArray();
    }

    /** Compiles the schema. */
    @Benchmark
    public Grammar compile() {
        return Grammar.compile(made.schema, made.tokens, false);
    }

    /** The masks of the whole document, and its tokens taken: of a schema that others have used. */
    @Benchmark
    public long known() {
        return write(made.known);
    }

    /** The same of a schema that nobody has used, compiling included. */
    @Benchmark
    public long first() {
        return write(compile());
    }

    private long write(Grammar grammar) {
        Cursor cursor = grammar.begin();
        long sum = 0;
        for (int token : made.document) {
            boolean known = cursor.mask(bits, 0);
            sum += bits[token >>> 6];
            if (!known || !cursor.accept(token)) {
                throw new IllegalStateException("the document is not one of the schema");
            }
        }
        return sum;
    }
}
