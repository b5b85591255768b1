package dev.jeton.models.grammar;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/**
 * Schemas at random, of keywords that are enforced, beside one another as nobody would write them: bounds beside values
 * that are spelled out, references beside members, alternatives within combinations. As a server parses them.
 */
final class RandomSchemas {

    private static final List<String> NAMES = List.of("a", "b", "ab", "c\"", "é");
    private static final List<String> PATTERNS = List.of("^a", "b$", "^[ab]*$", "", "a|^b", "^.{2}$");
    private static final List<String> TYPES =
            List.of("null", "boolean", "string", "number", "integer", "array", "object");
    private static final List<Number> NUMBERS =
            List.of(0L, 1L, -1L, 2L, 3L, 10L, -20L, 0.5, -0.25, 1.0, 2.5, 1e20, 100L);
    /** None whole: the validator compares fractions with whole ones as if they were cut off. */
    private static final List<Number> EXCLUSIVE = List.of(0.5, -0.25, 2.5, -7.75, 99.5);

    private static final List<Number> STEPS = List.of(1L, 2L, 0.5, 3L, 0.25, 1.5, 10L);

    private final Random random;

    RandomSchemas(Random random) {
        this.random = random;
    }

    /** One with definitions, to which it and they may refer. */
    Map<String, Object> next() {
        Map<String, Object> schema = object(2);
        schema.put("$defs", Map.of("x", schema(1), "y", schema(1)));
        return schema;
    }

    private Object schema(int depth) {
        return random.nextInt(12) == 0 ? (Object) random.nextBoolean() : object(depth);
    }

    private Map<String, Object> object(int depth) {
        Map<String, Object> schema = new LinkedHashMap<>();
        if (random.nextInt(4) > 0) {
            schema.put("type", random.nextInt(3) == 0 ? List.of(one(TYPES), one(TYPES)) : one(TYPES));
        }
        int keywords = random.nextInt(4);
        for (int i = 0; i < keywords; i++) {
            keyword(schema, depth);
        }
        return schema;
    }

    private void keyword(Map<String, Object> schema, int depth) {
        Object type = schema.getOrDefault("type", one(TYPES));
        String about = type instanceof List<?> types ? (String) types.getFirst() : (String) type;
        int kind = random.nextInt(10);
        if (kind == 0) {
            schema.put("enum", values(1 + random.nextInt(4)));
        } else if (kind == 1) {
            schema.put("const", value(2));
        } else if (kind == 2 && depth > 0) {
            schema.put(one(List.of("anyOf", "allOf")), schemas(depth - 1, 1 + random.nextInt(3)));
        } else if (kind == 3) {
            schema.put("$ref", one(List.of("#/$defs/x", "#/$defs/y")));
        } else {
            switch (about) {
                case "string" -> aboutStrings(schema);
                case "number", "integer" -> aboutNumbers(schema);
                case "array" -> aboutArrays(schema, depth);
                default -> aboutObjects(schema, depth);
            }
        }
    }

    private void aboutStrings(Map<String, Object> schema) {
        switch (random.nextInt(4)) {
            case 0 -> schema.put("minLength", (long) random.nextInt(4));
            case 1 -> schema.put("maxLength", (long) random.nextInt(5));
            case 2 -> schema.put("pattern", one(PATTERNS));
            default -> schema.put("format", one(List.of("date", "ipv4", "uuid", "int32")));
        }
    }

    private void aboutNumbers(Map<String, Object> schema) {
        switch (random.nextInt(5)) {
            case 0 -> schema.put("minimum", one(NUMBERS));
            case 1 -> schema.put("maximum", one(NUMBERS));
            case 2 -> schema.put("exclusiveMinimum", one(EXCLUSIVE));
            case 3 -> schema.put("exclusiveMaximum", one(EXCLUSIVE));
            default -> schema.put("multipleOf", one(STEPS));
        }
    }

    private void aboutArrays(Map<String, Object> schema, int depth) {
        switch (random.nextInt(5)) {
            case 0 -> schema.put("items", inner(depth));
            case 1 -> schema.put("prefixItems", schemas(depth - 1, 1 + random.nextInt(3)));
            case 2 -> schema.put("minItems", (long) random.nextInt(4));
            case 3 -> schema.put("maxItems", (long) random.nextInt(4));
            default -> schema.put("unevaluatedItems", false);
        }
    }

    private void aboutObjects(Map<String, Object> schema, int depth) {
        switch (random.nextInt(7)) {
            case 0, 1 -> schema.put("properties", members(NAMES, depth));
            case 2 -> schema.put("required", List.of(one(NAMES)));
            case 3 -> schema.put("additionalProperties", inner(depth));
            case 4 -> schema.put("patternProperties", members(PATTERNS.subList(0, 2), depth));
            case 5 -> schema.put("propertyNames", names());
            default -> schema.put("unevaluatedProperties", false);
        }
    }

    private Map<String, Object> names() {
        Map<String, Object> names = new LinkedHashMap<>();
        if (random.nextInt(4) == 0) {
            names.put("enum", values(3));
        } else {
            names.put("type", "string");
            aboutStrings(names);
        }
        return names;
    }

    private Map<String, Object> members(List<String> names, int depth) {
        Map<String, Object> members = new LinkedHashMap<>();
        for (int i = random.nextInt(4); i > 0; i--) {
            members.put(one(names), inner(depth));
        }
        return members;
    }

    private Object inner(int depth) {
        return depth > 0 ? schema(depth - 1) : (Object) (random.nextInt(4) > 0);
    }

    private List<Object> schemas(int depth, int count) {
        List<Object> schemas = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            schemas.add(inner(depth + 1));
        }
        return schemas;
    }

    private List<@Nullable Object> values(int count) {
        List<@Nullable Object> values = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            values.add(value(2));
        }
        return values;
    }

    private @Nullable Object value(int depth) {
        return switch (random.nextInt(depth > 0 ? 7 : 5)) {
            case 0 -> null;
            case 1 -> random.nextBoolean();
            case 2 -> one(Arrays.asList("", "a", "bb", "abc", "\"\\\n", "😀", "2024-01-02"));
            case 3 -> one(NUMBERS);
            case 4 -> (long) random.nextInt(5);
            case 5 -> {
                List<@Nullable Object> list = new ArrayList<>();
                for (int i = random.nextInt(3); i > 0; i--) {
                    list.add(value(depth - 1));
                }
                yield list;
            }
            default -> {
                Map<String, @Nullable Object> map = new LinkedHashMap<>();
                for (int i = random.nextInt(3); i > 0; i--) {
                    map.put(one(NAMES), value(depth - 1));
                }
                yield map;
            }
        };
    }

    private <T> T one(List<T> list) {
        return list.get(random.nextInt(list.size()));
    }
}
