package dev.jeton.models.template;

import dev.jeton.models.TemplateException;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** {@code tojson} as chat templates expect it: Python's {@code json.dumps} with {@code ensure_ascii=False}. */
final class Json {

    private static final int MAX_DEPTH = 100;

    private final StringBuilder out = new StringBuilder();
    private final int indent;
    private final String comma;
    private final String colon;

    private Json(int indent) {
        this.indent = indent;
        comma = indent > 0 ? "," : ", ";
        colon = ": ";
    }

    /** @param indent spaces per level, or 0 for one line */
    static String write(Object value, int indent) {
        Json json = new Json(indent);
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
            out.append(first ? "" : comma);
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
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            out.append(first ? "" : comma);
            line(depth + 1);
            string(Values.text(Objects.requireNonNull(entry.getKey())));
            out.append(colon);
            value(Objects.requireNonNull(entry.getValue()), depth + 1);
            first = false;
        }
        line(depth);
        out.append('}');
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
                    if (c < 0x20) {
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
