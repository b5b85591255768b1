package dev.jeton.models.grammar;

import dev.jeton.models.grammar.NumberTexts.Bound;
import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What keywords about strings, numbers and counts say, read and checked. */
final class SchemaScalars {

    /** Most code points where a schema allows more: those can be counted, and answers are shorter. */
    private static final int MAX_LENGTH = 4_000;

    private SchemaScalars() {}

    /** Whether strings are any, since what is said of them are names of formats that are not known. */
    static boolean onlyUnknownFormats(Map<String, Object> schema, String path) {
        return !schema.containsKey("minLength")
                && !schema.containsKey("maxLength")
                && !schema.containsKey("pattern")
                && names(schema, "format", path).stream().noneMatch(StringTexts::known);
    }

    /** A keyword that is a list of strings once schemas are merged. */
    static List<String> names(Map<String, Object> schema, String key, String path) {
        List<String> names = new ArrayList<>();
        Object given = schema.get(key);
        for (Object value : given == null ? List.of() : SchemaMerge.list(given, path)) {
            if (!(value instanceof String name)) {
                throw new GrammarException("%s.%s: must be a string".formatted(path, key));
            }
            names.add(name);
        }
        return names;
    }

    /** Most code points; negative where they are not bounded. */
    static int most(Map<String, Object> schema, int least, String path) {
        return count(schema, "maxLength", path)
                .map(given -> Math.min(given, Math.max(least, MAX_LENGTH)))
                .orElse(-1);
    }

    /** Texts that strings of a schema may have. */
    static TextAutomaton strings(Map<String, Object> schema, String path) {
        int least = count(schema, "minLength", path).orElse(0);
        int most = most(schema, least, path);
        List<String> formats = names(schema, "format", path).stream()
                .filter(StringTexts::known)
                .toList();
        try {
            return StringTexts.of(least, most, names(schema, "pattern", path), formats);
        } catch (GrammarException e) {
            throw new GrammarException("%s: %s".formatted(path, e.getMessage()));
        }
    }

    /** A keyword that counts something. */
    static Optional<Integer> count(Map<String, Object> schema, String key, String path) {
        Object given = schema.get(key);
        if (given == null) {
            return Optional.empty();
        }
        BigDecimal value = SchemaMerge.number(given, path + "." + key);
        if (value.signum() < 0 || value.stripTrailingZeros().scale() > 0) {
            throw new GrammarException("%s.%s: must be a whole number of at least 0".formatted(path, key));
        }
        return Optional.of(value.min(BigDecimal.valueOf(Integer.MAX_VALUE)).intValue());
    }

    /** Texts that numbers of a schema may have. */
    static TextAutomaton numbers(Map<String, Object> schema, String path, boolean integer) {
        try {
            TextAutomaton numbers = NumberTexts.between(
                    tighter(bound(schema, "minimum", false, path), bound(schema, "exclusiveMinimum", true, path), 1),
                    tighter(bound(schema, "maximum", false, path), bound(schema, "exclusiveMaximum", true, path), -1),
                    integer);
            Object multiples = schema.get("multipleOf");
            for (Object of : multiples == null ? List.of() : SchemaMerge.list(multiples, path)) {
                numbers = numbers.and(NumberTexts.multiples(SchemaMerge.number(of, path + ".multipleOf"), integer));
            }
            return numbers;
        } catch (GrammarException e) {
            throw new GrammarException("%s: %s".formatted(path, e.getMessage()));
        }
    }

    private static Optional<Bound> bound(Map<String, Object> schema, String key, boolean open, String path) {
        Object given = schema.get(key);
        return given == null
                ? Optional.empty()
                : Optional.of(new Bound(SchemaMerge.number(given, path + "." + key), open));
    }

    private static Optional<Bound> tighter(Optional<Bound> closed, Optional<Bound> open, int sign) {
        if (closed.isEmpty() || open.isEmpty()) {
            return closed.or(() -> open);
        }
        int order = sign * closed.get().value().compareTo(open.get().value());
        return order > 0 ? closed : open;
    }
}
