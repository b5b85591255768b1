package dev.jeton.models.grammar;

import java.math.BigDecimal;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Puts schemas together that all count at one place: what {@code $ref} names, the parts of {@code allOf}, and what is
 * beside them. What comes out has none of these; {@code const} is an {@code enum} of one, {@code oneOf} an
 * {@code anyOf}, and patterns, formats and multiples are lists of what must all hold.
 */
final class SchemaMerge {

    static final int MAX_DEPTH = 64;
    private static final int MAX_ALTERNATIVES = 1_000;
    /** Most schemas looked at, those that are looked at again included. */
    private static final int MAX_SCHEMAS = 50_000;

    /** Keywords that say nothing of values. */
    private static final Set<String> ANNOTATIONS = Set.of(
            "$schema",
            "$id",
            "$anchor",
            "$comment",
            "$defs",
            "definitions",
            "$vocabulary",
            "title",
            "description",
            "default",
            "example",
            "examples",
            "deprecated",
            "readOnly",
            "writeOnly",
            "discriminator",
            "xml",
            "externalDocs",
            "contentEncoding",
            "contentMediaType",
            "contentSchema");

    private static final Map<String, Object> NOTHING = Map.of("enum", List.of());

    private final @Nullable Object root;
    private int looked;

    SchemaMerge(@Nullable Object root) {
        this.root = root;
    }

    /** What a reference names, where that is all that the schema says. */
    Optional<String> onlyReference(@Nullable Object schema) {
        if (!(schema instanceof Map<?, ?> map) || !(map.get("$ref") instanceof String reference)) {
            return Optional.empty();
        }
        boolean more = map.keySet().stream().anyMatch(key -> !key.equals("$ref") && !ANNOTATIONS.contains(key));
        return more ? Optional.empty() : Optional.of(reference);
    }

    /** The schema that a reference within the document names. */
    @Nullable
    Object resolve(String reference, String path) {
        if (!reference.startsWith("#")) {
            throw new GrammarException("%s: the reference '%s' is not within the schema; put what it names into '$defs'"
                    .formatted(path, reference));
        }
        Object at = root;
        String pointer = reference.substring(1);
        if (pointer.isEmpty()) {
            return at;
        }
        for (String step : pointer.substring(1).split("/", -1)) {
            String key = URLDecoder.decode(step.replace("+", "%2B"), StandardCharsets.UTF_8)
                    .replace("~1", "/")
                    .replace("~0", "~");
            if (pointer.startsWith("/") && at instanceof Map<?, ?> map && map.containsKey(key)) {
                at = map.get(key);
            } else if (pointer.startsWith("/")
                    && at instanceof List<?> list
                    && key.matches("\\d{1,6}")
                    && Integer.parseInt(key) < list.size()) {
                at = list.get(Integer.parseInt(key));
            } else {
                throw new GrammarException("%s: the reference '%s' names nothing".formatted(path, reference));
            }
        }
        return at;
    }

    /** A schema without references and {@code allOf}. */
    Map<String, Object> flat(@Nullable Object schema, String path) {
        return flat(schema, path, 0);
    }

    private Map<String, Object> flat(@Nullable Object schema, String path, int depth) {
        if (++looked > MAX_SCHEMAS || depth > MAX_DEPTH) {
            throw tooDeep(path);
        }
        if (schema instanceof Boolean any) {
            return any ? Map.of() : NOTHING;
        }
        if (!(schema instanceof Map<?, ?> given)) {
            throw new GrammarException("%s: a schema is an object or a Boolean".formatted(path));
        }
        CompileWork.spend(8L * (1 + given.size()));
        Map<String, Object> own = new LinkedHashMap<>();
        given.forEach((key, value) -> {
            if (key instanceof String name && !ANNOTATIONS.contains(name)) {
                own.put(name, value == null ? Optional.empty() : value);
            }
        });
        Object reference = own.remove("$ref");
        Object all = own.remove("allOf");
        Object members = own.remove("unevaluatedProperties");
        Object items = own.remove("unevaluatedItems");
        normalize(own, path);
        Map<String, Object> merged = own;
        if (reference != null) {
            if (!(reference instanceof String name)) {
                throw new GrammarException(path + ".$ref: a reference is a string");
            }
            merged = merge(merged, flat(resolve(name, path), name, depth + 1), path, depth);
        }
        if (all != null) {
            for (Object part : list(all, path + ".allOf")) {
                merged = merge(merged, flat(part, path + ".allOf", depth + 1), path, depth);
            }
        }
        merged = unevaluated(merged, "unevaluatedProperties", "additionalProperties", members);
        return unevaluated(merged, "unevaluatedItems", "items", items);
    }

