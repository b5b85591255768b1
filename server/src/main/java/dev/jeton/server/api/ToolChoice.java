package dev.jeton.server.api;

import dev.jeton.server.json.JsonObject;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.UnaryOperator;

/**
 * Whether an answer calls tools, as {@code tool_choice} says it.
 *
 * @param may whether it may
 * @param must whether it is calls and nothing else
 * @param only the one function that it must call; empty where it may be any
 */
record ToolChoice(boolean may, boolean must, Optional<String> only) {

    static final String FIELD = "tool_choice";

    /** They may be called. */
    static final ToolChoice AUTO = new ToolChoice(true, false, Optional.empty());

    private static final ToolChoice NONE = new ToolChoice(false, false, Optional.empty());

    /**
     * Reads it.
     *
     * @param names of the tools that there are
     */
    static ToolChoice read(JsonObject body, Set<String> names) {
        return read(
                body,
                names,
                choice -> choice.object("function")
                        .orElseThrow(() -> choice.wrong(
                                "function",
                                "'%s' is missing: an object is required".formatted(choice.path("function")))));
    }

    /**
     * Reads it.
     *
     * @param function the object that has the name where one function must be called
     */
    static ToolChoice read(JsonObject body, Set<String> names, UnaryOperator<JsonObject> function) {
        Object given = body.value(FIELD).orElse("auto");
        if (given instanceof Map<?, ?> map) {
            JsonObject choice = JsonObject.of(FIELD, map);
            if (!choice.text("type").equals("function")) {
                throw ApiException.unsupported(
                        choice.path("type"),
                        "'%s' other than 'function' is not supported".formatted(choice.path("type")));
            }
            return new ToolChoice(true, true, Optional.of(named(function.apply(choice), names)));
        }
        if (!(given instanceof String)) {
            throw body.wrongType(FIELD, "a string or an object", given);
        }
        String word = given.toString();
        return switch (word) {
            case "auto" -> AUTO;
            case "none" -> NONE;
            case "required" -> required(word, names);
            default ->
                throw ApiException.invalid(
                        FIELD,
                        "'tool_choice' must be 'none', 'auto', 'required' or a function, but is '%s'"
                                .formatted(ApiException.shown(word)));
        };
    }

    private static ToolChoice required(String word, Set<String> names) {
        if (names.isEmpty()) {
            throw ApiException.invalid(
                    FIELD, "'tool_choice' is '%s', but there are no 'tools' that could be called".formatted(word));
        }
        return new ToolChoice(true, true, Optional.empty());
    }

    /**
     * Reads that of a request for a message, which is an object.
     *
     * @param names of the tools that there are
     */
    static ToolChoice ofMessages(JsonObject choice, Set<String> names) {
        String type = choice.text("type");
        return switch (type) {
            case "auto" -> AUTO;
            case "none" -> NONE;
            case "any" -> required(type, names);
            case "tool" -> new ToolChoice(true, true, Optional.of(named(choice, names)));
            default ->
                throw choice.wrong(
                        "type",
                        "'%s' must be 'auto', 'any', 'tool' or 'none', but is '%s'"
                                .formatted(choice.path("type"), ApiException.shown(type)));
        };
    }

    /** The name of a function, which must be one of these. */
    static String named(JsonObject function, Set<String> names) {
        String name = function.text("name");
        if (!names.contains(name)) {
            throw function.wrong(
                    "name",
                    "'%s' is '%s', which is none of the 'tools'"
                            .formatted(function.path("name"), ApiException.shown(name)));
        }
        return name;
    }
}
