package dev.jeton.server.api;

import dev.jeton.server.http.Exchange;
import dev.jeton.server.json.JsonWriter;
import java.util.Optional;

/** Whose API a path belongs to: how its errors look, and where its clients put their keys. */
enum ApiStyle {
    OPENAI {
        @Override
        void write(JsonWriter out, ApiException error, String requestId) {
            error.write(out);
        }

        @Override
        Caller caller(ApiKeys keys, Exchange exchange) {
            return keys.caller(exchange.header(AUTHORIZATION));
        }
    },
    ANTHROPIC {
        @Override
        void write(JsonWriter out, ApiException error, String requestId) {
            MessageErrors.write(out, error, requestId);
        }

        @Override
        Caller caller(ApiKeys keys, Exchange exchange) {
            Optional<String> key = exchange.header("x-api-key").filter(text -> !text.isBlank());
            return keys.caller(exchange.header(AUTHORIZATION), key);
        }
    };

    private static final String AUTHORIZATION = "authorization";

    /** The style of a request: its path's, but models are told in both, in Anthropic's to who names a version of it. */
    static ApiStyle of(Exchange exchange) {
        String path = exchange.path();
        boolean models = path.equals(ModelsEndpoint.PATH) || path.startsWith(ModelsEndpoint.PATH + "/");
        return models && exchange.header("anthropic-version").isPresent() ? ANTHROPIC : of(path);
    }

    /** The style of what is asked for at a path, be there an endpoint or not. */
    static ApiStyle of(String path) {
        return path.equals(MessagesEndpoint.PATH) || path.startsWith(MessagesEndpoint.PATH + "/") ? ANTHROPIC : OPENAI;
    }

    /**
     * Writes an error as the body of an answer.
     *
     * @param requestId the request's; empty where it never became one
     */
    abstract void write(JsonWriter out, ApiException error, String requestId);

    /**
     * Who sends a request.
     *
     * @throws ApiException 401 or 403, as {@link ApiKeys} says
     */
    abstract Caller caller(ApiKeys keys, Exchange exchange);
}
