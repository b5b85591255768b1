package dev.jeton.server.api;

import dev.jeton.models.tools.CallId;
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

    /**
     * A call that stands for itself.
     *
     * @param call has the function's name and arguments
     * @param text whether the template wants the arguments as text
     */
    static Map<String, @Nullable Object> of(JsonObject call, String id, boolean text) {
        Map<String, @Nullable Object> function = new LinkedHashMap<>();
        function.put("name", call.text("name"));
        function.put("arguments", text ? textOf(call) : valueOf(call));
        Map<String, @Nullable Object> whole = new LinkedHashMap<>();
        whole.put("id", id);
        whole.put("type", "function");
        whole.put("function", function);
        return whole;
    }

    /**
     * Makes a conversation's calls and their results fit together as a template takes them: ids as its model's are, and
     * with each result the name of its function, which some templates print and OpenAI's API leaves out.
     */
    static void fit(List<Map<String, @Nullable Object>> messages, CallId ids) {
        Map<Object, Object> names = new HashMap<>();
        for (Map<String, @Nullable Object> message : messages) {
            if (message.get("tool_calls") instanceof List<?> calls) {
                for (Object call : calls) {
                    fit(call, ids, names);
                }
            } else if ("tool".equals(message.get("role")) && message.get("tool_call_id") instanceof String id) {
                message.computeIfAbsent("name", field -> names.get(id));
                message.put("tool_call_id", ids.fitted(id));
            }
        }
    }

    @SuppressWarnings("unchecked") // as read() makes them
    private static void fit(Object call, CallId ids, Map<Object, Object> names) {
        Map<String, @Nullable Object> fields = (Map<String, @Nullable Object>) call;
        if (fields.get("id") instanceof String id && fields.get("function") instanceof Map<?, ?> function) {
            Object name = function.get("name");
            if (name != null) {
                names.put(id, name);
            }
            fields.put("id", ids.fitted(id));
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
