package dev.jeton.models.grammar;

import static org.assertj.core.api.Assertions.assertThat;

import com.networknt.schema.InputFormat;
import com.networknt.schema.Schema;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.SpecificationVersion;
import dev.jeton.models.engine.TokenGrammar.Cursor;
import dev.jeton.models.tools.CallSink;
import dev.jeton.models.tools.LlamaFormat;
import dev.jeton.models.tools.PythonicFormat;
import dev.jeton.models.tools.ToolCallParser;
import dev.jeton.models.tools.ToolFormat;
import dev.jeton.models.tools.ToolSignatures;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import tools.jackson.databind.json.JsonMapper;

/** Calls in free text, written at random as far as masks allow it, against the parser that takes them out of it. */
class CallTagsTest {

    private static final int SCHEMAS = 25;

    static List<ToolFormat> formats() {
        return ToolFormat.ALL.stream().filter(format -> !format.signed()).toList();
    }

    /** What a parser has found in a text. */
    private static final class Calls implements CallSink {
        private final List<String> names = new ArrayList<>();
        private final List<StringBuilder> arguments = new ArrayList<>();
        private final List<End> ends = new ArrayList<>();

        /** @param schema of the arguments of {@code f} */
        static Calls of(ToolFormat format, String text, Map<String, Object> schema) {
            Calls calls = new Calls();
            ToolCallParser parser = new ToolCallParser(
                    format,
                    ToolSignatures.of(List.of(
                            Map.of("function", Map.of("name", "f", "parameters", schema)),
                            Map.of("function", Map.of("name", "go")))),
                    new ToolCallParser.Bounds(1_000, 1 << 20, false),
                    calls);
            parser.add(text);
            parser.finish();
            return calls;
        }

        @Override
        public void content(CharSequence text) {}

        @Override
        public void begin(String name, Optional<String> id) {
            names.add(name);
            arguments.add(new StringBuilder());
        }

        @Override
        public void arguments(CharSequence piece) {
            arguments.getLast().append(piece);
        }

        @Override
        public void end(End how) {
            ends.add(how);
        }
    }

    /** Writes a text with a call of a function; empty where that took more tokens than a model has. */
    private static Optional<String> write(GuidedTexts texts, Grammar grammar, String begin, Random random) {
        Cursor cursor = grammar.begin();
        ByteArrayOutputStream text = new ByteArrayOutputStream();
        for (int left = random.nextInt(4); left > 0; left--) {
            take(texts, cursor, texts.choose(texts.allowed(cursor), 0, random), text);
        }
        if (!cursor.mayEnd()) {
            return Optional.empty();
        }
        for (byte octet : ("\n" + begin).getBytes(StandardCharsets.UTF_8)) {
            if ((octet == ':' || octet == '(')
                    && IntStream.of(texts.allowed(cursor)).noneMatch(token -> token == 1 + octet)) {
                // what contradicts itself cannot be called
                return Optional.empty();
            }
            take(texts, cursor, 1 + (octet & 0xff), text);
        }
        assertThat(cursor.mayEnd()).as("behind '%s'", begin).isFalse();
        for (int i = 0; i < 1_000; i++) {
            if (cursor.mayEnd()) {
                return Optional.of(text.toString(StandardCharsets.UTF_8));
            }
            assertThat(cursor.free()).isFalse();
            take(texts, cursor, texts.choose(texts.allowed(cursor), i, random), text);
        }
        return Optional.empty();
    }

    private static void take(GuidedTexts texts, Cursor cursor, int token, ByteArrayOutputStream text) {
        assertThat(IntStream.of(texts.allowed(cursor))).contains(token);
        assertThat(cursor.accept(token)).isTrue();
        text.writeBytes(texts.token(token));
    }

    private static String begin(ToolFormat format) {
        return switch (format) {
            case LlamaFormat llama -> "{ \"name\":\"f\" ,\n\"parameters\" :";
            case PythonicFormat pythonic when pythonic.bare() -> "[ f(";
            default -> format.begins().getFirst();
        };
    }

