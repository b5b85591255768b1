package dev.jeton.server.api;

import dev.jeton.server.json.JsonObject;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/**
 * What a chat says of its model's thinking: OpenAI's {@code reasoning_effort}, vLLM's {@code include_reasoning} and
 * {@code thinking_token_budget}, SGLang's {@code separate_reasoning} and {@code stream_reasoning}.
 *
 * @param shown where thinking goes
 * @param streamed whether it is streamed as it comes, rather than in one piece once it has ended
 * @param budget tokens of it after which the model must answer; empty for no bound of its own
 */
record ReasoningOptions(Shown shown, boolean streamed, OptionalInt budget) {

    /** The parameter with the bound. */
    static final String BUDGET = "thinking_token_budget";

    /** What templates call it. */
    static final String EFFORT = "reasoning_effort";

    /** The least that there is where thinking cannot be turned off. */
    static final String LEAST = "low";

    private static final List<String> EFFORTS = List.of("none", "minimal", "low", "medium", "high", "xhigh", "max");

    /**
     * The names by which templates ask whether their model is to think: Qwen3's and others', DeepSeek's and Granite's.
     */
    static final List<String> SWITCHES = List.of("enable_thinking", "thinking");

    /** Where thinking goes. */
    enum Shown {
        /** Beside the content. */
        APART,
        /** Nowhere. */
        NOT,
        /** In the content, as the model wrote it. */
        IN_CONTENT
    }

    /** Reads and checks them. */
    static ReasoningOptions read(JsonObject body, ServedModel model) {
        boolean included = body.flag("include_reasoning", true);
        boolean separate = body.flag("separate_reasoning", true);
        boolean streamed = body.flag("stream_reasoning", true);
        if (!included && !separate) {
            throw ApiException.invalid(
                    "separate_reasoning",
                    "'include_reasoning' and 'separate_reasoning' exclude one another: thinking that is left in the"
                            + " content is not left out");
        }
        OptionalInt budget = body.optionalWhole(BUDGET, 0, Integer.MAX_VALUE).stream()
                .mapToInt(Math::toIntExact)
                .findFirst();
        if (budget.isPresent() && model.reasoning().isEmpty()) {
            throw ApiException.unsupported(
                    BUDGET,
                    "how '%s' marks its thinking is not known (engine.reasoning-parser), so that it cannot be bounded"
                            .formatted(model.name()));
        }
        return new ReasoningOptions(
                !included ? Shown.NOT : separate ? Shown.APART : Shown.IN_CONTENT, streamed, budget);
    }

    /** The same, where thinking is left in the content. */
    ReasoningOptions inContent() {
        return new ReasoningOptions(shown == Shown.NOT ? shown : Shown.IN_CONTENT, streamed, budget);
    }

    /**
     * Of a completion, in which it is not known what is thinking.
     *
     * @throws ApiException 400 if it is to be bounded
     */
    static void refuse(JsonObject body) {
        if (body.has(BUDGET)) {
            throw ApiException.unsupported(BUDGET, "'%s' is for chats only".formatted(BUDGET));
        }
    }

    /** How much a model is to think, checked; empty where a request does not say. */
    static Optional<String> effort(JsonObject object, String field) {
        Optional<String> effort = object.optionalText(field);
        if (effort.isPresent() && !EFFORTS.contains(effort.get())) {
            throw object.wrong(
                    field,
                    "'%s' must be one of %s, but is '%s'"
                            .formatted(
                                    object.path(field), String.join(", ", EFFORTS), ApiException.shown(effort.get())));
        }
        return effort;
    }

    /**
     * An effort as the model's template knows it: where thinking is a channel, there are three, and no turning it off.
     */
    static String known(String effort, ServedModel model) {
        if (model.reasoning().filter(dialect -> dialect.format().channels()).isEmpty()) {
            return effort;
        }
        return switch (effort) {
            case "none", "minimal" -> LEAST;
            case "xhigh", "max" -> "high";
            default -> effort;
        };
    }

    /**
     * The names that a template sees: those given, and what the effort says where they say nothing of it.
     *
     * @param given {@code chat_template_kwargs}
     */
    static Map<String, @Nullable Object> variables(Optional<String> effort, Map<String, @Nullable Object> given) {
        if (effort.isEmpty()) {
            return given;
        }
        Map<String, @Nullable Object> all = new HashMap<>();
        all.put(EFFORT, effort.get());
        SWITCHES.forEach(name -> all.put(name, !effort.get().equals("none")));
        all.putAll(given);
        return all;
    }
}