    /**
     * What is not evaluated by a schema and all that is put together with it are its additional parts. Alternatives
     * evaluate, too, so each is put together with the rest before there is one.
     */
    private static Map<String, Object> unevaluated(
            Map<String, Object> merged, String key, String additional, @Nullable Object schema) {
        if (schema == null || merged.containsKey(additional)) {
            return merged;
        }
        Map<String, Object> out = new LinkedHashMap<>(merged);
        Object alternatives = out.remove("anyOf");
        if (alternatives == null) {
            out.put(additional, schema);
            return out;
        }
        List<Object> each = new ArrayList<>();
        for (Object alternative : list(alternatives, "anyOf")) {
            List<@Nullable Object> parts = new ArrayList<>();
            parts.add(out);
            parts.add(alternative);
            each.add(Map.of("allOf", parts, key, schema));
        }
        return new LinkedHashMap<>(Map.of("anyOf", each));
    }

    static GrammarException tooDeep(String path) {
        return new GrammarException(
                "%s: references and combinations go too deep, or become too many; simplify the schema".formatted(path));
    }

    /** A null in a schema's values is kept as an empty Optional, which a map can hold. */
    static @Nullable Object unwrap(@Nullable Object value) {
        return value instanceof Optional<?> optional && optional.isEmpty() ? null : value;
    }

    private void normalize(Map<String, Object> own, String path) {
        if (own.containsKey("const")) {
            List<@Nullable Object> one = new ArrayList<>();
            one.add(unwrap(own.remove("const")));
            Object values = own.get("enum");
            own.put("enum", values == null ? one : common(list(values, path + ".enum"), one));
        }
        if (own.remove("nullable") == Boolean.TRUE && own.get("type") instanceof String type) {
            own.put("type", List.of(type, "null"));
        }
        if (own.get("items") instanceof List<?> prefix) {
            // as drafts before 2020-12 had it
            own.put("prefixItems", prefix);
            own.remove("items");
            Object more = own.remove("additionalItems");
            if (more != null) {
                own.put("items", more);
            }
        }
        Object one = own.remove("oneOf");
        if (one != null) {
            List<?> alternatives = list(one, path + ".oneOf");
            Object any = own.get("anyOf");
            own.put("anyOf", any == null ? alternatives : pairs(list(any, path + ".anyOf"), alternatives, path));
        }
        for (String key : List.of("pattern", "format", "multipleOf")) {
            Object value = own.get(key);
            if (value != null && !(value instanceof List<?>)) {
                own.put(key, List.of(value));
            }
        }
    }

    static List<?> list(@Nullable Object value, String path) {
        if (!(value instanceof List<?> list)) {
            throw new GrammarException(path + ": must be an array");
        }
        return list;
    }

    /** A schema to which both apply. */
    Map<String, Object> both(Map<String, Object> one, @Nullable Object other, String path) {
        return merge(one, flat(other, path), path, 0);
    }

    private static Map<String, Object> all(@Nullable Object one, @Nullable Object other) {
        List<@Nullable Object> parts = new ArrayList<>();
        parts.add(one);
        parts.add(other);
        return Map.of("allOf", parts);
    }

    private Map<String, Object> merge(Map<String, Object> one, Map<String, Object> other, String path, int depth) {
        if (one.isEmpty() || other.isEmpty()) {
            return one.isEmpty() ? other : one;
        }
        Map<String, Object> merged = new LinkedHashMap<>(one);
        mergeMembers(merged, one, other, path);
        mergeItems(merged, one, other, path);
        other.forEach((key, value) -> {
            Object before = one.get(key);
            if (before == null) {
                merged.putIfAbsent(key, value);
                return;
            }
            switch (key) {
                case "properties", "additionalProperties", "patternProperties", "items", "prefixItems" -> {}
                case "propertyNames" -> merged.put(key, all(before, value));
                case "type" -> merged.put(key, types(before, value, path));
                case "required" -> {
                    Set<Object> names = new LinkedHashSet<>(list(before, path + ".required"));
                    names.addAll(list(value, path + ".required"));
                    merged.put(key, new ArrayList<>(names));
                }
                case "enum" -> merged.put(key, common(list(before, path + ".enum"), list(value, path + ".enum")));
                case "pattern", "format", "multipleOf" -> {
                    Set<Object> kept = new LinkedHashSet<>(list(before, path));
                    kept.addAll(list(value, path));
                    merged.put(key, new ArrayList<>(kept));
                }
                case "minimum", "exclusiveMinimum", "minLength", "minItems" ->
                    merged.put(key, larger(before, value, path + "." + key));
                case "maximum", "exclusiveMaximum", "maxLength", "maxItems" ->
                    merged.put(key, larger(before, value, path + "." + key) == before ? value : before);
                case "anyOf" ->
                    merged.put(key, pairs(list(before, path + ".anyOf"), list(value, path + ".anyOf"), path));
                default -> {}
            }
        });
        return merged;
    }

    private static Object larger(Object one, Object other, String path) {
        return number(one, path).compareTo(number(other, path)) >= 0 ? one : other;
    }

