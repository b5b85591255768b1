package dev.jeton.benchmarks.demo;

import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/** Writes maps, lists, strings, numbers and booleans as indented JSON. */
final class Json {
    private Json() {}

    static String write(Object value) {
        return write(value, "") + "\n";
    }

    private static String write(Object value, String indent) {
        String inner = indent + "  ";
        return switch (value) {
            case Map<?, ?> map when map.isEmpty() -> "{}";
            case Map<?, ?> map ->
                map.entrySet().stream()
                        .map(entry -> inner + quoted(entry.getKey().toString()) + ": " + write(entry.getValue(), inner))
                        .collect(Collectors.joining(",\n", "{\n", "\n" + indent + "}"));
            case List<?> list when list.isEmpty() -> "[]";
            case List<?> list ->
                list.stream()
                        .map(element -> inner + write(element, inner))
                        .collect(Collectors.joining(",\n", "[\n", "\n" + indent + "]"));
            case String text -> quoted(text);
            case Number number -> number.toString();
            case Boolean flag -> flag.toString();
            case Null ignored -> "null";
            default -> throw new IllegalArgumentException("cannot write a " + value.getClass());
        };
    }

    /** JSON's null, for formats that want the key present. */
    enum Null {
        NULL
    }

    private static String quoted(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                default -> {
                    if (c < 0x20 || c > 0x7e) {
                        out.append("\\u%04x".formatted((int) c));
                    } else {
                        out.append(c);
                    }
                }
            }
        }
        return out.append('"').toString();
    }
}
