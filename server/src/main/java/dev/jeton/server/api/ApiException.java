package dev.jeton.server.api;

import dev.jeton.accounting.TaskException;
import dev.jeton.scheduler.RejectedException;
import dev.jeton.server.json.JsonException;
import dev.jeton.server.json.JsonWriter;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** An error answer in OpenAI's shape. */
public final class ApiException extends RuntimeException {

    /** OpenAI's type of errors that are the client's. */
    public static final String INVALID_REQUEST = "invalid_request_error";

    private static final int MAX_SHOWN = 200;
    private static final String UNSUPPORTED = "unsupported_parameter";
    private static final String CONTEXT_EXCEEDED = "context_length_exceeded";
    static final String SERVER_ERROR = "server_error";

    private final int status;
    private final String type;
    private final String param;
    private final String code;
    private final Map<String, String> headers;

    /**
     * @param status HTTP status
     * @param type OpenAI's error type
     * @param param the parameter at fault with its path, or empty
     * @param code a word for programs, or empty
     * @param message what is wrong and what to do
     */
    public ApiException(int status, String type, String param, String code, String message) {
        this(status, type, param, code, message, Map.of());
    }

    /** The same with headers of the answer. */
    ApiException(int status, String type, String param, String code, String message, Map<String, String> headers) {
        super(message);
        this.headers = Map.copyOf(headers);
        this.status = status;
        this.type = type;
        this.param = param;
        this.code = code;
    }

    /** A parameter that is wrong. */
    public static ApiException invalid(String param, String message) {
        return new ApiException(400, INVALID_REQUEST, param, "", message);
    }

    /** A parameter that is right but not supported. */
    static ApiException unsupported(String param, String message) {
        return new ApiException(400, INVALID_REQUEST, param, UNSUPPORTED, message);
    }

    /** A prompt, or a prompt and its answer, longer than the context. */
    static ApiException contextExceeded(String param, String message) {
        return new ApiException(400, INVALID_REQUEST, param, CONTEXT_EXCEEDED, message);
    }

    /** A body that is compressed: nothing here unpacks, so that a body is never larger than what was sent. */
    static ApiException compressed(String encoding) {
        return new ApiException(
                415,
                INVALID_REQUEST,
                "content-encoding",
                "unsupported_encoding",
                "The body is encoded as '%s'; send it as it is, without Content-Encoding".formatted(shown(encoding)),
                Map.of("accept-encoding", "identity"));
    }

    /** A method that a path does not have. */
    static ApiException wrongMethod(String path, String method, List<String> allowed) {
        return new ApiException(
                405,
                INVALID_REQUEST,
                "",
                "method_not_allowed",
                "%s answers %s only, not %s".formatted(shown(path), String.join(" and ", allowed), method),
                Map.of("allow", String.join(", ", allowed)));
    }

    /** A question about books where none are kept. */
    static ApiException withoutBooks() {
        return new ApiException(
                404,
                INVALID_REQUEST,
                "",
                "books_disabled",
                "This server keeps no books; set books.enabled to true, and books.folder to where they are to be kept");
    }

    /** A server that does not take requests now. */
    public static ApiException unavailable(String code, String message) {
        return new ApiException(503, SERVER_ERROR, "", code, message);
    }

    /** A server that has as many requests as it may. */
    static ApiException overloaded(String message) {
        return new ApiException(429, "rate_limit_error", "", "queue_full", message);
    }

    /** The server's own fault. */
    public static ApiException internal(String message) {
        return new ApiException(500, SERVER_ERROR, "", "internal_error", message);
    }

    /** A refusal made before there was a request, by status. */
    public static ApiException refusal(int status, String message) {
        String type = status >= 500 ? SERVER_ERROR : INVALID_REQUEST;
        return new ApiException(status, type, "", status == 413 ? "request_too_large" : "", message);
    }

    /** A body that cannot be read. */
    public static ApiException of(JsonException e) {
        return invalid(e.field(), words(e));
    }

    /** A request, or an adapter, that a dispatcher did not take. */
    public static ApiException of(RejectedException e) {
        return switch (e.reason()) {
            case QUEUE_FULL -> overloaded(words(e));
            case DRAINING -> unavailable("draining", words(e));
            case TOO_LARGE -> new ApiException(400, INVALID_REQUEST, "", "request_too_large", words(e));
            case UNSUPPORTED -> new ApiException(400, INVALID_REQUEST, "model", "unsupported_by_model", words(e));
            case ADAPTER_GONE -> new ApiException(404, INVALID_REQUEST, "model", "model_not_found", words(e));
            case ENGINE_DOWN -> unavailable("engine_down", words(e));
        };
    }

    /** A client's own words as an error repeats them: not without end. */
    public static String shown(String text) {
        return text.length() <= MAX_SHOWN ? text : text.substring(0, MAX_SHOWN) + "...";
    }

    private static String words(RuntimeException e) {
        return Objects.requireNonNullElse(e.getMessage(), "");
    }

    static ApiException of(TaskException e) {
        String words = words(e);
        return switch (e.reason()) {
            case NOT_FOUND -> new ApiException(404, INVALID_REQUEST, "task", "task_not_found", words);
            case ENDED -> new ApiException(409, INVALID_REQUEST, "task", "task_ended", words);
            case CONFLICT -> new ApiException(409, INVALID_REQUEST, "id", "task_conflict", words);
            case STEP_NOT_FOUND -> new ApiException(404, INVALID_REQUEST, "id", "step_not_found", words);
            case STEP_CONFLICT -> new ApiException(409, INVALID_REQUEST, "id", "step_conflict", words);
            case TOO_MANY_TASKS -> new ApiException(429, "rate_limit_error", "", "too_many_tasks", words);
            case TOO_MANY_STEPS -> new ApiException(429, "rate_limit_error", "", "too_many_steps", words);
        };
    }

    /** Whether what was asked for is right, but cannot be done. */
    boolean unsupported() {
        return code.equals(UNSUPPORTED);
    }

    /** Whether it says that the context has no room. */
    boolean exceedsContext() {
        return code.equals(CONTEXT_EXCEEDED);
    }

    /** Whether the same request may be answered otherwise soon. */
    boolean passing() {
        return code.equals(Repeats.IN_PROGRESS);
    }

    /** The parameter at fault with its path, or empty. */
    String param() {
        return param;
    }

    /** A word for programs, or empty. */
    String code() {
        return code;
    }

    /** HTTP status. */
    public int status() {
        return status;
    }

    /** Headers of the answer, beside the usual ones. */
    Map<String, String> headers() {
        return headers;
    }

    /** {@code {"error": {...}}} */
    public void write(JsonWriter out) {
        out.beginObject().name("error").beginObject();
        out.name("message").value(getMessage());
        out.name("type").value(type);
        valueOrNull(out.name("param"), param);
        valueOrNull(out.name("code"), code);
        out.endObject().endObject();
    }

    private static void valueOrNull(JsonWriter out, String text) {
        if (text.isEmpty()) {
            out.nullValue();
        } else {
            out.value(text);
        }
    }

    @Override
    public String getMessage() {
        String message = super.getMessage();
        return message == null ? "" : message;
    }

    @Override
    public synchronized Throwable fillInStackTrace() {
        // Thrown for clients' errors, as often as clients like; where it was thrown is of no use to anyone.
        return this;
    }
}