    static BigDecimal number(@Nullable Object value, String path) {
        return switch (value) {
            case BigDecimal exact -> exact;
            case Long whole -> BigDecimal.valueOf(whole);
            case Integer whole -> BigDecimal.valueOf(whole);
            case Double decimal -> BigDecimal.valueOf(decimal);
            case null, default -> throw new GrammarException(path + ": must be a number");
        };
    }

    private static List<String> types(Object one, Object other, String path) {
        List<String> both = new ArrayList<>();
        for (String type : typeNames(one, path)) {
            for (String second : typeNames(other, path)) {
                if (type.equals(second)) {
                    both.add(type);
                } else if (type.equals("number") && second.equals("integer")
                        || type.equals("integer") && second.equals("number")) {
                    both.add("integer");
                }
            }
        }
        return both;
    }

    static List<String> typeNames(Object types, String path) {
        List<?> names = types instanceof List<?> list ? list : List.of(types);
        List<String> out = new ArrayList<>();
        for (Object name : names) {
            if (!(name instanceof String type)) {
                throw new GrammarException(path + ".type: must be a string or an array of strings");
            }
            out.add(type);
        }
        return out;
    }

    private static List<@Nullable Object> common(List<?> one, List<?> other) {
        List<@Nullable Object> both = new ArrayList<>();
        CompileWork.spend((long) one.size() * other.size());
        for (Object value : one) {
            if (other.stream().anyMatch(candidate -> SchemaLiterals.same(candidate, value))) {
                both.add(value);
            }
        }
        return both;
    }

    private static List<Object> pairs(List<?> one, List<?> other, String path) {
        if ((long) one.size() * other.size() > MAX_ALTERNATIVES) {
            throw new GrammarException("%s: alternatives are combined to more than %d; simplify the schema"
                    .formatted(path, MAX_ALTERNATIVES));
        }
        List<Object> pairs = new ArrayList<>();
        for (Object first : one) {
            for (Object second : other) {
                pairs.add(all(first, second));
            }
        }
        return pairs;
    }

    /** Members that one names and the other does not are, there, additional ones. */
    private static void mergeMembers(
            Map<String, Object> merged, Map<String, Object> one, Map<String, Object> other, String path) {
        if (one.containsKey("patternProperties") && other.containsKey("patternProperties")
                || one.containsKey("patternProperties") && other.containsKey("additionalProperties")
                || other.containsKey("patternProperties") && one.containsKey("additionalProperties")) {
            throw new GrammarException(
                    path
                            + ": 'patternProperties' combined with another schema of members is not supported; write them as one");
        }
        Map<String, Object> mine = members(one, path);
        Map<String, Object> its = members(other, path);
        CompileWork.spend(8L * (mine.size() + its.size()));
        Map<String, Object> all = new LinkedHashMap<>(mine);
        its.forEach((name, schema) -> all.merge(name, schema, SchemaMerge::all));
        mine.keySet().forEach(name -> restrict(all, name, its, other));
        its.keySet().forEach(name -> restrict(all, name, mine, one));
        if (!all.isEmpty()) {
            merged.put("properties", all);
        }
        if (one.containsKey("additionalProperties") && other.containsKey("additionalProperties")) {
            merged.put("additionalProperties", all(one.get("additionalProperties"), other.get("additionalProperties")));
        }
    }

    private static void restrict(
            Map<String, Object> all, String name, Map<String, Object> named, Map<String, Object> schema) {
        if (!named.containsKey(name) && schema.containsKey("additionalProperties")) {
            all.merge(name, schema.get("additionalProperties"), SchemaMerge::all);
        }
    }

    static Map<String, Object> members(Map<String, Object> schema, String path) {
        Object given = schema.get("properties");
        Map<String, Object> members = new LinkedHashMap<>();
        if (given == null) {
            return members;
        }
        if (!(given instanceof Map<?, ?> map)) {
            throw new GrammarException(path + ".properties: must be an object");
        }
        map.forEach((name, value) -> members.put(String.valueOf(name), value == null ? Optional.empty() : value));
        return members;
    }

    private static void mergeItems(
            Map<String, Object> merged, Map<String, Object> one, Map<String, Object> other, String path) {
        List<?> mine = prefix(one, path);
        List<?> its = prefix(other, path);
        List<@Nullable Object> all = new ArrayList<>();
        for (int i = 0; i < Math.max(mine.size(), its.size()); i++) {
            all.add(all(item(mine, i, one), item(its, i, other)));
        }
        if (!all.isEmpty()) {
            merged.put("prefixItems", all);
        }
        if (one.containsKey("items") && other.containsKey("items")) {
            merged.put("items", all(one.get("items"), other.get("items")));
        }
    }

    static List<?> prefix(Map<String, Object> schema, String path) {
        Object given = schema.get("prefixItems");
        return given == null ? List.of() : list(given, path + ".prefixItems");
    }

    private static @Nullable Object item(List<?> prefix, int i, Map<String, Object> schema) {
        return i < prefix.size() ? prefix.get(i) : schema.getOrDefault("items", true);
    }
}
