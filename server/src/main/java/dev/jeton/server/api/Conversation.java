package dev.jeton.server.api;

import dev.jeton.models.ChatTemplate;
import dev.jeton.models.tools.PastCallStyle;
import dev.jeton.server.config.Configuration.LimitSettings;
import dev.jeton.server.json.JsonObject;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A conversation as the chat template sees it.
 *
 * @param messages role, content as one text, and whatever else a message has
 * @param tools that are shown, and may be called
 * @param addGenerationPrompt whether the assistant's turn is opened at the end
 * @param variables further names for the template
 */
record Conversation(
        List<Map<String, @Nullable Object>> messages,
        RequestedTools tools,
        boolean addGenerationPrompt,
        Map<String, @Nullable Object> variables) {

    private static final Set<String> ROLES = Set.of("system", "developer", "user", "assistant", "tool", "function");

    /** Names that the template gets from elsewhere and that a client may not put in their place. */
    private static final Set<String> RESERVED = Set.of("messages", "tools", "add_generation_prompt");

    static Conversation read(JsonObject body, ServedModel model, LimitSettings limits) {
        List<JsonObject> given = body.objects("messages");
        if (given.isEmpty()) {
            throw ApiException.invalid("messages", "'messages' is empty: at least one message is required");
        }
        check("messages", given.size(), limits);
        List<Map<String, @Nullable Object>> messages = new ArrayList<>(given.size());
        for (JsonObject message : given) {
            messages.add(message(message, model));
        }
        return of(
                messages,
                RequestedTools.read(body, limits.tools()),
                ReasoningOptions.effort(body, "reasoning_effort"),
                body,
                model);
    }

    /**
     * A conversation whose messages and tools are read; the rest is as the body says.
     *
     * @param effort how much the model is to think, if that is said
     */
    static Conversation of(
            List<Map<String, @Nullable Object>> messages,
            RequestedTools tools,
            Optional<String> effort,
            JsonObject body,
            ServedModel model) {
        if (body.flag("continue_final_message", false)) {
            throw ApiException.unsupported("continue_final_message", "'continue_final_message' is not supported yet");
        }
        Map<String, @Nullable Object> variables = body.object("chat_template_kwargs")
                .<Map<String, @Nullable Object>>map(JsonObject::fields)
                .orElse(Map.of());
        for (String name : variables.keySet()) {
            if (RESERVED.contains(name)) {
                throw ApiException.invalid(
                        "chat_template_kwargs." + name, "'%s' is a field of the request itself".formatted(name));
            }
        }
        return new Conversation(
                model.systems()
                        .fit(PastToolCalls.fit(
                                messages, model.tools().past(), model.tools().ids())),
                tools,
                body.flag("add_generation_prompt", true),
                ReasoningOptions.variables(effort.map(asked -> ReasoningOptions.known(asked, model)), variables));
    }

    /** Checks how many messages there are. */
    static void check(String field, int count, LimitSettings limits) {
        if (count > limits.maxMessages()) {
            throw ApiException.invalid(
                    field,
                    "'%s' has %d messages, at most %d are accepted".formatted(field, count, limits.maxMessages()));
        }
    }

    /** A role as the model's template knows it. */
    static String role(String given, ServedModel model) {
        return model.systems().role(given);
    }

    /**
     * The prompt's text.
     *
     * @throws ApiException if the model has no template
     */
    @SuppressWarnings(
            "NullAway") // A template sees JSON's nulls as its own none; the port does not say so in its types.
    String render(ServedModel model) {
        ChatTemplate template = model.template()
                .orElseThrow(() -> ApiException.invalid(
                        "model",
                        "The model '%s' has no chat template: use /v1/completions, or serve it with --chat-template"
                                .formatted(model.name())));
        return template.render(
                cast(messages), cast(model.tools().shown(tools.tools())), addGenerationPrompt, variables);
    }

    @SuppressWarnings({"unchecked", "NullAway"})
    private static List<Map<String, Object>> cast(List<Map<String, @Nullable Object>> maps) {
        return (List<Map<String, Object>>) (List<?>) maps;
    }

    private static Map<String, @Nullable Object> message(JsonObject given, ServedModel model) {
        Map<String, @Nullable Object> message = new LinkedHashMap<>(given.fields());
        String role = given.text("role");
        if (!ROLES.contains(role)) {
            throw given.wrong(
                    "role",
                    "'%s' must be one of %s, but is '%s'"
                            .formatted(
                                    given.path("role"),
                                    String.join(", ", ROLES.stream().sorted().toList()),
                                    ApiException.shown(role)));
        }
        message.put("role", role(role, model));
        boolean thought = role.equals("assistant") && reasoning(given, message);
        boolean hasCalls =
                given.list("tool_calls").filter(calls -> !calls.isEmpty()).isPresent();
        // An assistant that refused has said that instead of a content.
        Optional<String> content =
                content(given).or(() -> role.equals("assistant") ? given.optionalText("refusal") : Optional.empty());
        if (content.isEmpty() && !thought && !(role.equals("assistant") && hasCalls)) {
            throw given.wrong(
                    "content",
                    "'%s' is missing: a string or an array of text parts is required".formatted(given.path("content")));
        }
        content.ifPresent(text -> message.put("content", text));
        if (content.isEmpty() && !hasCalls) {
            message.put("content", "");
        }
        // Some templates ask whether there are calls by whether the field is there.
        message.remove("tool_calls");
        if (hasCalls) {
            PastCallStyle style = model.tools().past();
            message.put("tool_calls", PastToolCalls.read(given, style.textArguments()));
            if (content.isEmpty()) {
                message.put("content", style.emptyContent() ? "" : null);
            }
        }
        return message;
    }

    /**
     * What the model thought before an earlier answer goes to the template under all names, since some read the one and
     * some the other.
     *
     * @return whether there is any
     */
    private static boolean reasoning(JsonObject given, Map<String, @Nullable Object> message) {
        Optional<String> old = given.optionalText("reasoning_content");
        Optional<String> current = given.optionalText("reasoning");
        if (old.isPresent() && current.isPresent() && !old.equals(current)) {
            throw given.wrong(
                    "reasoning",
                    "'%s' and '%s' are two names of the same, but differ"
                            .formatted(given.path("reasoning"), given.path("reasoning_content")));
        }
        Optional<String> thought = current.or(() -> old);
        message.remove("reasoning");
        message.remove("reasoning_content");
        thought.ifPresent(text -> thought(message, text));
        return thought.isPresent();
    }

    /** Puts what the model thought into an earlier answer. */
    static void thought(Map<String, @Nullable Object> message, String text) {
        PastCallStyle.THOUGHTS.forEach(name -> message.put(name, text));
    }

    private static Optional<String> content(JsonObject message) {
        Object content = message.value("content").orElse(null);
        return switch (content) {
            case null -> Optional.empty();
            case String text -> Optional.of(text);
            case List<?> parts -> Optional.of(textOf(message));
            default -> throw message.wrongType("content", "a string or an array of text parts", content);
        };
    }

    private static String textOf(JsonObject message) {
        List<String> texts = new ArrayList<>();
        for (JsonObject part : message.objects("content")) {
            String type = part.text("type");
            switch (type) {
                case "text" -> texts.add(part.text("text"));
                case "refusal" -> texts.add(part.text("refusal"));
                case "image_url", "input_audio", "file", "video_url", "audio_url" ->
                    throw ApiException.unsupported(
                            part.path("type"),
                            "'%s' is '%s': only parts of type 'text' are supported yet"
                                    .formatted(part.path("type"), type));
                default ->
                    throw part.wrong(
                            "type",
                            "'%s' must be 'text', but is '%s'".formatted(part.path("type"), ApiException.shown(type)));
            }
        }
        return String.join("\n", texts);
    }
}
