package dev.jeton.models.template;

import dev.jeton.models.TemplateException;
import dev.jeton.models.template.Filters.Parameters;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.IntPredicate;
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
            case "strip" -> strip(s, p, true, true);
            case "lstrip" -> strip(s, p, true, false);
            case "rstrip" -> strip(s, p, false, true);
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
            case "isspace" -> !s.isEmpty() && s.chars().allMatch(Methods::isSpace);
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

    /** Without the characters that are named, or else white space, at its ends. */
    static String strip(String s, Parameters p, boolean left, boolean right) {
        String named = p.has(0, "chars") ? p.text(0, "chars") : "";
        IntPredicate goes = p.has(0, "chars") ? c -> named.indexOf(c) >= 0 : Methods::isSpace;
        int from = 0;
        int to = s.length();
        while (left && from < to && goes.test(s.charAt(from))) {
            from++;
        }
        while (right && to > from && goes.test(s.charAt(to - 1))) {
            to--;
        }
        return s.substring(from, to);
    }

    /** White space as Python's {@code str.isspace} has it: what does not break a line counts, too, unlike in Java. */
    static boolean isSpace(int c) {
        return Character.isWhitespace(c) || Character.isSpaceChar(c) || c == 0x85;
    }

    /** What is between white space. */
    static List<Object> words(String s) {
        List<Object> words = new ArrayList<>();
        int from = 0;
        for (int at = 0; at <= s.length(); at++) {
            if (at == s.length() || isSpace(s.charAt(at))) {
                if (at > from) {
                    words.add(s.substring(from, at));
                }
                from = at + 1;
            }
        }
        return words;
    }

    private static List<Object> split(String s, Parameters p, boolean fromRight) {
        Object separator = p.get(0, "sep", Values.NONE);
        long most = p.integer(1, "maxsplit", -1);
        if (separator == Values.NONE) {
            if (most >= 0) {
                throw new TemplateException("chat template: split() by white space with maxsplit is not supported");
            }
            return words(s);
        }
        String by = Values.text(separator);
        if (by.isEmpty()) {
            throw new TemplateException("chat template: split() with an empty separator");
        }
        List<Object> parts = new ArrayList<>();
        // places and not rests: copying what is left for each part would take time by the square of a text's length
        int from = 0;
        int to = s.length();
        while (most < 0 || parts.size() < most) {
            int at = fromRight ? s.lastIndexOf(by, to - by.length()) : s.indexOf(by, from);
            if (at < 0) {
                break;
            }
            if (fromRight) {
                parts.add(s.substring(at + by.length(), to));
                to = at;
            } else {
                parts.add(s.substring(from, at));
                from = at + by.length();
            }
        }
        parts.add(s.substring(from, to));
        if (fromRight) {
            Collections.reverse(parts);
        }
        return parts;
    }

    static String replace(String s, String from, String to, long count) {
        StringBuilder out = new StringBuilder();
        long left = count < 0 ? Long.MAX_VALUE : count;
        int at = 0;
        for (int next = s.indexOf(from); next >= 0 && left > 0; left--) {
            Values.requireShort(out.append(s, at, next).append(to));
            at = next + from.length();
            // an empty text is found before every character, and once more at the end
            next = !from.isEmpty() ? s.indexOf(from, at) : next < s.length() ? next + 1 : -1;
        }
        return Values.requireShort(out.append(s, at, s.length())).toString();
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
