package dev.jeton.models.template;

import dev.jeton.models.TemplateException;
import dev.jeton.models.template.Values.Undefined;
import java.math.BigDecimal;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Set;

/** Jinja2's filters and tests, as far as chat templates use them. */
final class Filters {

    private static final Set<String> NAMES = Set.of(
            "trim",
            "strip",
            "length",
            "count",
            "tojson",
            "join",
            "upper",
            "lower",
            "capitalize",
            "title",
            "default",
            "d",
            "format",
            "first",
            "last",
            "list",
            "items",
            "dictsort",
            "map",
            "select",
            "reject",
            "selectattr",
            "rejectattr",
            "replace",
            "string",
            "int",
            "float",
            "round",
            "reverse",
            "sort",
            "unique",
            "safe",
            "escape",
            "e",
            "indent",
            "abs",
            "sum",
            "min",
            "max",
            "wordcount",
            "batch");
    private static final Set<String> TESTS = Set.of(
            "defined",
            "undefined",
            "none",
            "string",
            "mapping",
            "iterable",
            "sequence",
            "number",
            "integer",
            "float",
            "boolean",
            "true",
            "false",
            "even",
            "odd",
            "callable",
            "lower",
            "upper",
            "divisibleby",
            "equalto",
            "eq",
            "==",
            "ne",
            "!=",
            "lt",
            "<",
            "lessthan",
            "le",
            "<=",
            "gt",
            ">",
            "greaterthan",
            "ge",
            ">=",
            "in",
            "sameas");

    private Filters() {}

    static boolean known(String name) {
        return NAMES.contains(name);
    }

    static boolean knownTest(String name) {
        return TESTS.contains(name);
    }

    static Object apply(String name, Object value, List<Object> positional, Map<String, Object> named) {
        Parameters p = new Parameters(positional, named);
        return switch (name) {
            case "trim", "strip" -> Methods.strip(text(value), p, true, true);
            case "length", "count" -> (long) Values.length(value);
            case "tojson" -> Json.write(value, Json.Style.of(p));
            case "join" -> join(value, p);
            case "upper" -> text(value).toUpperCase(Locale.ROOT);
            case "lower" -> text(value).toLowerCase(Locale.ROOT);
            case "capitalize" -> Methods.capitalize(text(value));
            case "title" -> Methods.title(text(value));
            case "default", "d" -> orDefault(value, p);
            case "format" -> PercentFormat.of(text(value), positional);
            case "first" -> first(Values.items(value));
            case "last" -> first(Values.items(value).reversed());
            case "list" -> new ArrayList<>(Values.items(value));
            case "items" -> value instanceof Undefined ? List.of() : Methods.entries(value);
            case "dictsort" -> dictsort(value);
            case "map" -> map(value, p);
            case "select" -> select(value, p, false, true);
            case "reject" -> select(value, p, false, false);
            case "selectattr" -> select(value, p, true, true);
            case "rejectattr" -> select(value, p, true, false);
            case "replace" ->
                Methods.replace(text(value), p.text(0, "old"), p.text(1, "new"), p.integer(2, "count", -1));
            case "string" -> text(value);
            case "int" -> toInt(value, p);
            case "float" -> toFloat(value, p);
            case "round" -> round(value, p);
            case "reverse" ->
                value instanceof String s
                        ? new StringBuilder(s).reverse().toString()
                        : new ArrayList<>(Values.items(value).reversed());
            case "sort" -> sort(value, p);
            case "unique" -> unique(value);
            case "safe" -> text(value);
            case "escape", "e" -> escape(text(value));
            case "indent" -> indent(text(value), p);
            case "abs" -> value instanceof Double d ? (Object) Math.abs(d) : (Object) Math.abs(Values.toLong(value));
            case "sum" -> sum(value, p);
            case "min" -> extreme(value, Comparator.reverseOrder());
            case "max" -> extreme(value, Comparator.naturalOrder());
            case "wordcount" -> (long) Methods.words(text(value)).size();
            case "batch" -> batch(value, p);
            default -> throw new TemplateException("chat template: the filter '" + name + "' is not supported");
        };
    }

