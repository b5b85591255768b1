package dev.jeton.models.template;

import dev.jeton.models.TemplateException;
import dev.jeton.models.template.Filters.Parameters;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Predicate;

/** Methods of strings, lists and mappings that templates call; nothing that changes its object, as in HF's sandbox. */
final class Methods {

    private static final List<String> STRING_METHODS = List.of(
            "strip",
            "lstrip",
            "rstrip",
            "startswith",
            "endswith",
            "split",
            "rsplit",
            "splitlines",
            "upper",
            "lower",
            "title",
            "capitalize",
            "replace",
            "join",
            "find",
            "rfind",
            "count",
            "isdigit",
            "isalpha",
            "isspace",
            "removeprefix",
            "removesuffix");
    private static final List<String> MAP_METHODS = List.of("items", "keys", "values", "get");
    private static final List<String> LIST_METHODS = List.of("index", "count");

    private Methods() {}

    /** The method {@code name} of {@code object}, if templates may call one of that name. */
    static Optional<Values.Function> of(Object object, String name) {
        return switch (object) {
            case String s
            when STRING_METHODS.contains(name) ->
                Optional.of((positional, named) -> ofString(s, name, new Parameters(positional, named)));
            case Map<?, ?> m
            when MAP_METHODS.contains(name) ->
                Optional.of((positional, named) -> ofMap(m, name, new Parameters(positional, named)));
            case List<?> l
            when LIST_METHODS.contains(name) ->
                Optional.of((positional, named) -> ofList(l, name, new Parameters(positional, named)));
            default -> Optional.empty();
        };
    }

    private static Object ofString(String s, String name, Parameters p) {
        return switch (name) {
            case "strip" -> p.has(0, "") ? strip(s, p.text(0, ""), true, true) : s.strip();
            case "lstrip" -> p.has(0, "") ? strip(s, p.text(0, ""), true, false) : s.stripLeading();
            case "rstrip" -> p.has(0, "") ? strip(s, p.text(0, ""), false, true) : s.stripTrailing();
            case "startswith" -> anyOf(p.get(0, "", Values.NONE), s::startsWith);
            case "endswith" -> anyOf(p.get(0, "", Values.NONE), s::endsWith);
            case "split" -> split(s, p, false);
            case "rsplit" -> split(s, p, true);
            case "splitlines" -> new ArrayList<Object>(s.lines().toList());
            case "upper" -> s.toUpperCase(Locale.ROOT);
            case "lower" -> s.toLowerCase(Locale.ROOT);
            case "title" -> title(s);
            case "capitalize" -> capitalize(s);
            case "replace" -> replace(s, p.text(0, "old"), p.text(1, "new"), p.integer(2, "count", -1));
            case "join" -> Filters.apply("join", p.get(0, "", Values.NONE), List.of(s), Map.of());
            case "find" -> (long) s.indexOf(p.text(0, ""));
            case "rfind" -> (long) s.lastIndexOf(p.text(0, ""));
            case "count" ->
                (long) (s.length() - s.replace(p.text(0, ""), "").length())
                        / Math.max(1, p.text(0, "").length());
            case "isdigit" -> !s.isEmpty() && s.chars().allMatch(Character::isDigit);
            case "isalpha" -> !s.isEmpty() && s.codePoints().allMatch(Character::isLetter);
            case "isspace" -> !s.isEmpty() && s.isBlank();
            case "removeprefix" ->
                s.startsWith(p.text(0, "")) ? s.substring(p.text(0, "").length()) : s;
            case "removesuffix" ->
                s.endsWith(p.text(0, ""))
                        ? s.substring(0, s.length() - p.text(0, "").length())
                        : s;
            default -> throw new TemplateException("chat template: the method " + name + "() is not supported");
        };
    }

    private static Object ofMap(Map<?, ?> map, String name, Parameters p) {
        return switch (name) {
            case "items" -> entries(map);
            case "keys" -> new ArrayList<Object>(map.keySet());
            case "values" -> new ArrayList<Object>(map.values());
            default -> {
                Object key = p.get(0, "key", Values.NONE);
                yield map.containsKey(key) ? Objects.requireNonNull(map.get(key)) : p.get(1, "default", Values.NONE);
            }
        };
    }

