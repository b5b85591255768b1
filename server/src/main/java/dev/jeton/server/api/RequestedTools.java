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
import java.util.function.Function;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * The tools of a request, and which of them its answer may call.
 *
 * @param tools as given, for the template; empty where there are none or none may be called
 * @param one whether at most one may be called
 * @param choice whether they are called
 * @param strict whether arguments of a function that does not say so are held to its schema, as far as that can be
 */
record RequestedTools(List<Map<String, @Nullable Object>> tools, boolean one, ToolChoice choice, boolean strict) {

    /** What names may be in every format in which a model writes them. */
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_.-]{1,128}");

    private static final String PARAMETERS = "parameters";
    private static final String INPUT_SCHEMA = "input_schema";

    /** Reads and checks those of a chat. */
    static RequestedTools read(JsonObject body, ToolLimits limits) {
        Set<String> names = new HashSet<>();
        List<Map<String, @Nullable Object>> tools = tools(body, limits, tool -> {
            requireFunction(tool);
            JsonObject function = tool.object("function")
                    .orElseThrow(() -> tool.wrong(
                            "function", "'%s' is missing: an object is required".formatted(tool.path("function"))));
            check(function, names, PARAMETERS);
            return withParameters(tool.fields(), function.fields());
        });
        return of(body, tools, ToolChoice.read(body, names), false);
    }

    /**
     * Reads and checks those of a request for a response, whose functions stand in no object of their own, and are
     * strict unless they say otherwise.
     */
    static RequestedTools flat(JsonObject body, ToolLimits limits) {
        Set<String> names = new HashSet<>();
        List<Map<String, @Nullable Object>> tools = tools(body, limits, tool -> {
            requireFunction(tool);
            check(tool, names, PARAMETERS);
            Map<String, @Nullable Object> function = new LinkedHashMap<>(tool.fields());
            function.remove("type");
            return withParameters(Map.of("type", "function"), function);
        });
        Optional<AllowedTools> allowed = AllowedTools.read(body, names);
        if (allowed.isPresent()) {
            return of(body, allowed.get().of(tools), allowed.get().choice(), true);
        }
        return of(body, tools, ToolChoice.read(body, names, choice -> choice), true);
    }

    /**
     * Reads and checks those of a request for a message: a schema stands under another name, and what caches is gone.
     */
    static RequestedTools ofMessages(JsonObject body, ToolLimits limits) {
        Set<String> names = new HashSet<>();
        List<Map<String, @Nullable Object>> tools = tools(body, limits, tool -> {
            String type = tool.optionalText("type").orElse("custom");
            if (!type.equals("custom")) {
                throw ApiException.unsupported(
                        tool.path("type"),
                        "'%s' is '%s': tools that Anthropic defines are not supported, since this server runs none;"
                                        .formatted(tool.path("type"), ApiException.shown(type))
                                + " give a tool of your own with its 'input_schema'");
            }
            check(tool, names, INPUT_SCHEMA);
            Map<String, @Nullable Object> function = new LinkedHashMap<>();
            function.put("name", tool.text("name"));
            tool.value("description").ifPresent(text -> function.put("description", text));
            tool.value("strict").ifPresent(flag -> function.put("strict", flag));
            JsonObject schema = tool.object(INPUT_SCHEMA)
                    .orElseThrow(() -> tool.wrong(
                            INPUT_SCHEMA,
                            "'%s' is missing: a JSON Schema is required".formatted(tool.path(INPUT_SCHEMA))));
            function.put(PARAMETERS, schema.fields());
            return withParameters(Map.of("type", "function"), function);
        });
        Optional<JsonObject> choice = body.object(ToolChoice.FIELD);
        ToolChoice chosen =
                choice.map(given -> ToolChoice.ofMessages(given, names)).orElse(ToolChoice.AUTO);
        boolean one = choice.map(given -> given.flag("disable_parallel_tool_use", false))
                .orElse(false);
        return new RequestedTools(chosen.may() ? tools : List.of(), one, chosen, false);
    }

    private static RequestedTools of(
            JsonObject body, List<Map<String, @Nullable Object>> tools, ToolChoice choice, boolean strict) {
        boolean several = body.flag("parallel_tool_calls", true);
        return new RequestedTools(choice.may() ? tools : List.of(), !several, choice, strict);
    }

    /** @param reader checks a function, and gives its tool as templates take it */
    private static List<Map<String, @Nullable Object>> tools(
            JsonObject body, ToolLimits limits, Function<JsonObject, Map<String, @Nullable Object>> reader) {
        List<JsonObject> given = body.has("tools") ? body.objects("tools") : List.of();
        if (given.size() > limits.maxTools()) {
            throw ApiException.invalid(
                    "tools",
                    "'tools' has %d tools, at most %d are accepted".formatted(given.size(), limits.maxTools()));
        }
        List<Map<String, @Nullable Object>> tools = new ArrayList<>();
        for (JsonObject tool : given) {
            tools.add(reader.apply(tool));
        }
        int size = new JsonWriter().tree(tools).size();
        if (size > limits.maxSchema()) {
            throw ApiException.invalid(
                    "tools", "'tools' has %d bytes, at most %d are accepted".formatted(size, limits.maxSchema()));
        }
        return tools;
    }

    private static void requireFunction(JsonObject tool) {
        String type = tool.text("type");
        if (!type.equals("function")) {
            throw ApiException.unsupported(
                    tool.path("type"),
                    "'%s' is '%s': tools other than 'function' are not supported, since this server runs none"
                            .formatted(tool.path("type"), ApiException.shown(type)));
        }
    }

    /** @param parameters the field with its schema */
    private static void check(JsonObject function, Set<String> names, String parameters) {
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
        function.object(parameters).ifPresent(RequestedTools::checkSchema);
    }

    /** A function without parameters takes none, but many templates loop over its schema's properties. */
    private static Map<String, @Nullable Object> withParameters(
            Map<String, @Nullable Object> tool, Map<String, @Nullable Object> function) {
        Map<String, @Nullable Object> schema = new LinkedHashMap<>(JsonObject.of("", function)
                .object("parameters")
                .map(JsonObject::fields)
                .orElse(Map.of("type", "object")));
        if (schema.get("properties") == null) {
            schema.put("properties", Map.of());
        }
        Map<String, @Nullable Object> described = new LinkedHashMap<>(function);
        described.put("parameters", schema);
        Map<String, @Nullable Object> whole = new LinkedHashMap<>(tool);
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
