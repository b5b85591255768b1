package dev.jeton.server.api;

import dev.jeton.models.tools.CallId;
import dev.jeton.models.tools.PastCallStyle;
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
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Tool calls of an assistant's earlier message, as a model's template takes them. */
final class PastToolCalls {

    private static final String CALLS = "tool_calls";
    private static final String RESULT = "tool_call_id";

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
     * with each result the name of its function, which some templates print and OpenAI's API leaves out; nothing in a
     * message that its template would leave out.
     */
    static List<Map<String, @Nullable Object>> fit(
            List<Map<String, @Nullable Object>> messages, PastCallStyle style, CallId ids) {
        Map<Object, Object> names = new HashMap<>();
        Map<Object, String> fitted = new HashMap<>();
        int number = 0;
        for (Map<String, @Nullable Object> message : messages) {
            if (message.get(CALLS) instanceof List<?> calls) {
                for (Object call : calls) {
                    fit(call, ids, number++, names, fitted);
                }
                if (style.oneText()) {
                    unite(message);
                }
            } else if (resultOf(message) instanceof String id) {
                message.computeIfAbsent("name", field -> names.get(id));
                message.put(RESULT, fitted.getOrDefault(id, ids.fitted(id, "", number)));
            }
        }
        return style.oneCall() ? parted(messages, style) : messages;
    }

    private static @Nullable Object resultOf(Map<String, @Nullable Object> message) {
        return "tool".equals(message.get("role")) ? message.get(RESULT) : null;
    }

    /** What the model said before a call goes to what it thought: it is from the same breath. */
    private static void unite(Map<String, @Nullable Object> message) {
        if (message.get("content") instanceof String said
                && !said.isEmpty()
                && message.get(PastCallStyle.THOUGHTS.getFirst()) instanceof String thought
                && !thought.isEmpty()) {
            Conversation.thought(message, thought + "\n\n" + said);
            message.put("content", "");
        }
    }

    /** Each call in a message of its own, with its results behind it. */
    private static List<Map<String, @Nullable Object>> parted(
            List<Map<String, @Nullable Object>> messages, PastCallStyle style) {
        List<Map<String, @Nullable Object>> all = new ArrayList<>();
        for (int at = 0; at < messages.size(); at++) {
            Map<String, @Nullable Object> message = messages.get(at);
            if (!(message.get(CALLS) instanceof List<?> calls) || calls.size() < 2) {
                all.add(message);
                continue;
            }
            List<Map<String, @Nullable Object>> results = new ArrayList<>();
            while (at + 1 < messages.size() && resultOf(messages.get(at + 1)) != null) {
                results.add(messages.get(++at));
            }
            for (Object call : calls) {
                boolean first = call == calls.getFirst();
                Map<String, @Nullable Object> part = new LinkedHashMap<>(first ? message : Map.of());
                part.put("role", "assistant");
                if (!first) {
                    part.put("content", style.emptyContent() ? "" : null);
                }
                part.put(CALLS, List.of(call));
                all.add(part);
                List<Map<String, @Nullable Object>> its = results.stream()
                        .filter(result -> call instanceof Map<?, ?> fields
                                && Objects.equals(fields.get("id"), result.get(RESULT)))
                        .toList();
                all.addAll(its);
                results.removeAll(its);
            }
            all.addAll(results);
        }
        return all;
    }

    @SuppressWarnings("unchecked") // as read() makes them
    private static void fit(
            Object call, CallId ids, int number, Map<Object, Object> names, Map<Object, String> fitted) {
        Map<String, @Nullable Object> fields = (Map<String, @Nullable Object>) call;
        if (fields.get("id") instanceof String id && fields.get("function") instanceof Map<?, ?> function) {
            Object name = function.get("name");
            if (name != null) {
                names.put(id, name);
            }
            fitted.put(id, ids.fitted(id, name instanceof String text ? text : "", number));
            fields.put("id", fitted.get(id));
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
