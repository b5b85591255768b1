package dev.jeton.server.api;

import dev.jeton.server.config.Configuration.LimitSettings;
import dev.jeton.server.json.JsonException;
import dev.jeton.server.json.JsonObject;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The prompts of a completion request: a text, token ids, or a list of either. */
final class Prompts {

    /** A prompt before it is tokenized. */
    sealed interface Prompt {}

    /** A text. */
    record TextPrompt(String text) implements Prompt {}

    /** Token ids, checked. */
    record TokenPrompt(int[] tokens) implements Prompt {}

    private static final String FIELD = "prompt";

    private Prompts() {}

    static List<Prompt> read(JsonObject body, ServedModel model, LimitSettings limits) {
        List<Prompt> prompts = switch (body.value(FIELD).orElse("")) {
            case String text -> List.of(text(FIELD, text));
            case List<?> list
            when !list.isEmpty() && list.getFirst() instanceof Number ->
                List.of(new TokenPrompt(TokenIds.read(FIELD, list, model.vocabulary())));
            case List<?> list -> list(list, model, limits);
            case Object other -> throw body.wrongType(FIELD, "a string, an array of strings or token ids", other);
        };
        if (prompts.isEmpty()) {
            throw empty(FIELD);
        }
        return prompts;
    }

    private static List<Prompt> list(List<?> list, ServedModel model, LimitSettings limits) {
        if (list.size() > limits.maxPrompts()) {
            throw ApiException.invalid(
                    FIELD,
                    "'prompt' has %d prompts, at most %d are accepted".formatted(list.size(), limits.maxPrompts()));
        }
        List<Prompt> prompts = new ArrayList<>(list.size());
        for (int i = 0; i < list.size(); i++) {
            String field = FIELD + "[" + i + "]";
            prompts.add(one(field, list.get(i), model));
        }
        return prompts;
    }

    private static Prompt one(String field, @Nullable Object item, ServedModel model) {
        return switch (item) {
            case String text -> text(field, text);
            case List<?> ids when ids.isEmpty() -> throw empty(field);
            case List<?> ids -> new TokenPrompt(TokenIds.read(field, ids, model.vocabulary()));
            case null, default ->
                throw new JsonException(
                        field,
                        "'%s' must be a string or an array of token ids, but is %s"
                                .formatted(field, JsonObject.kind(item)));
        };
    }

    private static Prompt text(String field, String text) {
        if (text.isEmpty()) {
            throw empty(field);
        }
        return new TextPrompt(text);
    }

    static ApiException empty(String field) {
        return ApiException.invalid(field, "'%s' is empty or missing: at least one token is required".formatted(field));
    }
}
