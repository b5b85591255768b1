package dev.jeton.models.grammar;

import java.math.BigDecimal;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Whether values that a schema spells out are valid under what it says beside them: nothing else checks them. One
 * schema's; not thread-safe.
 */
final class SchemaValues {

    private static final int MAX_DEPTH = 100;

    private final SchemaMerge merge;
    private final Map<String, Object> schema;
    private final String path;
    private final int depth;
    private @Nullable TextAutomaton strings;

    /**
     * Of a schema without references, combinations and, but for alternatives, what they leave.
     *
     * @param path where it is, for errors
     */
    SchemaValues(SchemaMerge merge, Map<String, Object> schema, String path) {
        this(merge, schema, path, 0);
    }

    private SchemaValues(SchemaMerge merge, Map<String, Object> schema, String path, int depth) {
        this.merge = merge;
        this.schema = schema;
        this.path = path;
        this.depth = depth;
    }

    private boolean part(@Nullable Object value, @Nullable Object part, String place) {
        return new SchemaValues(merge, merge.flat(part, place), place, depth + 1).valid(value);
    }

    private boolean valid(@Nullable Object value) {
        if (depth > MAX_DEPTH) {
            throw new GrammarException(
                    "%s: a value that is spelled out is checked too deep; simplify the schema".formatted(path));
        }
        Object alternatives = schema.get("anyOf");
        if (alternatives != null) {
            Map<String, Object> rest = new LinkedHashMap<>(schema);
            rest.remove("anyOf");
            return SchemaMerge.list(alternatives, path + ".anyOf").stream()
                    .anyMatch(each ->
                            new SchemaValues(merge, merge.both(rest, each, path), path, depth + 1).valid(value));
        }
        Object values = schema.get("enum");
        boolean named = values == null
                || SchemaMerge.list(values, path + ".enum").stream().anyMatch(each -> SchemaLiterals.same(each, value));
        return named && fits(value);
    }

    /** Whether a value of {@code enum} is valid under the other keywords. */
    boolean fits(@Nullable Object value) {
        CompileWork.spend(8);
        Object given = schema.get("type");
        String type = SchemaLiterals.type(value);
        if (given != null) {
            List<String> types = SchemaMerge.typeNames(given, path);
            if (!types.contains(type) && !(type.equals("integer") && types.contains("number"))) {
                return false;
            }
        }
        return switch (value) {
            case String text -> strings().accepts(text);
            case Number number -> between(SchemaMerge.number(number, path));
            case List<?> items -> items(items);
            case Map<?, ?> members -> members(members);
            case null, default -> true;
        };
    }

    private TextAutomaton strings() {
        TextAutomaton known = strings;
        if (known == null) {
            known = SchemaScalars.strings(schema, path);
            strings = known;
        }
        return known;
    }

    private boolean between(BigDecimal number) {
        return sign(number, "minimum", 1) >= 0
                && sign(number, "exclusiveMinimum", 1) > 0
                && sign(number, "maximum", -1) <= 0
                && sign(number, "exclusiveMaximum", -1) < 0
                && multiple(number);
    }

    /** How a number stands to a bound, or {@code without} where there is none. */
    private int sign(BigDecimal number, String key, int without) {
        Object bound = schema.get(key);
        return bound == null ? without : number.compareTo(SchemaMerge.number(bound, path + "." + key));
    }

    private boolean multiple(BigDecimal number) {
        Object steps = schema.get("multipleOf");
        for (Object step : steps == null ? List.of() : SchemaMerge.list(steps, path)) {
            BigDecimal of = SchemaMerge.number(step, path + ".multipleOf");
            if (of.signum() <= 0 || number.remainder(of).signum() != 0) {
                return false;
            }
        }
        return true;
    }

    private boolean items(List<?> items) {
        List<?> prefix = SchemaMerge.prefix(schema, path);
        Object rest = schema.getOrDefault("items", true);
        for (int i = 0; i < items.size(); i++) {
            if (!part(items.get(i), i < prefix.size() ? prefix.get(i) : rest, path + ".items")) {
                return false;
            }
        }
        return items.size() >= SchemaScalars.count(schema, "minItems", path).orElse(0)
                && items.size() <= SchemaScalars.count(schema, "maxItems", path).orElse(Integer.MAX_VALUE);
    }

    private boolean members(Map<?, ?> members) {
        Map<String, Object> named = SchemaMerge.members(schema, path);
        Map<String, TextAutomaton> patterns = ObjectRules.patterns(schema, path);
        Optional<TextAutomaton> names = ObjectRules.names(merge, schema, path);
        if (names.isPresent()
                && !members.keySet().stream().allMatch(name -> names.get().accepts(String.valueOf(name)))) {
            return false;
        }
        Set<Object> missing = new LinkedHashSet<>();
        Object required = schema.get("required");
        missing.addAll(required == null ? List.of() : SchemaMerge.list(required, path + ".required"));
        for (Map.Entry<?, ?> member : members.entrySet()) {
            String name = String.valueOf(member.getKey());
            missing.remove(name);
            boolean additional = !named.containsKey(name);
            boolean valid =
                    additional || part(member.getValue(), SchemaMerge.unwrap(named.get(name)), path + ".properties");
            for (Map.Entry<String, TextAutomaton> pattern : patterns.entrySet()) {
                if (valid && pattern.getValue().accepts(name)) {
                    additional = false;
                    Object part = ObjectRules.patternSchema(schema, pattern.getKey());
                    valid = part(member.getValue(), part, path + ".patternProperties");
                }
            }
            Object rest = schema.getOrDefault("additionalProperties", true);
            if (!valid || additional && !part(member.getValue(), rest, path + ".additionalProperties")) {
                return false;
            }
        }
        return missing.isEmpty();
    }
}
