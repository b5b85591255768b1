package dev.jeton.server.json;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * Typed access to a parsed object. Every violation is a {@link JsonException} that names the field with its path. A
 * field that is null counts as absent, as in the OpenAI API.
 */
public final class JsonObject {

    private final String path;
    private final Map<String, @Nullable Object> fields;

    private JsonObject(String path, Map<String, @Nullable Object> fields) {
        this.path = path;
        this.fields = fields;
    }

    /** An object of values as {@link Json} parses them; its names are text. */
    public static JsonObject of(String path, Map<?, ?> map) {
        Map<String, @Nullable Object> fields = new LinkedHashMap<>();
        map.forEach((name, value) -> fields.put((String) name, value));
        return new JsonObject(path, fields);
    }

    /** Path of this object within the document, empty for the document itself. */
    public String path() {
        return path;
    }

    /** Path of a field of this object. */
    public String path(String name) {
        return path.isEmpty() ? name : path + "." + name;
    }

    /** Whether the field is there and not null. */
    public boolean has(String name) {
        return fields.get(name) != null;
    }

    /** The fields as parsed, in order; nulls included. */
    public Map<String, @Nullable Object> fields() {
        return Collections.unmodifiableMap(fields);
    }

    /** The field's value as parsed, if it is there and not null. */
    public Optional<Object> value(String name) {
        return Optional.ofNullable(fields.get(name));
    }

    /** A string that must be there. */
    public String text(String name) {
        return optionalText(name).orElseThrow(() -> missing(name, "a string"));
    }

    /** A string, if there. */
    public Optional<String> optionalText(String name) {
        return switch (fields.get(name)) {
            case null -> Optional.empty();
            case String text -> Optional.of(text);
            case Object other -> throw wrongType(name, "a string", other);
        };
    }

    /** A boolean. */
    public boolean flag(String name, boolean otherwise) {
        return switch (fields.get(name)) {
            case null -> otherwise;
            case Boolean flag -> flag;
            case Object other -> throw wrongType(name, "a boolean", other);
        };
    }

    /** A whole number within bounds. */
    public int whole(String name, int otherwise, int least, int most) {
        return (int) optionalWhole(name, least, most).orElse(otherwise);
    }

    /** A whole number within bounds, if there. */
    public OptionalLong optionalWhole(String name, long least, long most) {
        Object value = fields.get(name);
        return value == null ? OptionalLong.empty() : OptionalLong.of(whole(path(name), value, least, most));
    }

    /** Checks that a parsed value is a whole number within bounds. */
    public static long whole(String field, @Nullable Object value, long least, long most) {
        return switch (value) {
            case Long number when number >= least && number <= most -> number;
            case Long number -> throw outOfRange(field, least, most, number);
            // 5.0 is a whole number to OpenAI; a double past 2^53 is not known exactly and is past every bound but a
            // seed's.
            case Double number
            when number == Math.rint(number) && Math.abs(number) <= 1L << 53 ->
                whole(field, number.longValue(), least, most);
            case Double number when number == Math.rint(number) -> throw outOfRange(field, least, most, number);
            case null, default ->
                throw new JsonException(field, "'%s' must be an integer, but is %s".formatted(field, kind(value)));
        };
    }

    /** A number within bounds. */
    public double number(String name, double otherwise, double least, double most) {
        return optionalNumber(name, least, most).orElse(otherwise);
    }

    /** A number within bounds, if there. */
    public OptionalDouble optionalNumber(String name, double least, double most) {
        Object value = fields.get(name);
        return value == null ? OptionalDouble.empty() : OptionalDouble.of(number(path(name), value, least, most));
    }

    /** Checks that a parsed value is a number within bounds. */
    public static double number(String field, @Nullable Object value, double least, double most) {
        if (!(value instanceof Number number)) {
            throw new JsonException(field, "'%s' must be a number, but is %s".formatted(field, kind(value)));
        }
        double result = number.doubleValue();
        if (!(result >= least && result <= most)) {
            throw outOfRange(field, least, most, result);
        }
        return result;
    }

    /** An object, if there. */
    public Optional<JsonObject> object(String name) {
        return switch (fields.get(name)) {
            case null -> Optional.empty();
            case Map<?, ?> map -> Optional.of(of(path(name), map));
            case Object other -> throw wrongType(name, "an object", other);
        };
    }

    /** A list, if there; its items as parsed. */
    public Optional<List<@Nullable Object>> list(String name) {
        return switch (fields.get(name)) {
            case null -> Optional.empty();
            case List<?> list -> Optional.of(new ArrayList<@Nullable Object>(list));
            case Object other -> throw wrongType(name, "an array", other);
        };
    }

    /** A list of objects that must be there. */
    public List<JsonObject> objects(String name) {
        List<@Nullable Object> items = list(name).orElseThrow(() -> missing(name, "an array of objects"));
        List<JsonObject> objects = new ArrayList<>(items.size());
        for (int i = 0; i < items.size(); i++) {
            String field = path(name) + "[" + i + "]";
            if (!(items.get(i) instanceof Map<?, ?> map)) {
                throw new JsonException(
                        field, "'%s' must be an object, but is %s".formatted(field, kind(items.get(i))));
            }
            objects.add(of(field, map));
        }
        return objects;
    }

    /** An error about one of this object's fields. */
    public JsonException wrong(String name, String message) {
        return new JsonException(path(name), message);
    }

    /** An error about a field of the wrong type. */
    public JsonException wrongType(String name, String expected, Object actual) {
        return wrong(name, "'%s' must be %s, but is %s".formatted(path(name), expected, kind(actual)));
    }

    private JsonException missing(String name, String expected) {
        return wrong(name, "'%s' is missing: %s is required".formatted(path(name), expected));
    }

    private static JsonException outOfRange(String field, Object least, Object most, Object actual) {
        return new JsonException(
                field, "'%s' must be between %s and %s, but is %s".formatted(field, least, most, actual));
    }

    /** What a parsed value is, in words. */
    public static String kind(@Nullable Object value) {
        return switch (value) {
            case null -> "null";
            case String text -> "a string";
            case Boolean flag -> "a boolean";
            case Long number -> "an integer";
            case Double number -> "a number";
            case List<?> list -> "an array";
            default -> "an object";
        };
    }
}
