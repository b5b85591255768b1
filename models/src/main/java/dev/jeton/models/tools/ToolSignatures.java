package dev.jeton.models.tools;

import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The functions that a model may call, and what their parameters are to JSON where a format writes them as plain text.
 * Immutable.
 */
public final class ToolSignatures {

    /** What a parameter's text becomes. */
    public enum Kind {
        /** A string, whatever it looks like. */
        TEXT,
        /** A string, or null where it says {@code null}. */
        TEXT_OR_NULL,
        /** What it is in JSON, a string where it is nothing in JSON. */
        VALUE
    }

    /** Most schemas that are looked at to know one parameter's types. */
    private static final int MOST_SCHEMAS = 200;

    private final Map<String, Map<String, Kind>> functions;

    private ToolSignatures(Map<String, Map<String, Kind>> functions) {
        this.functions = functions;
    }

    /**
     * Those of a request.
     *
     * @param tools as in OpenAI's API, each with a {@code function} that has a {@code name} and may have
     *     {@code parameters}, a JSON schema
     */
    public static ToolSignatures of(List<? extends Map<String, ?>> tools) {
        Map<String, Map<String, Kind>> functions = new HashMap<>();
        for (Map<String, ?> tool : tools) {
            if (tool.get("function") instanceof Map<?, ?> function && function.get("name") instanceof String name) {
                functions.put(name, kinds(function.get("parameters")));
            }
        }
        return new ToolSignatures(functions);
    }

    private static Map<String, Kind> kinds(@Nullable Object schema) {
        Map<String, Kind> kinds = new HashMap<>();
        if (schema instanceof Map<?, ?> map && map.get("properties") instanceof Map<?, ?> properties) {
            properties.forEach((name, property) -> kinds.put(String.valueOf(name), kind(property, schema)));
        }
        return kinds;
    }

    /**
     * What the text of a parameter becomes.
     *
     * @param property the parameter's schema
     * @param root the schema of all arguments, within which it may refer to others
     */
    public static Kind kind(@Nullable Object property, @Nullable Object root) {
        Set<String> types = new HashSet<>();
        collect(property, root, types, Collections.newSetFromMap(new IdentityHashMap<>()));
        if (!types.contains("string")) {
            return Kind.VALUE;
        }
        return types.contains("null") ? Kind.TEXT_OR_NULL : Kind.TEXT;
    }

    /** @param seen what was looked at: schemas may refer to themselves */
    private static void collect(@Nullable Object schema, @Nullable Object root, Set<String> types, Set<Object> seen) {
        if (!(schema instanceof Map<?, ?> map) || seen.size() > MOST_SCHEMAS || !seen.add(map)) {
            return;
        }
        if (map.get("type") instanceof String type) {
            types.add(type);
        } else if (map.get("type") instanceof List<?> several) {
            several.forEach(type -> types.add(String.valueOf(type)));
        } else if (map.get("enum") instanceof List<?> values) {
            values.forEach(value -> types.add(type(value)));
        } else if (map.containsKey("const")) {
            types.add(type(map.get("const")));
        }
        if (map.get("$ref") instanceof String reference) {
            collect(resolved(reference, root), root, types, seen);
        }
        for (String several : List.of("anyOf", "oneOf", "allOf")) {
            if (map.get(several) instanceof List<?> members) {
                members.forEach(member -> collect(member, root, types, seen));
            }
        }
    }

    private static String type(@Nullable Object value) {
        return value == null ? "null" : value instanceof String ? "string" : "other";
    }

    private static @Nullable Object resolved(String reference, @Nullable Object root) {
        Object at = reference.startsWith("#") ? root : null;
        for (String step : reference.replaceFirst("^#/?", "").split("/")) {
            if (!step.isEmpty()) {
                at = at instanceof Map<?, ?> map
                        ? map.get(step.replace("~1", "/").replace("~0", "~"))
                        : null;
            }
        }
        return at;
    }

    /**
     * Whether a name can be written among marks around it: without white space, quotation marks and angle brackets, and
     * not too long.
     */
    public static boolean plain(String name) {
        return CallReader.name(name) && name.chars().allMatch(CallReader::plain);
    }

    /** Whether there is such a function. */
    public boolean has(String function) {
        return functions.containsKey(function);
    }

    /** What a parameter's text becomes; a string where nothing is known of it. */
    Kind kind(String function, String parameter) {
        return functions.getOrDefault(function, Map.of()).getOrDefault(parameter, Kind.TEXT);
    }
}
