package dev.jeton.server.api;

import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** What a response repeats of its request, with the defaults where that says nothing; clients' libraries ask for it. */
final class ResponseEcho {

    private ResponseEcho() {}

    /** Writes it, as fields of an object. */
    static void write(JsonWriter out, ResponseRequest request, GenerationOptions options) {
        JsonObject body = request.body();
        out.name("background").value(request.inBackground());
        text(out, body, "instructions");
        number(out, body, "max_output_tokens");
        number(out, body, "max_tool_calls");
        out.name("parallel_tool_calls").value(body.flag("parallel_tool_calls", true));
        text(out, body, ResponseRequest.PREVIOUS);
        text(out, body, "prompt_cache_key");
        JsonObject reasoning = body.object("reasoning").orElse(JsonObject.of("", Map.of()));
        out.name("reasoning").beginObject();
        text(out, reasoning, "effort");
        text(out, reasoning, "summary");
        out.endObject();
        text(out, body, "safety_identifier");
        out.name("service_tier").value(options.servedAs().text());
        out.name("store").value(request.stored());
        out.name("temperature").value(options.sampling().temperature());
        out.name("text").tree(format(body));
        out.name("tool_choice").tree(body.value(ToolChoice.FIELD).orElse("auto"));
        out.name("tools").tree(tools(body));
        out.name("top_logprobs").value(body.whole("top_logprobs", 0, 0, Integer.MAX_VALUE));
        out.name("top_p").value(options.sampling().topP());
        out.name("truncation").value(body.optionalText("truncation").orElse("disabled"));
        text(out, body, "user");
        out.name("metadata")
                .tree(body.object("metadata").map(JsonObject::fields).orElse(Map.of()));
    }

    private static void text(JsonWriter out, JsonObject object, String field) {
        out.name(field).tree(object.optionalText(field).orElse(null));
    }

    private static void number(JsonWriter out, JsonObject object, String field) {
        out.name(field).tree(object.value(field).orElse(null));
    }

    private static Map<String, @Nullable Object> format(JsonObject body) {
        Map<String, @Nullable Object> text = new LinkedHashMap<>();
        Optional<JsonObject> given = body.object("text");
        text.put(
                "format",
                given.flatMap(object -> object.object("format"))
                        .map(JsonObject::fields)
                        .orElse(Map.of("type", "text")));
        text.put(
                "verbosity",
                given.flatMap(object -> object.optionalText("verbosity")).orElse("medium"));
        return text;
    }

    private static List<Map<String, @Nullable Object>> tools(JsonObject body) {
        List<Map<String, @Nullable Object>> tools = new ArrayList<>();
        for (JsonObject tool : body.has("tools") ? body.objects("tools") : List.<JsonObject>of()) {
            Map<String, @Nullable Object> fields = new LinkedHashMap<>(tool.fields());
            fields.putIfAbsent("description", null);
            fields.putIfAbsent("parameters", null);
            fields.putIfAbsent("strict", true);
            tools.add(fields);
        }
        return tools;
    }
}