    @ParameterizedTest
    @MethodSource("formats")
    void shouldWriteNoCallThatItsSchemaDoesNotTakeNorOneThatTheParserDoesNotFind(ToolFormat format) {
        GuidedTexts texts = GuidedTexts.of(new Random(1), false);
        int written = 0;
        for (long seed = 0; seed < SCHEMAS; seed++) {
            Random random = new Random(seed);
            Map<String, Object> schema = Map.of(
                    "type",
                    "object",
                    "properties",
                    Map.of("v", new RandomSchemas(random).next()),
                    "required",
                    List.of("v"),
                    "additionalProperties",
                    false);
            Optional<Grammar> grammar = compiled(format, schema, texts);
            Schema validator = SchemaRegistry.withDefaultDialect(SpecificationVersion.DRAFT_2020_12)
                    .getSchema(JsonMapper.shared().writeValueAsString(schema), InputFormat.JSON);
            for (int i = 0; i < 3 && grammar.isPresent(); i++) {
                Optional<String> text = write(texts, grammar.get(), begin(format), random);
                if (text.isEmpty()) {
                    continue;
                }
                written++;
                Calls calls = Calls.of(format, text.get(), schema);
                assertThat(calls.ends).as(text.get()).isNotEmpty().containsOnly(CallSink.End.WHOLE);
                for (int call = 0; call < calls.names.size(); call++) {
                    String arguments = calls.arguments.get(call).toString();
                    assertThat(calls.names.get(call)).isIn("f", "go");
                    if (calls.names.get(call).equals("f")) {
                        assertThat(validator.validate(arguments, InputFormat.JSON))
                                .as("seed %d: %s of %s", seed, arguments, schema)
                                .isEmpty();
                    }
                }
            }
        }
        assertThat(written).as("texts that were written to their ends").isGreaterThan(SCHEMAS / 2);
    }

    private static Optional<Grammar> compiled(ToolFormat format, Map<String, Object> schema, GuidedTexts texts) {
        try {
            return Optional.of(Grammar.compile(tags(format, schema), texts.vocabulary(), false));
        } catch (GrammarException e) {
            return Optional.empty();
        }
    }

    private static GrammarSpec.Tags tags(ToolFormat format, Map<String, Object> schema) {
        List<GrammarSpec.Function> functions =
                List.of(new GrammarSpec.Function("f", schema, true), new GrammarSpec.Function("go", Map.of(), false));
        return new GrammarSpec.Tags(CallTags.of(format, functions, false), false, false);
    }

    /** Bytes, marks as special tokens, an end of texts, and one without text. */
    @ParameterizedTest
    @MethodSource("formats")
    void shouldTakeMarksThatAreSpecialTokensAndLeaveOutOthersOfWhichNobodySeesAnything(ToolFormat format) {
        List<byte[]> tokens = new ArrayList<>();
        IntStream.range(0, 256).forEach(octet -> tokens.add(new byte[] {(byte) octet}));
        format.marks().forEach(mark -> tokens.add(mark.getBytes(StandardCharsets.UTF_8)));
        int end = tokens.size();
        tokens.add("<end>".getBytes(StandardCharsets.UTF_8));
        int empty = tokens.size();
        tokens.add(new byte[0]);
        GrammarVocabulary vocabulary = new GrammarVocabulary(tokens.size(), tokens::get, id -> id >= 256, false);
        Grammar grammar = Grammar.compile(tags(format, Map.of("type", "object")), vocabulary, false);
        String begin = begin(format);
        Cursor text = grammar.begin();
        assertThat(text.free()).isTrue();
        byte[] bytes = begin.getBytes(StandardCharsets.UTF_8);
        for (int i = 0; i < bytes.length; i++) {
            assertThat(text.mayEnd()).isTrue();
            assertThat(text.accept(end)).isTrue();
            assertThat(text.accept(empty)).isTrue();
            assertThat(text.accept(bytes[i] & 0xff)).isTrue();
        }
        assertThat(text.mayEnd()).as("'%s' as text begins a call", begin).isFalse();
        assertThat(text.free()).isFalse();
        assertThat(text.accept(end)).isFalse();
        assertThat(text.accept(empty)).isFalse();
        int mark = 256 + format.marks().indexOf(begin);
        if (mark >= 256) {
            Cursor special = grammar.begin();
            assertThat(special.accept(mark)).isTrue();
            assertThat(special.mayEnd()).as("'%s' as a token begins one", begin).isFalse();
            assertThat(special.accept(end)).isFalse();
        }
    }

    @Test
    void shouldForgetNothingOfATextThatIsFreeWhereItForgetsWhatItFound() {
        GuidedTexts texts = GuidedTexts.of(new Random(3), false);
        ToolFormat hermes = ToolFormat.named("hermes", "").orElseThrow();
        Grammar grammar = Grammar.compile(tags(hermes, Map.of("type", "object")), texts.vocabulary(), false, 1);
        Grammar kept = Grammar.compile(tags(hermes, Map.of("type", "object")), texts.vocabulary(), false);
        for (int seed = 0; seed < 20; seed++) {
            assertThat(write(texts, grammar, "<tool_call>", new Random(seed)))
                    .isEqualTo(write(texts, kept, "<tool_call>", new Random(seed)));
        }
    }
}