    static boolean test(String name, Object value, List<Object> arguments) {
        return switch (name) {
            case "defined" -> !(value instanceof Undefined);
            case "undefined" -> value instanceof Undefined;
            case "none" -> value == Values.NONE;
            case "string" -> value instanceof String;
            case "mapping" -> value instanceof Map;
            case "iterable", "sequence" ->
                value instanceof List || value instanceof String || value instanceof Map || value instanceof Undefined;
            case "number" -> Values.isNumber(value);
            case "integer" -> value instanceof Long;
            case "float" -> value instanceof Double;
            case "boolean" -> value instanceof Boolean;
            case "true" -> value == Boolean.TRUE;
            case "false" -> value == Boolean.FALSE;
            case "even" -> Values.toLong(value) % 2 == 0;
            case "odd" -> Values.toLong(value) % 2 != 0;
            case "callable" -> value instanceof Values.Function;
            case "lower" -> text(value).equals(text(value).toLowerCase(Locale.ROOT));
            case "upper" -> text(value).equals(text(value).toUpperCase(Locale.ROOT));
            case "divisibleby" -> Values.toLong(value) % Values.toLong(argument(name, arguments)) == 0;
            case "equalto", "eq", "==" -> Values.same(value, argument(name, arguments));
            case "ne", "!=" -> !Values.same(value, argument(name, arguments));
            case "lt", "<", "lessthan" -> Values.compare(value, argument(name, arguments)) < 0;
            case "le", "<=" -> Values.compare(value, argument(name, arguments)) <= 0;
            case "gt", ">", "greaterthan" -> Values.compare(value, argument(name, arguments)) > 0;
            case "ge", ">=" -> Values.compare(value, argument(name, arguments)) >= 0;
            case "in" -> Values.contains(argument(name, arguments), value);
            case "sameas" -> value == argument(name, arguments) || Values.same(value, argument(name, arguments));
            default -> throw new TemplateException("chat template: the test '" + name + "' is not supported");
        };
    }

    private static Object argument(String name, List<Object> arguments) {
        if (arguments.isEmpty()) {
            throw new TemplateException("chat template: the test '" + name + "' needs an argument");
        }
        return arguments.getFirst();
    }

    private static String text(Object value) {
        return Values.text(value);
    }

    private static Object orDefault(Object value, Parameters p) {
        boolean falseToo = Values.truth(p.get(1, "boolean", false));
        boolean missing = value instanceof Undefined || falseToo && !Values.truth(value);
        return missing ? p.get(0, "default_value", "") : value;
    }

    private static Object first(List<Object> items) {
        return items.isEmpty() ? new Undefined("first or last of an empty list") : items.getFirst();
    }

    private static Object join(Object value, Parameters p) {
        StringBuilder out = new StringBuilder();
        String separator = Values.text(p.get(0, "d", ""));
        Object attribute = p.get(1, "attribute", Values.NONE);
        boolean first = true;
        for (Object item : Values.items(value)) {
            out.append(first ? "" : separator);
            Values.requireShort(out.append(text(attribute == Values.NONE ? item : attribute(item, text(attribute)))));
            first = false;
        }
        return out.toString();
    }

    /** An attribute by a path with dots. */
    private static Object attribute(Object item, String path) {
        Object value = item;
        for (String name : path.split("\\.")) {
            value = value instanceof Map<?, ?> map && map.containsKey(name)
                    ? Objects.requireNonNull(map.get(name))
                    : new Undefined(name);
        }
        return value;
    }

    private static Object map(Object value, Parameters p) {
        List<Object> out = new ArrayList<>();
        for (Object item : Values.items(value)) {
            if (p.has(-1, "attribute")) {
                Object found = attribute(item, p.text(-1, "attribute"));
                out.add(found instanceof Undefined ? p.get(-1, "default", found) : found);
            } else {
                out.add(apply(p.text(0, ""), item, p.from(1), Map.of()));
            }
        }
        return out;
    }

    private static Object select(Object value, Parameters p, boolean byAttribute, boolean keep) {
        int testAt = byAttribute ? 1 : 0;
        List<Object> out = new ArrayList<>();
        for (Object item : Values.items(value)) {
            Object subject = byAttribute ? attribute(item, p.text(0, "")) : item;
            boolean holds =
                    p.has(testAt, "") ? test(p.text(testAt, ""), subject, p.from(testAt + 1)) : Values.truth(subject);
            if (holds == keep) {
                out.add(item);
            }
        }
        return out;
    }

    private static Object dictsort(Object value) {
        List<Object> entries = new ArrayList<>(Methods.entries(value));
        entries.sort((a, b) -> text(((List<?>) a).getFirst()).compareToIgnoreCase(text(((List<?>) b).getFirst())));
        return entries;
    }

    private static Object toInt(Object value, Parameters p) {
        try {
            return value instanceof String s ? (Object) Long.valueOf(s.strip()) : (Object) Values.toLong(value);
        } catch (NumberFormatException | TemplateException e) {
            return value instanceof String s && s.strip().matches("[+-]?\\d+\\.\\d*")
                    ? (long) Double.parseDouble(s.strip())
                    : p.get(0, "default", 0L);
        }
    }

