package dev.jeton.server.api;

import dev.jeton.server.json.JsonException;
import dev.jeton.server.json.JsonObject;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The prompts of a request: a text, token ids, or a list of either. */
final class Prompts {

    /** A prompt before it is tokenized. */
    sealed interface Prompt {}

    /** A text. */
    record TextPrompt(String text) implements Prompt {}

    /** Token ids, checked. */
    record TokenPrompt(int[] tokens) implements Prompt {}

    private Prompts() {}

    /**
     * Reads them.
     *
     * @param name the parameter's
     * @param most of a list
     */
    static List<Prompt> read(JsonObject body, String name, ServedModel model, int most) {
        List<Prompt> prompts = switch (body.value(name).orElse("")) {
            case String text -> List.of(text(name, text));
            case List<?> list
            when !list.isEmpty() && list.getFirst() instanceof Number ->
                List.of(new TokenPrompt(TokenIds.read(name, list, model.vocabulary())));
            case List<?> list -> list(name, list, model, most);
            case Object other -> throw body.wrongType(name, "a string, an array of strings or token ids", other);
        };
        if (prompts.isEmpty()) {
            throw empty(name);
        }
        return prompts;
    }

    private static List<Prompt> list(String name, List<?> list, ServedModel model, int most) {
        if (list.size() > most) {
            throw ApiException.invalid(
                    name, "'%s' has %d entries, at most %d are accepted".formatted(name, list.size(), most));
        }
        List<Prompt> prompts = new ArrayList<>(list.size());
        for (int i = 0; i < list.size(); i++) {
            String field = name + "[" + i + "]";
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
