package dev.jeton.models.tools;

import java.util.HashMap;
import java.util.HashSet;
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
    enum Kind {
        /** A string, whatever it looks like. */
        TEXT,
        /** A string, or null where it says {@code null}. */
        TEXT_OR_NULL,
        /** What it is in JSON, a string where it is nothing in JSON. */
        VALUE
    }

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
            properties.forEach((name, property) -> kinds.put(String.valueOf(name), kind(property)));
        }
        return kinds;
    }

    private static Kind kind(@Nullable Object property) {
        Set<String> types = new HashSet<>();
        collect(property, types, 0);
        if (!types.contains("string")) {
            return Kind.VALUE;
        }
        return types.contains("null") ? Kind.TEXT_OR_NULL : Kind.TEXT;
    }

    private static void collect(@Nullable Object schema, Set<String> types, int depth) {
        if (depth > JsonScanner.MAX_DEPTH || !(schema instanceof Map<?, ?> map)) {
            return;
        }
        if (map.get("type") instanceof String type) {
            types.add(type);
        } else if (map.get("type") instanceof List<?> several) {
            several.forEach(type -> types.add(String.valueOf(type)));
        }
        for (String union : List.of("anyOf", "oneOf")) {
            if (map.get(union) instanceof List<?> members) {
                members.forEach(member -> collect(member, types, depth + 1));
            }
        }
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
