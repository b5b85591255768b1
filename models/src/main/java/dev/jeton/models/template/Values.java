package dev.jeton.models.template;

import dev.jeton.models.TemplateException;
import java.math.BigDecimal;
import java.util.AbstractList;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Python's idea of values, as templates see them: strings, booleans, {@link Long}, {@link Double}, lists, maps,
 * {@link #NONE}, {@link Undefined} and {@link Function}; how they print, compare and count as true.
 */
final class Values {

    /** Python's None. */
    static final Object NONE = new Object() {
        @Override
        public String toString() {
            return "None";
        }
    };

    /** A name or attribute that is not there: prints as nothing, is false, and fails when used. */
    record Undefined(String name) {}

    /** Something that can be called. */
    interface Function {
        Object call(List<Object> positional, Map<String, Object> named);
    }

    /** {@code namespace(...)}: the one thing whose attributes a template may set. */
    record Namespace(Map<String, Object> attributes) {}

    /** A tuple: a list that prints with parentheses. */
    static final class Tuple extends AbstractList<Object> {

        private final List<Object> items;

        Tuple(List<Object> items) {
            this.items = items;
        }

        @Override
        public Object get(int index) {
            return items.get(index);
        }

        @Override
        public int size() {
            return items.size();
        }
    }

    private Values() {}

    /** Converts values of a request (strings, numbers, booleans, null, lists, maps) once; deep. */
    static Object of(@Nullable Object value) {
        return switch (value) {
            case null -> NONE;
            case Integer i -> (long) i;
            case Short s -> (long) s;
            case Byte b -> (long) b;
            case Float f -> (double) f;
            case BigDecimal d -> d.doubleValue();
            case Map<?, ?> map -> {
                Map<Object, Object> copy = new LinkedHashMap<>();
                map.forEach((k, v) -> copy.put(k instanceof String s ? s : of(k), of(v)));
                yield copy;
            }
            case Iterable<?> items -> {
                List<Object> copy = new ArrayList<>();
                items.forEach(item -> copy.add(of(item)));
                yield copy;
            }
            default -> value;
        };
    }

    static boolean truth(Object value) {
        return switch (value) {
            case Boolean b -> b;
            case String s -> !s.isEmpty();
            case Long l -> l != 0;
            case Double d -> d != 0;
            case List<?> l -> !l.isEmpty();
            case Map<?, ?> m -> !m.isEmpty();
            case Undefined u -> false;
            default -> value != NONE;
        };
    }

    /** How a value prints: Python's {@code str}. */
    static String text(Object value) {
        return switch (value) {
            case String s -> s;
            case Undefined u -> "";
            default -> repr(value);
        };
    }

    private static String repr(Object value) {
        StringBuilder out = new StringBuilder();
        repr(value, out, 0);
        return out.toString();
    }

    /** A text that is being put together, unless it has more characters than a whole prompt may have. */
    static StringBuilder requireShort(StringBuilder out) {
        if (out.length() > JinjaTemplate.MAX_OUTPUT) {
            throw new TemplateException("chat template: a text grew past " + JinjaTemplate.MAX_OUTPUT + " characters");
        }
        return out;
    }

    private static void repr(Object value, StringBuilder out, int depth) {
        requireShort(out);
        if (depth > 100) {
            throw new TemplateException("chat template: a value is nested too deeply to be printed");
        }
        switch (value) {
            case String s -> quote(s, out);
            case Boolean b -> out.append(b ? "True" : "False");
            case Double d -> out.append(number(d));
            case Undefined u -> out.append("Undefined");
            case List<?> list -> {
                out.append(value instanceof Tuple ? '(' : '[');
                Iterator<?> items = list.iterator();
                while (items.hasNext()) {
                    repr(Objects.requireNonNull(items.next()), out, depth + 1);
                    out.append(items.hasNext() ? ", " : "");
                }
                out.append(value instanceof Tuple ? list.size() == 1 ? ",)" : ")" : "]");
            }
            case Map<?, ?> map -> {
                out.append('{');
                Iterator<? extends Map.Entry<?, ?>> entries = map.entrySet().iterator();
                while (entries.hasNext()) {
                    Map.Entry<?, ?> entry = entries.next();
                    repr(Objects.requireNonNull(entry.getKey()), out, depth + 1);
                    out.append(": ");
                    repr(Objects.requireNonNull(entry.getValue()), out, depth + 1);
                    out.append(entries.hasNext() ? ", " : "");
                }
                out.append('}');
            }
            default -> out.append(value);
        }
    }

    private static void quote(String s, StringBuilder out) {
        char quote = s.indexOf('\'') >= 0 && s.indexOf('"') < 0 ? '"' : '\'';
        out.append(quote);
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            switch (c) {
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                case '\t' -> out.append("\\t");
                case '\\' -> out.append("\\\\");
                default -> {
                    if (c == quote) {
                        out.append('\\').append(c);
                    } else if (c < 0x20 || c == 0x7f) {
                        out.append("\\x%02x".formatted((int) c));
                    } else {
                        out.append(c);
                    }
                }
            }
        }
        out.append(quote);
    }

    /** A float as Python prints it: the shortest digits, with an exponent from 1e16 on and below 1e-4. */
    static String number(double d) {
        if (Double.isNaN(d)) {
            return "nan";
        }
        if (Double.isInfinite(d)) {
            return d > 0 ? "inf" : "-inf";
        }
        BigDecimal exact = new BigDecimal(Double.toString(d));
        double size = Math.abs(d);
        if (d != 0 && (size >= 1e16 || size < 1e-4)) {
            BigDecimal stripped = exact.stripTrailingZeros();
            String digits = stripped.unscaledValue().abs().toString();
            int exponent = digits.length() - 1 - stripped.scale();
            String mantissa = digits.length() == 1 ? digits : digits.charAt(0) + "." + digits.substring(1);
            return (d < 0 ? "-" : "") + mantissa + "e" + (exponent < 0 ? "-" : "+")
                    + (Math.abs(exponent) < 10 ? "0" : "") + Math.abs(exponent);
        }
        String plain = exact.toPlainString();
        return plain.contains(".") ? plain : plain + ".0";
    }

    static boolean same(Object a, Object b) {
        if (isNumber(a) && isNumber(b)) {
            return a instanceof Double || b instanceof Double ? toDouble(a) == toDouble(b) : toLong(a) == toLong(b);
        }
        if (a instanceof Undefined || b instanceof Undefined) {
            return a instanceof Undefined && b instanceof Undefined;
        }
        return a.equals(b);
    }

    static int compare(Object a, Object b) {
        if (isNumber(a) && isNumber(b)) {
            return a instanceof Double || b instanceof Double
                    ? Double.compare(toDouble(a), toDouble(b))
                    : Long.compare(toLong(a), toLong(b));
        }
        if (a instanceof String x && b instanceof String y) {
            return x.compareTo(y);
        }
        if (a instanceof List<?> x && b instanceof List<?> y) {
            for (int i = 0; i < Math.min(x.size(), y.size()); i++) {
                int order = compare(Objects.requireNonNull(x.get(i)), Objects.requireNonNull(y.get(i)));
                if (order != 0) {
                    return order;
                }
            }
            return Integer.compare(x.size(), y.size());
        }
        throw new TemplateException("chat template: cannot compare " + type(a) + " with " + type(b));
    }

    static boolean contains(Object container, Object item) {
        return switch (container) {
            case String s when item instanceof String part -> s.contains(part);
            case Map<?, ?> map -> map.containsKey(item);
            case List<?> list -> list.stream().anyMatch(x -> same(Objects.requireNonNull(x), item));
            // Python looks for an item among none: templates ask so for a text that they may not have set.
            case Undefined u -> false;
            default ->
                throw new TemplateException("chat template: cannot look for " + type(item) + " in " + type(container));
        };
    }

    /** The items of a value that can be looped over. */
    static List<Object> items(Object value) {
        return switch (value) {
            case List<?> list -> {
                @SuppressWarnings("unchecked")
                List<Object> items = (List<Object>) list;
                yield items;
            }
            case Map<?, ?> map -> new ArrayList<>(map.keySet());
            case String s -> {
                List<Object> characters = new ArrayList<>();
                s.codePoints().forEach(c -> characters.add(Character.toString(c)));
                yield characters;
            }
            case Undefined u -> List.of();
            default -> throw new TemplateException("chat template: " + type(value) + " cannot be looped over");
        };
    }

    static boolean isNumber(Object value) {
        return value instanceof Long || value instanceof Double || value instanceof Boolean;
    }

    static long toLong(Object value) {
        return switch (value) {
            case Long l -> l;
            case Boolean b -> b ? 1 : 0;
            case Double d -> d.longValue();
            case Undefined u -> throw undefined(u);
            default -> throw new TemplateException("chat template: " + type(value) + " is not a number");
        };
    }

    static double toDouble(Object value) {
        return value instanceof Double d ? d : toLong(value);
    }

    static int length(Object value) {
        return switch (value) {
            case String s -> s.codePointCount(0, s.length());
            case List<?> l -> l.size();
            case Map<?, ?> m -> m.size();
            case Undefined u -> 0;
            default -> throw new TemplateException("chat template: " + type(value) + " has no length");
        };
    }

    static TemplateException undefined(Undefined value) {
        return new TemplateException("chat template: '" + value.name() + "' is undefined");
    }

    /** What a value is, in words for an error. */
    static String type(Object value) {
        return switch (value) {
            case String s -> "a string";
            case Boolean b -> "a boolean";
            case Long l -> "an integer";
            case Double d -> "a float";
            case List<?> l -> "a list";
            case Map<?, ?> m -> "a mapping";
            case Undefined u -> "the undefined '" + u.name() + "'";
            default -> value == NONE ? "None" : "an object";
        };
    }
}
