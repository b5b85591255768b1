package dev.jeton.server.api;

import dev.jeton.server.json.Json;
import dev.jeton.server.json.JsonException;
import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Tool calls of an assistant's earlier message, as a model's template takes them. */
final class PastToolCalls {

    private PastToolCalls() {}

    /**
     * Reads them. Most templates print a call's arguments as an object, while the API sends them as the text of one.
     *
     * @param text whether the template wants the text
     */
    static List<@Nullable Object> read(JsonObject message, boolean text) {
        List<@Nullable Object> calls = new ArrayList<>();
        for (JsonObject call : message.objects("tool_calls")) {
            call.optionalText("id");
            if (!call.optionalText("type").orElse("function").equals("function")) {
                throw ApiException.unsupported(
                        call.path("type"), "'%s' other than 'function' is not supported".formatted(call.path("type")));
            }
            JsonObject function = call.object("function")
                    .orElseThrow(() -> call.wrong(
                            "function", "'%s' is missing: an object is required".formatted(call.path("function"))));
            function.text("name");
            Map<String, @Nullable Object> inner = new LinkedHashMap<>(function.fields());
            inner.put("arguments", text ? textOf(function) : valueOf(function));
            Map<String, @Nullable Object> copy = new LinkedHashMap<>(call.fields());
            copy.put("type", "function");
            copy.put("function", inner);
            calls.add(copy);
        }
        return calls;
    }

    /** Gives each tool's message the name of its function, which some templates print and OpenAI's API leaves out. */
    static void nameResults(List<Map<String, @Nullable Object>> messages) {
        Map<Object, Object> names = new HashMap<>();
        for (Map<String, @Nullable Object> message : messages) {
            if (message.get("tool_calls") instanceof List<?> calls) {
                for (Object call : calls) {
                    if (call instanceof Map<?, ?> map
                            && map.get("id") instanceof String id
                            && map.get("function") instanceof Map<?, ?> function
                            && function.get("name") instanceof String name) {
                        names.put(id, name);
                    }
                }
            } else if ("tool".equals(message.get("role")) && message.get("tool_call_id") instanceof String id) {
                message.computeIfAbsent("name", field -> names.get(id));
            }
        }
    }

    private static Object given(JsonObject function) {
        Object arguments = function.value("arguments").orElse("{}");
        if (arguments instanceof String text) {
            return text.isBlank() ? "{}" : text;
        }
        if (!(arguments instanceof Map)) {
            throw function.wrongType("arguments", "a string that holds a JSON object", arguments);
        }
        return arguments;
    }

    private static String textOf(JsonObject function) {
        Object arguments = given(function);
        return arguments instanceof String text
                ? text
                : new String(new JsonWriter().tree(arguments).toBytes(), StandardCharsets.UTF_8);
    }

    /** A model may have written what is no JSON; it is shown that again, so that it can do better. */
    private static Object valueOf(JsonObject function) {
        Object arguments = given(function);
        if (!(arguments instanceof String text)) {
            return arguments;
        }
        try {
            return Json.parse(text) instanceof Map<?, ?> object ? object : text;
        } catch (JsonException e) {
            return text;
        }
    }
}