    private static Object toFloat(Object value, Parameters p) {
        try {
            return value instanceof String s ? (Object) Double.valueOf(s.strip()) : (Object) Values.toDouble(value);
        } catch (NumberFormatException | TemplateException e) {
            return p.get(0, "default", 0.0);
        }
    }

    private static Object round(Object value, Parameters p) {
        RoundingMode mode = switch (text(p.get(1, "method", "common"))) {
            case "ceil" -> RoundingMode.CEILING;
            case "floor" -> RoundingMode.FLOOR;
            default -> RoundingMode.HALF_EVEN;
        };
        return BigDecimal.valueOf(Values.toDouble(value))
                .setScale(Math.clamp(p.integer(0, "precision", 0), -300, 300), mode)
                .doubleValue();
    }

    private static Object sort(Object value, Parameters p) {
        List<Object> items = new ArrayList<>(Values.items(value));
        boolean caseSensitive = Values.truth(p.get(1, "case_sensitive", false));
        Object attribute = p.get(2, "attribute", Values.NONE);
        Comparator<Object> order = (a, b) -> {
            Object x = attribute == Values.NONE ? a : attribute(a, text(attribute));
            Object y = attribute == Values.NONE ? b : attribute(b, text(attribute));
            boolean fold = !caseSensitive && x instanceof String && y instanceof String;
            return fold
                    ? text(x).toLowerCase(Locale.ROOT).compareTo(text(y).toLowerCase(Locale.ROOT))
                    : Values.compare(x, y);
        };
        items.sort(Values.truth(p.get(0, "reverse", false)) ? order.reversed() : order);
        return items;
    }

    private static Object unique(Object value) {
        Map<Object, Object> seen = new LinkedHashMap<>();
        for (Object item : Values.items(value)) {
            seen.putIfAbsent(item instanceof String s ? s.toLowerCase(Locale.ROOT) : item, item);
        }
        return new ArrayList<>(seen.values());
    }

    private static String escape(String s) {
        return s.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("'", "&#39;")
                .replace("\"", "&#34;");
    }

    private static String indent(String s, Parameters p) {
        Object width = p.get(0, "width", 4L);
        String pad = width instanceof String w ? w : " ".repeat(Math.clamp(Values.toLong(width), 0, 200));
        boolean firstToo = Values.truth(p.get(1, "first", false));
        boolean blankToo = Values.truth(p.get(2, "blank", false));
        String[] lines = s.split("\n", -1);
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < lines.length; i++) {
            boolean padded = (i > 0 || firstToo) && (blankToo || !lines[i].isEmpty());
            Values.requireShort(
                    out.append(i > 0 ? "\n" : "").append(padded ? pad : "").append(lines[i]));
        }
        return out.toString();
    }

    private static Object sum(Object value, Parameters p) {
        Object attribute = p.get(0, "attribute", Values.NONE);
        Object total = p.get(1, "start", 0L);
        for (Object item : Values.items(value)) {
            total = Operators.add(total, attribute == Values.NONE ? item : attribute(item, text(attribute)));
        }
        return total;
    }

    private static Object extreme(Object value, Comparator<Integer> order) {
        List<Object> items = Values.items(value);
        return items.isEmpty()
                ? new Undefined("min or max of an empty list")
                : Collections.max(items, (a, b) -> order.compare(Values.compare(a, b), 0));
    }

    private static Object batch(Object value, Parameters p) {
        int size = Math.clamp(p.integer(0, "linecount", 1), 1, 1_000_000);
        List<Object> items = Values.items(value);
        List<Object> out = new ArrayList<>();
        for (int i = 0; i < items.size(); i += size) {
            out.add(new ArrayList<>(items.subList(i, Math.min(items.size(), i + size))));
        }
        return out;
    }

    /** Arguments by position or name. */
    record Parameters(List<Object> positional, Map<String, Object> named) {

        boolean has(int position, String name) {
            return position >= 0 && position < positional.size() || named.containsKey(name);
        }

        Object get(int position, String name, Object otherwise) {
            if (position >= 0 && position < positional.size()) {
                return positional.get(position);
            }
            return named.getOrDefault(name, otherwise);
        }

        String text(int position, String name) {
            Object value = get(position, name, Values.NONE);
            if (!(value instanceof String s)) {
                throw new TemplateException("chat template: a string argument"
                        + (name.isEmpty() ? "" : " '" + name + "'") + " is needed, not " + Values.type(value));
            }
            return s;
        }

        long integer(int position, String name, long otherwise) {
            Object value = get(position, name, otherwise);
            return value == Values.NONE ? otherwise : Values.toLong(value);
        }

        List<Object> from(int position) {
            return positional.size() <= position ? List.of() : positional.subList(position, positional.size());
        }
    }
}
