package dev.jeton.models.template;

import dev.jeton.models.TemplateException;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** {@code tojson} as chat templates expect it: Python's {@code json.dumps}, in its {@link Style}. */
final class Json {

    private static final int MAX_DEPTH = 100;

    private final StringBuilder out = new StringBuilder();
    private final int indent;
    private final Style style;

    private Json(Style style) {
        this.style = style;
        indent = style.indent();
    }

    /**
     * How JSON is laid out, as Python's {@code json.dumps} takes it.
     *
     * @param ascii whether other characters are escaped
     * @param indent spaces per level, or 0 for one line
     * @param comma between items
     * @param colon behind keys
     * @param sorted whether keys are sorted
     */
    record Style(boolean ascii, int indent, String comma, String colon, boolean sorted) {

        /** By the arguments of Hugging Face's {@code tojson}. */
        static Style of(Filters.Parameters p) {
            int indent = Math.clamp(p.integer(1, "indent", 0), 0, 16);
            boolean ascii = Values.truth(p.get(0, "ensure_ascii", false));
            boolean sorted = Values.truth(p.get(3, "sort_keys", false));
            Object separators = p.get(2, "separators", Values.NONE);
            if (separators == Values.NONE) {
                return new Style(ascii, indent, indent > 0 ? "," : ", ", ": ", sorted);
            }
            if (separators instanceof List<?> two
                    && two.size() == 2
                    && two.get(0) instanceof String comma
                    && two.get(1) instanceof String colon) {
                return new Style(ascii, indent, comma, colon, sorted);
            }
            throw new TemplateException("chat template: tojson's separators are two strings");
        }
    }

    static String write(Object value, Style style) {
        Json json = new Json(style);
        json.value(value, 0);
        return json.out.toString();
    }

    private void value(Object value, int depth) {
        if (depth > MAX_DEPTH) {
            throw new TemplateException("chat template: tojson of a value nested deeper than " + MAX_DEPTH);
        }
        Values.requireShort(out);
        switch (value) {
            case String s -> string(s);
            case Double d -> out.append(Values.number(d));
            case List<?> list -> list(list, depth);
            case Map<?, ?> map -> map(map, depth);
            case Values.Undefined u -> throw Values.undefined(u);
            default -> {
                if (value == Values.NONE) {
                    out.append("null");
                } else if (value instanceof Long || value instanceof Boolean) {
                    out.append(value);
                } else {
                    throw new TemplateException("chat template: tojson of " + Values.type(value));
                }
            }
        }
    }

    private void list(List<?> list, int depth) {
        if (list.isEmpty()) {
            out.append("[]");
            return;
        }
        out.append('[');
        boolean first = true;
        for (Object item : list) {
            out.append(first ? "" : style.comma());
            line(depth + 1);
            value(Objects.requireNonNull(item), depth + 1);
            first = false;
        }
        line(depth);
        out.append(']');
    }

    private void map(Map<?, ?> map, int depth) {
        if (map.isEmpty()) {
            out.append("{}");
            return;
        }
        out.append('{');
        boolean first = true;
        for (Map.Entry<?, ?> entry : entries(map)) {
            out.append(first ? "" : style.comma());
            line(depth + 1);
            string(Values.text(Objects.requireNonNull(entry.getKey())));
            out.append(style.colon());
            value(Objects.requireNonNull(entry.getValue()), depth + 1);
            first = false;
        }
        line(depth);
        out.append('}');
    }

    private List<? extends Map.Entry<?, ?>> entries(Map<?, ?> map) {
        List<? extends Map.Entry<?, ?>> entries = List.copyOf(map.entrySet());
        return style.sorted()
                ? entries.stream()
                        .sorted((a, b) -> Values.compare(a.getKey(), b.getKey()))
                        .toList()
                : entries;
    }

    private void line(int depth) {
        if (indent > 0) {
            out.append('\n').repeat(' ', indent * depth);
        }
    }

    private void string(String s) {
        out.append('"');
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            switch (c) {
                case '"' -> out.append("\\\"");
                case '\\' -> out.append("\\\\");
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\b' -> out.append("\\b");
                case '\f' -> out.append("\\f");
                default -> {
                    if (c < 0x20 || style.ascii() && c > '~') {
                        out.append("\\u%04x".formatted((int) c));
                    } else {
                        out.append(c);
                    }
                }
            }
        }
        out.append('"');
    }
}
