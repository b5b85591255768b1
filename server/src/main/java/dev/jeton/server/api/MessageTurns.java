package dev.jeton.server.api;

import dev.jeton.models.tools.PastCallStyle;
import dev.jeton.server.json.JsonObject;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Makes the messages of a conversation, as a chat template takes them, of those of a request for a message. Messages of
 * one role in a row are one turn, as Anthropic's API has it; a user's turn is what tools said, each a message of its
 * own, and then what the user said. Not thread-safe.
 */
final class MessageTurns {

    static final String FIELD = "messages";

    /** Claude Code's, with something new in each request: in front of a prompt it would keep that from the cache. */
    private static final String BILLING = "x-anthropic-billing-header";

    private static final String USER = "user";
    private static final String ASSISTANT = "assistant";
    private static final String SYSTEM = "system";

    /** How Anthropic's API wraps arguments that are no JSON, so that the model can be shown them again. */
    static final String NO_JSON = "INVALID_JSON";

    private final PastCallStyle style;
    private final List<String> system = new ArrayList<>();
    private final List<Map<String, @Nullable Object>> messages = new ArrayList<>();
    private final Set<String> called = new HashSet<>();

    /** Whose turn it is; empty before the first. */
    private String role = "";

    private List<String> texts = new ArrayList<>();
    private List<String> thoughts = new ArrayList<>();
    private List<@Nullable Object> calls = new ArrayList<>();
    private List<Map<String, @Nullable Object>> results = new ArrayList<>();

    MessageTurns(ServedModel model) {
        style = model.tools().past();
    }

    /** Takes the system prompt of a body, if it has one. */
    void instruct(JsonObject body) {
        if (body.has(SYSTEM)) {
            system.addAll(systemTexts(body, SYSTEM));
        }
    }

    private static List<String> systemTexts(JsonObject holder, String field) {
        return texts(holder, field).stream()
                .filter(text -> !text.isEmpty() && !text.startsWith(BILLING))
                .toList();
    }

    /**
     * Adds a message.
     *
     * @throws dev.jeton.server.json.JsonException where it is none; it names the field
     */
    void add(JsonObject message) {
        String given = message.text("role");
        switch (given) {
            case USER -> {
                turn(USER);
                blocks(message, this::userBlock);
            }
            case ASSISTANT -> {
                turn(ASSISTANT);
                blocks(message, this::assistantBlock);
            }
            case SYSTEM -> system(message);
            default ->
                throw message.wrong(
                        "role",
                        "'%s' must be 'user', 'assistant' or 'system', but is '%s'"
                                .formatted(message.path("role"), ApiException.shown(given)));
        }
    }

    /**
     * What comes before all turns is of the system prompt. Later it is put to what the user says next: few templates
     * take systems' messages there, and the prompt up to them stays as it was cached.
     */
    private void system(JsonObject message) {
        List<String> given = systemTexts(message, "content");
        if (role.isEmpty()) {
            system.addAll(given);
        } else if (!given.isEmpty()) {
            turn(USER);
            texts.addAll(given);
        }
    }

    /** The messages, the system's in front. */
    List<Map<String, @Nullable Object>> messages() {
        turn("");
        List<Map<String, @Nullable Object>> all = new ArrayList<>();
        if (!system.isEmpty()) {
            all.add(message(SYSTEM, String.join("\n", system)));
        }
        all.addAll(messages);
        return all;
    }

    /** Ends the turn, unless it is the same one's again. */
    private void turn(String next) {
        if (role.equals(next)) {
            return;
        }
        switch (role) {
            case USER -> {
                messages.addAll(results);
                if (!texts.isEmpty() || results.isEmpty()) {
                    messages.add(message(USER, String.join("\n", texts)));
                }
            }
            case ASSISTANT -> {
                boolean silent = texts.isEmpty() && !calls.isEmpty() && !style.emptyContent();
                Map<String, @Nullable Object> message = message(ASSISTANT, silent ? null : String.join("\n", texts));
                if (!thoughts.isEmpty()) {
                    Conversation.thought(message, String.join("\n", thoughts));
                }
                if (!calls.isEmpty()) {
                    message.put("tool_calls", calls);
                }
                messages.add(message);
            }
            default -> {}
        }
        role = next;
        texts = new ArrayList<>();
        thoughts = new ArrayList<>();
        calls = new ArrayList<>();
        results = new ArrayList<>();
    }

