package dev.jeton.server.batch;

import dev.jeton.server.json.Json;
import dev.jeton.server.json.JsonException;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;
import java.util.function.Function;

/**
 * What a server said to a request.
 *
 * @param status of HTTP
 * @param requestId the server's name for it; empty where it gives none
 * @param again how long to wait before it is asked again; empty where that is of no use
 * @param cost the list price, as {@code x-jeton-cost} has it; empty where it is not said
 * @param body as it came
 */
public record BatchReply(int status, String requestId, Optional<Duration> again, String cost, byte[] body) {

    private static final int MOST_SECONDS = 300;

    static BatchReply of(HttpResponse<byte[]> response) {
        return of(response.statusCode(), response.headers()::firstValue, response.body());
    }

    /**
     * Of an answer.
     *
     * @param headers fields by their names in small letters
     */
    public static BatchReply of(int status, Function<String, Optional<String>> headers, byte[] body) {
        return new BatchReply(
                status,
                headers.apply("x-request-id").orElse(""),
                again(status, headers),
                headers.apply("x-jeton-cost").orElse(""),
                body);
    }

    /** What the body says; empty where it is no JSON. */
    Optional<Object> json() {
        try {
            return Optional.ofNullable(Json.parse(new String(body, StandardCharsets.UTF_8)));
        } catch (JsonException e) {
            return Optional.empty();
        }
    }

    /** Whether it is an answer. */
    boolean ok() {
        return status >= 200 && status < 300;
    }

    /** Whether any request would be refused so: there is no such key. */
    boolean refusesAll() {
        return status == 401;
    }

    /** As OpenAI's client libraries have it: the server's word first, and then the status. */
    private static Optional<Duration> again(int status, Function<String, Optional<String>> headers) {
        String said = headers.apply("x-should-retry").orElse("");
        boolean usual = status == 408 || status == 409 || status == 429 || status >= 500 && status != 501;
        boolean wanted = said.isEmpty() ? usual : said.equals("true");
        return wanted
                ? Optional.of(headers.apply("retry-after")
                        .filter(text -> text.matches("[0-9]{1,6}"))
                        .map(text -> Duration.ofSeconds(Math.min(MOST_SECONDS, Integer.parseInt(text))))
                        .orElse(Duration.ZERO))
                : Optional.empty();
    }
}
