package dev.jeton.models.tools;

import dev.jeton.models.tools.ToolCallParser.Bounds;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;

/** What a parser tells, put together: content, calls, and the order of both. */
final class Heard implements CallSink {

    static final Bounds ROOMY = new Bounds(100, 1 << 20, false);

    /** Two functions: {@code f} without a schema, {@code g} with one. */
    static final ToolSignatures TOOLS = ToolSignatures.of(List.of(
            Map.of("type", "function", "function", Map.of("name", "f")),
            Map.of(
                    "type",
                    "function",
                    "function",
                    Map.of(
                            "name",
                            "g",
                            "parameters",
                            Map.of(
                                    "type",
                                    "object",
                                    "properties",
                                    Map.of(
                                            "text", Map.of("type", "string"),
                                            "count", Map.of("type", "integer"),
                                            "list", Map.of("type", "array"),
                                            "maybe",
                                                    Map.of(
                                                            "anyOf",
                                                            List.of(Map.of("type", "string"), Map.of("type", "null"))),
                                            "any", Map.of(),
                                            "size", Map.of("$ref", "#/$defs/size"),
                                            "code", Map.of("enum", List.of("1", "2"))),
                                    "$defs",
                                    Map.of("size", Map.of("allOf", List.of(Map.of("type", "string")))))))));

    /** A call that was told. */
    record Called(String name, String arguments, End end) {

        static Called whole(String name, String arguments) {
            return new Called(name, arguments, End.WHOLE);
        }
    }

    private final StringBuilder content = new StringBuilder();
    private final StringBuilder order = new StringBuilder();
    private final List<Called> calls = new ArrayList<>();
    private final List<String> ids = new ArrayList<>();
    private final StringBuilder arguments = new StringBuilder();
    private String name = "";

    /** What a whole text comes to. */
    static Heard of(ToolFormat format, String text) {
        return of(format, text, ROOMY);
    }

    static Heard of(ToolFormat format, String text, Bounds bounds) {
        Heard heard = new Heard();
        ToolCallParser parser = new ToolCallParser(format, TOOLS, bounds, heard);
        parser.add(text);
        parser.finish();
        return heard;
    }

    /** What a text in pieces of random lengths comes to. */
    static Heard inPieces(ToolFormat format, String text, Random random) {
        Heard heard = new Heard();
        ToolCallParser parser = new ToolCallParser(format, TOOLS, ROOMY, heard);
        int most = 1 + random.nextInt(12);
        for (int at = 0; at < text.length(); ) {
            int end = Math.min(text.length(), at + 1 + random.nextInt(most));
            parser.add(text.substring(at, end));
            at = end;
        }
        parser.finish();
        return heard;
    }

    @Override
    public void content(CharSequence text) {
        content.append(text);
        order.append(text);
    }

    @Override
    public void begin(String function, Optional<String> id) {
        name = function;
        id.ifPresent(ids::add);
        order.append(" begin ").append(function).append(' ');
    }

    @Override
    public void arguments(CharSequence piece) {
        arguments.append(piece);
        order.append(piece);
    }

    @Override
    public void end(End how) {
        calls.add(new Called(name, arguments.toString(), how));
        arguments.setLength(0);
        order.append(" end ").append(how).append(' ');
    }

    String content() {
        return content.toString();
    }

    List<Called> calls() {
        return calls;
    }

    /** Ids that the model gave its calls. */
    List<String> ids() {
        return ids;
    }

    /** Everything that was told, in its order. */
    String order() {
        return order.toString();
    }
}
