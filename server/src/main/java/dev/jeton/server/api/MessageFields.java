package dev.jeton.server.api;

import dev.jeton.models.engine.Capability;
import dev.jeton.server.json.JsonObject;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Checks what only {@code /v1/messages} has, and says it in the words of chats. Whatever else a body has is passed
 * over: clients send fields of betas that change nothing here.
 */
final class MessageFields {

    private static final String THINKING = "thinking";
    private static final String OUTPUT = "output_config";
    private static final String TIER = "service_tier";
    private static final String VARIABLES = "chat_template_kwargs";
    private static final int MAX_USER = 512;

    /** What chats call otherwise. */
    private static final Map<String, String> MOVED = Map.of(
            "max_completion_tokens", "max_tokens",
            "stop", "stop_sequences",
            "response_format", "output_config.format",
            "reasoning_effort", "output_config.effort",
            "parallel_tool_calls", "tool_choice.disable_parallel_tool_use");

    private static final Map<String, String> INSTEAD = Map.of(
            "container", "nothing is run here",
            "thread", "conversations are not kept here; send all of 'messages'",
            "inference_geo", "it is generated where this server is",
            "logprobs", "messages have no place for log-probabilities; /v1/chat/completions has",
            "top_logprobs", "messages have no place for log-probabilities; /v1/chat/completions has");

    private MessageFields() {}

    /**
     * Checks them.
     *
     * @throws ApiException 400, naming the parameter
     */
    static void check(JsonObject body) {
        MOVED.forEach((old, now) -> {
            if (body.has(old)) {
                throw ApiException.unsupported(
                        old, "'%s' is of /v1/chat/completions; here it is '%s'".formatted(old, now));
            }
        });
        INSTEAD.forEach((field, words) -> {
            if (body.has(field)) {
                throw ApiException.unsupported(field, "'%s' is not supported: %s".formatted(field, words));
            }
        });
        if (!body.list("mcp_servers").orElse(List.of()).isEmpty()) {
            throw ApiException.unsupported(
                    "mcp_servers",
                    "'mcp_servers' is not supported: this server calls none; give their tools in 'tools'");
        }
        body.whole("n", 1, 1, 1);
        body.object("metadata")
                .flatMap(metadata -> metadata.optionalText("user_id"))
                .filter(user -> user.length() > MAX_USER)
                .ifPresent(user -> {
                    throw ApiException.invalid(
                            "metadata.user_id",
                            "'metadata.user_id' has %d characters, at most %d are accepted"
                                    .formatted(user.length(), MAX_USER));
                });
    }

    /** How much the model is to think, if that is said. */
    static Optional<String> effort(JsonObject body) {
        return body.object(OUTPUT).flatMap(config -> ReasoningOptions.effort(config, "effort"));
    }

    /** The body with tier and thinking as chats say them. */
    static JsonObject asChat(JsonObject body, ServedModel model) {
        Map<String, @Nullable Object> fields = new LinkedHashMap<>(body.fields());
        tier(body).ifPresent(tier -> fields.put(TIER, tier));
        body.object(THINKING).ifPresent(thinking -> think(thinking, body, fields, model));
        return JsonObject.of("", fields);
    }

    private static Optional<String> tier(JsonObject body) {
        return body.optionalText(TIER).map(text -> switch (text) {
            case "standard_only" -> ServiceTier.DEFAULT.text();
            case "auto", "default", "flex" -> text;
            default ->
                throw ApiException.invalid(
                        TIER,
                        "'service_tier' must be 'auto', 'standard_only' or 'flex', but is '%s'"
                                .formatted(ApiException.shown(text)));
        });
    }

    private static void think(
            JsonObject thinking, JsonObject body, Map<String, @Nullable Object> fields, ServedModel model) {
        String type = thinking.text("type");
        boolean on = switch (type) {
            case "enabled", "adaptive", "between_tools" -> true;
            case "disabled" -> false;
            default ->
                throw thinking.wrong(
                        "type",
                        "'%s' must be 'enabled', 'disabled' or 'adaptive', but is '%s'"
                                .formatted(thinking.path("type"), ApiException.shown(type)));
        };
        Map<String, @Nullable Object> variables = new LinkedHashMap<>();
        ReasoningOptions.SWITCHES.forEach(name -> variables.put(name, on));
        if (!on
                && model.reasoning()
                        .filter(dialect -> dialect.format().channels())
                        .isPresent()) {
            variables.put(ReasoningOptions.EFFORT, ReasoningOptions.LEAST);
        }
        body.object(VARIABLES).ifPresent(given -> variables.putAll(given.fields()));
        fields.put(VARIABLES, variables);
        if (type.equals("enabled")) {
            long budget = thinking.optionalWhole("budget_tokens", 1, Integer.MAX_VALUE)
                    .orElseThrow(() -> thinking.wrong(
                            "budget_tokens",
                            "'%s' is missing: an integer is required".formatted(thinking.path("budget_tokens"))));
            // It allows thinking rather than asking for it: where that cannot be bounded, nothing is wrong.
            if (model.reasoning().isPresent() && model.dispatcher().engine().supports(Capability.MASKS)) {
                fields.putIfAbsent(ReasoningOptions.BUDGET, budget);
            }
        }
        if (omitted(thinking)) {
            fields.putIfAbsent("include_reasoning", false);
        }
    }

    private static boolean omitted(JsonObject thinking) {
        String display = thinking.optionalText("display").orElse("summarized");
        return switch (display) {
            case "summarized" -> false;
            case "omitted" -> true;
            default ->
                throw thinking.wrong(
                        "display",
                        "'%s' must be 'summarized' or 'omitted', but is '%s'"
                                .formatted(thinking.path("display"), ApiException.shown(display)));
        };
    }
}