    private static Map<String, @Nullable Object> message(String role, @Nullable String content) {
        Map<String, @Nullable Object> message = new LinkedHashMap<>();
        message.put("role", role);
        message.put("content", content);
        return message;
    }

    /** Takes one block of a message. */
    @FunctionalInterface
    private interface Reader {
        void read(JsonObject block);
    }

    private void blocks(JsonObject message, Reader reader) {
        Object content = content(message, "content");
        if (content instanceof String text) {
            texts.add(text);
        } else {
            message.objects("content").forEach(reader::read);
        }
    }

    private void userBlock(JsonObject block) {
        String type = block.text("type");
        switch (type) {
            case "text" -> texts.add(block.text("text"));
            case "tool_result" -> result(block);
            default -> throw unsupported(block, type, "'text' and 'tool_result'");
        }
    }

    private void assistantBlock(JsonObject block) {
        String type = block.text("type");
        switch (type) {
            case "text" -> texts.add(block.text("text"));
            case "thinking" ->
                Optional.of(block.text("thinking"))
                        .filter(text -> !text.isEmpty())
                        .ifPresent(thoughts::add);
            case "redacted_thinking" -> {} // what another server has encrypted is nothing here
            case "tool_use" -> call(block);
            default -> throw unsupported(block, type, "'text', 'thinking', 'redacted_thinking' and 'tool_use'");
        }
    }

    private void call(JsonObject block) {
        String id = block.text("id");
        Map<String, @Nullable Object> input =
                block.object("input").map(JsonObject::fields).orElse(Map.of());
        Object arguments = input.size() == 1 && input.get(NO_JSON) instanceof String text ? text : input;
        JsonObject call = JsonObject.of(block.path(), Map.of("name", block.text("name"), "arguments", arguments));
        called.add(id);
        calls.add(PastToolCalls.of(call, id, style.textArguments()));
    }

    private void result(JsonObject block) {
        String id = block.text("tool_use_id");
        if (!called.contains(id)) {
            throw block.wrong(
                    "tool_use_id",
                    "'%s' is '%s', but no 'tool_use' before it has that 'id'"
                            .formatted(block.path("tool_use_id"), ApiException.shown(id)));
        }
        String text = block.has("content") ? String.join("\n", texts(block, "content")) : "";
        // templates have no place for it
        boolean failed = block.flag("is_error", false);
        Map<String, @Nullable Object> result = message("tool", failed ? "Error: " + text : text);
        result.put("tool_call_id", id);
        results.add(result);
    }

    private static Object content(JsonObject holder, String field) {
        Object content = holder.value(field)
                .orElseThrow(() -> holder.wrong(
                        field,
                        "'%s' is missing: a string or an array of blocks is required".formatted(holder.path(field))));
        if (!(content instanceof String) && !(content instanceof List)) {
            throw holder.wrongType(field, "a string or an array of blocks", content);
        }
        return content;
    }

    private static List<String> texts(JsonObject holder, String field) {
        if (content(holder, field) instanceof String text) {
            return List.of(text);
        }
        List<String> texts = new ArrayList<>();
        for (JsonObject block : holder.objects(field)) {
            String type = block.text("type");
            if (!type.equals("text")) {
                throw unsupported(block, type, "'text'");
            }
            texts.add(block.text("text"));
        }
        return texts;
    }

    private static ApiException unsupported(JsonObject block, String type, String known) {
        return ApiException.unsupported(
                block.path("type"),
                "'%s' is '%s': only blocks of type %s are supported here"
                        .formatted(block.path("type"), ApiException.shown(type), known));
    }
}