    private static Object ofList(List<?> list, String name, Parameters p) {
        Object wanted = p.get(0, "", Values.NONE);
        long count = list.stream()
                .filter(item -> Values.same(Objects.requireNonNull(item), wanted))
                .count();
        if (name.equals("count")) {
            return count;
        }
        for (int i = 0; i < list.size(); i++) {
            if (Values.same(Objects.requireNonNull(list.get(i)), wanted)) {
                return (long) i;
            }
        }
        throw new TemplateException("chat template: index() of something that is not in the list");
    }

    static List<Object> entries(Object value) {
        if (!(value instanceof Map<?, ?> map)) {
            throw new TemplateException("chat template: items of " + Values.type(value));
        }
        List<Object> entries = new ArrayList<>();
        map.forEach((k, v) -> entries.add(new Values.Tuple(List.of(k, v))));
        return entries;
    }

    private static boolean anyOf(Object affixes, Predicate<String> test) {
        if (affixes instanceof String s) {
            return test.test(s);
        }
        return Values.items(affixes).stream().anyMatch(a -> test.test(Values.text(a)));
    }

    static String strip(String s, String characters, boolean left, boolean right) {
        int from = 0;
        int to = s.length();
        while (left && from < to && characters.indexOf(s.charAt(from)) >= 0) {
            from++;
        }
        while (right && to > from && characters.indexOf(s.charAt(to - 1)) >= 0) {
            to--;
        }
        return s.substring(from, to);
    }

    private static List<Object> split(String s, Parameters p, boolean fromRight) {
        Object separator = p.get(0, "sep", Values.NONE);
        long most = p.integer(1, "maxsplit", -1);
        List<Object> parts = new ArrayList<>();
        if (separator == Values.NONE) {
            if (most >= 0) {
                throw new TemplateException("chat template: split() by white space with maxsplit is not supported");
            }
            for (String part : s.strip().split("\\s+")) {
                if (!part.isEmpty()) {
                    parts.add(part);
                }
            }
            return parts;
        }
        String by = Values.text(separator);
        if (by.isEmpty()) {
            throw new TemplateException("chat template: split() with an empty separator");
        }
        String rest = s;
        while (most < 0 || parts.size() < most) {
            int at = fromRight ? rest.lastIndexOf(by) : rest.indexOf(by);
            if (at < 0) {
                break;
            }
            if (fromRight) {
                parts.addFirst(rest.substring(at + by.length()));
                rest = rest.substring(0, at);
            } else {
                parts.add(rest.substring(0, at));
                rest = rest.substring(at + by.length());
            }
        }
        if (fromRight) {
            parts.addFirst(rest);
        } else {
            parts.add(rest);
        }
        return parts;
    }

    static String replace(String s, String from, String to, long count) {
        if (count < 0) {
            return bounded(s.replace(from, to));
        }
        StringBuilder out = new StringBuilder();
        int at = 0;
        for (long i = 0; i < count; i++) {
            int next = s.indexOf(from, at);
            if (next < 0) {
                break;
            }
            out.append(s, at, next).append(to);
            at = next + from.length();
        }
        return bounded(out.append(s, at, s.length()).toString());
    }

    private static String bounded(String s) {
        if (s.length() > 1 << 22) {
            throw new TemplateException("chat template: a text grew past " + (1 << 22) + " characters");
        }
        return s;
    }

    static String capitalize(String s) {
        return s.isEmpty()
                ? s
                : s.substring(0, s.offsetByCodePoints(0, 1)).toUpperCase(Locale.ROOT)
                        + s.substring(s.offsetByCodePoints(0, 1)).toLowerCase(Locale.ROOT);
    }

    static String title(String s) {
        StringBuilder out = new StringBuilder();
        boolean starts = true;
        for (int i = 0; i < s.length(); i++) {
            char c = s.charAt(i);
            out.append(starts ? Character.toUpperCase(c) : Character.toLowerCase(c));
            starts = !Character.isLetter(c);
        }
        return out.toString();
    }
}
