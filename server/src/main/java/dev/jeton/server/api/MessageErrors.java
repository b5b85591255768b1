package dev.jeton.server.api;

import dev.jeton.server.json.JsonWriter;

/**
 * Errors in Anthropic's shape, {@code {"type": "error", "error": {"type", "message"}, "request_id"}}. Parameter and
 * code, which that has no place for, are in an object {@code jeton}.
 */
final class MessageErrors {

    private MessageErrors() {}

    /**
     * Writes one.
     *
     * @param requestId the request's; empty where it never became one
     */
    static void write(JsonWriter out, ApiException error, String requestId) {
        out.beginObject().name("type").value("error");
        out.name("error").beginObject();
        out.name("type").value(type(error.status()));
        out.name("message").value(error.getMessage()).endObject();
        out.name("request_id").tree(requestId.isEmpty() ? null : requestId);
        if (!error.code().isEmpty() || !error.param().isEmpty()) {
            out.name("jeton").beginObject();
            if (!error.code().isEmpty()) {
                out.name("code").value(error.code());
            }
            if (!error.param().isEmpty()) {
                out.name("param").value(error.param());
            }
            out.endObject();
        }
        out.endObject();
    }

    /** Anthropic's type of an error, which goes with the status. */
    private static String type(int status) {
        return switch (status) {
            case 401 -> "authentication_error";
            case 403 -> "permission_error";
            case 404 -> "not_found_error";
            case 413 -> "request_too_large";
            case 429 -> "rate_limit_error";
            case 503 -> "overloaded_error";
            case 504 -> "timeout_error";
            default -> status < 500 ? ApiException.INVALID_REQUEST : "api_error";
        };
    }
}
