package dev.jeton.server.api;

import dev.jeton.models.tools.PastCallStyle;
import dev.jeton.server.json.JsonObject;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Makes the messages of a conversation, as a chat template takes them, of the items of a request for a response. What
 * an assistant said and called in one go, items of their own here, is one message there. Not thread-safe.
 */
final class ResponseItems {

    static final String FIELD = "input";

    private static final Set<String> ROLES = Set.of("assistant", "developer", "system", "user");

    private final ServedModel model;
    private final PastCallStyle style;
    private final List<Map<String, @Nullable Object>> messages = new ArrayList<>();
    private final Set<String> called = new HashSet<>();
    /** Whether the last message is an assistant's that goes on. */
    private boolean going;
    /** What the model thought before what comes next. */
    private Optional<String> thought = Optional.empty();

    ResponseItems(ServedModel model) {
        this.model = model;
        style = model.tools().past();
    }

    /** The messages. */
    List<Map<String, @Nullable Object>> messages() {
        return messages;
    }

    /** Puts instructions in front. */
    void instruct(String text) {
        add("system", text);
    }

    /**
     * Adds an item.
     *
     * @throws dev.jeton.server.json.JsonException where it is none; it names the field
     */
    void add(JsonObject item) {
        String type = type(item);
        switch (type) {
            case "message" -> message(item);
            case "function_call" -> call(item);
            case "function_call_output" -> output(item);
            case "reasoning" -> reasoning(item);
            default ->
                throw ApiException.unsupported(
                        item.path("type"),
                        "'%s' is '%s': items other than 'message', 'function_call', 'function_call_output',"
                                        .formatted(item.path("type"), ApiException.shown(type))
                                + " 'reasoning' and 'item_reference' are not supported");
        }
    }

    /** An item's type; what has a role and says none is a message. */
    static String type(JsonObject item) {
        return item.has("role") ? item.optionalText("type").orElse("message") : item.text("type");
    }

    private Map<String, @Nullable Object> add(String role, @Nullable String content) {
        boolean assistant = role.equals("assistant");
        if (!assistant && thought.isPresent()) {
            add("assistant", ""); // it was cut while it thought
        }
        Map<String, @Nullable Object> message = new LinkedHashMap<>();
        message.put("role", role);
        message.put("content", content);
        thought.ifPresent(text -> Conversation.thought(message, text));
        thought = Optional.empty();
        messages.add(message);
        going = assistant;
        return message;
    }

    private void message(JsonObject item) {
        String role = item.text("role");
        if (!ROLES.contains(role)) {
            throw item.wrong(
                    "role",
                    "'%s' must be one of %s, but is '%s'"
                            .formatted(
                                    item.path("role"),
                                    String.join(", ", ROLES.stream().sorted().toList()),
                                    ApiException.shown(role)));
        }
        String text = text(item, "content");
        if (role.equals("assistant") && going && messages.getLast().containsKey("tool_calls")) {
            Object before = messages.getLast().get("content");
            messages.getLast().put("content", before == null || before.equals("") ? text : before + "\n" + text);
        } else {
            add(Conversation.role(role, model), text);
        }
    }

    private void call(JsonObject item) {
        String id = item.text("call_id");
        called.add(id);
        Map<String, @Nullable Object> call = PastToolCalls.of(item, id, style.textArguments());
        Map<String, @Nullable Object> message =
                going ? messages.getLast() : spoken() ? thoughtOn() : add("assistant", silence());
        calls(message).add(call);
    }

    private @Nullable String silence() {
        return style.emptyContent() ? "" : null;
    }

    /** Whether the assistant has said something and thought again, where a call has one text with it. */
    private boolean spoken() {
        return style.oneText()
                && thought.isPresent()
                && !messages.isEmpty()
                && "assistant".equals(messages.getLast().get("role"))
                && !messages.getLast().containsKey("tool_calls");
    }

    /** What was said then is no answer, for which a template would take it, but one of the thoughts. */
    private Map<String, @Nullable Object> thoughtOn() {
        Map<String, @Nullable Object> message = messages.getLast();
        String all = Stream.of(message.get(PastCallStyle.THOUGHTS.getFirst()), message.get("content"), thought.get())
                .filter(String.class::isInstance)
                .map(String.class::cast)
                .filter(text -> !text.isEmpty())
                .collect(Collectors.joining("\n\n"));
        Conversation.thought(message, all);
        message.put("content", silence());
        thought = Optional.empty();
        going = true;
        return message;
    }

    @SuppressWarnings("unchecked") // nothing else is put there
    private static List<@Nullable Object> calls(Map<String, @Nullable Object> message) {
        return (List<@Nullable Object>) Objects.requireNonNull(
                message.computeIfAbsent("tool_calls", field -> new ArrayList<@Nullable Object>()));
    }

    private void output(JsonObject item) {
        String id = item.text("call_id");
        if (!called.contains(id)) {
            throw item.wrong(
                    "call_id",
                    "'%s' is '%s', but no 'function_call' before it has that 'call_id'"
                            .formatted(item.path("call_id"), ApiException.shown(id)));
        }
        add("tool", text(item, "output")).put("tool_call_id", id);
    }

    /** What another server has encrypted is nothing here. */
    private void reasoning(JsonObject item) {
        String content = texts(item, "content");
        String summary = texts(item, "summary");
        thought = Optional.of(content.isEmpty() ? summary : content).filter(text -> !text.isEmpty());
        going = false;
    }

    private static String texts(JsonObject item, String field) {
        return item.has(field)
                ? item.objects(field).stream().map(part -> part.text("text")).collect(Collectors.joining("\n"))
                : "";
    }

    private static String text(JsonObject item, String field) {
        Object content = item.value(field)
                .orElseThrow(() -> item.wrong(
                        field,
                        "'%s' is missing: a string or an array of text parts is required".formatted(item.path(field))));
        return switch (content) {
            case String text -> text;
            case List<?> parts -> ofParts(item.objects(field));
            default -> throw item.wrongType(field, "a string or an array of text parts", content);
        };
    }

    private static String ofParts(List<JsonObject> parts) {
        List<String> texts = new ArrayList<>(parts.size());
        for (JsonObject part : parts) {
            String type = part.text("type");
            texts.add(
                    switch (type) {
                        case "input_text", "output_text" -> part.text("text");
                        case "refusal" -> part.text("refusal");
                        default ->
                            throw ApiException.unsupported(
                                    part.path("type"),
                                    "'%s' is '%s': only parts of type 'input_text', 'output_text' and 'refusal' are"
                                                    .formatted(part.path("type"), ApiException.shown(type))
                                            + " supported yet");
                    });
        }
        return String.join("\n", texts);
    }
}
