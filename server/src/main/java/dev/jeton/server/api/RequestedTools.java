package dev.jeton.server.api;

import dev.jeton.models.tools.ToolCallParser.Bounds;
import dev.jeton.models.tools.ToolSignatures;
import dev.jeton.server.config.Configuration.ToolLimits;
import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The tools of a chat request, and which of them its answer may call.
 *
 * @param tools as given, for the template; empty where there are none or none may be called
 * @param one whether at most one may be called
 * @param choice whether they are called
 */
record RequestedTools(List<Map<String, @Nullable Object>> tools, boolean one, ToolChoice choice) {

    /** What names may be in every format in which a model writes them. */
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_.-]{1,128}");

    /** Reads and checks them. */
    static RequestedTools read(JsonObject body, ToolLimits limits) {
        List<JsonObject> given = body.has("tools") ? body.objects("tools") : List.of();
        if (given.size() > limits.maxTools()) {
            throw ApiException.invalid(
                    "tools",
                    "'tools' has %d tools, at most %d are accepted".formatted(given.size(), limits.maxTools()));
        }
        List<Map<String, @Nullable Object>> tools = new ArrayList<>();
        Set<String> names = new HashSet<>();
        for (JsonObject tool : given) {
            check(tool, names);
            tools.add(withParameters(tool));
        }
        int size = new JsonWriter().tree(tools).size();
        if (size > limits.maxSchema()) {
            throw ApiException.invalid(
                    "tools", "'tools' has %d bytes, at most %d are accepted".formatted(size, limits.maxSchema()));
        }
        boolean several = body.flag("parallel_tool_calls", true);
        ToolChoice choice = ToolChoice.read(body, names);
        return new RequestedTools(choice.may() ? tools : List.of(), !several, choice);
    }

    private static void check(JsonObject tool, Set<String> names) {
        if (!tool.text("type").equals("function")) {
            throw ApiException.unsupported(
                    tool.path("type"), "'%s' other than 'function' is not supported".formatted(tool.path("type")));
        }
        JsonObject function = tool.object("function")
                .orElseThrow(() -> tool.wrong(
                        "function", "'%s' is missing: an object is required".formatted(tool.path("function"))));
        String name = function.text("name");
        if (!NAME.matcher(name).matches()) {
            throw function.wrong(
                    "name",
                    "'%s' must be 1 to 128 letters, digits, dashes, dots and underscores, but is '%s'"
                            .formatted(function.path("name"), ApiException.shown(name)));
        }
        if (!names.add(name)) {
            throw function.wrong(
                    "name", "'%s' is the name of a tool before it, '%s'".formatted(function.path("name"), name));
        }
        function.optionalText("description");
        function.flag("strict", false);
        function.object("parameters").ifPresent(RequestedTools::checkSchema);
    }

    /** A function without parameters takes none, but many templates loop over its schema's properties. */
    private static Map<String, @Nullable Object> withParameters(JsonObject tool) {
        JsonObject function = tool.object("function").orElseThrow();
        Map<String, @Nullable Object> schema = new LinkedHashMap<>(
                function.object("parameters").map(JsonObject::fields).orElse(Map.of("type", "object")));
        if (schema.get("properties") == null) {
            schema.put("properties", Map.of());
        }
        Map<String, @Nullable Object> described = new LinkedHashMap<>(function.fields());
        described.put("parameters", schema);
        Map<String, @Nullable Object> whole = new LinkedHashMap<>(tool.fields());
        whole.put("function", described);
        return whole;
    }

    /** Whatever else it says is for the model to read. */
    private static void checkSchema(JsonObject schema) {
        Optional<Object> type = schema.value("type");
        if (type.isPresent() && !type.get().equals("object")) {
            throw schema.wrong("type", "'%s' must be 'object': arguments are an object".formatted(schema.path("type")));
        }
        schema.object("properties");
    }

    /** How its answer calls them; empty where it may not, or where it is not known how the model does. */
    Optional<ToolUse> use(ServedModel model, ToolLimits limits, GenerationOptions options) {
        return model.tools()
                .dialect()
                .filter(dialect -> !tools.isEmpty())
                .map(dialect -> new ToolUse(
                        dialect,
                        ToolSignatures.of(tools),
                        new Bounds(limits.maxCalls(), limits.maxCall(), one),
                        options.skipSpecialTokens()));
    }
}
