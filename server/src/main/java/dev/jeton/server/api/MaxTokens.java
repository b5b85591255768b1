package dev.jeton.server.api;

import dev.jeton.server.json.JsonObject;
import java.util.OptionalLong;

/** The most tokens to generate, as a request says it. */
final class MaxTokens {

    /** Of both APIs. */
    static final String FIELD = "max_tokens";

    /** Of chats: the newer name, which wins where both are given. */
    static final String NEW_FIELD = "max_completion_tokens";

    private MaxTokens() {}

    /**
     * Reads it; more than the model's context is an error here, more than the rest of it once the prompt is known.
     *
     * @param field the parameter's name
     * @param least the least that is accepted
     */
    static OptionalLong read(JsonObject body, String field, int least, ServedModel model) {
        return body.optionalWhole(field, least, model.contextLength());
    }
}
