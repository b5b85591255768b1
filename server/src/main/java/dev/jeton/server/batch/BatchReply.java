package dev.jeton.server.batch;

import dev.jeton.server.json.Json;
import dev.jeton.server.json.JsonException;
import java.net.http.HttpHeaders;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Optional;

/**
 * What a server said to a request.
 *
 * @param status of HTTP
 * @param requestId the server's name for it; empty where it gives none
 * @param again how long to wait before it is asked again; empty where that is of no use
 * @param cost the list price, as {@code x-jeton-cost} has it; empty where it is not said
 * @param body as it came
 */
record BatchReply(int status, String requestId, Optional<Duration> again, String cost, byte[] body) {

    private static final int MOST_SECONDS = 300;

    static BatchReply of(HttpResponse<byte[]> response) {
        HttpHeaders headers = response.headers();
        return new BatchReply(
                response.statusCode(),
                headers.firstValue("x-request-id").orElse(""),
                again(response.statusCode(), headers),
                headers.firstValue("x-jeton-cost").orElse(""),
                response.body());
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
    private static Optional<Duration> again(int status, HttpHeaders headers) {
        String said = headers.firstValue("x-should-retry").orElse("");
        boolean usual = status == 408 || status == 409 || status == 429 || status >= 500 && status != 501;
        boolean wanted = said.isEmpty() ? usual : said.equals("true");
        return wanted
                ? Optional.of(headers.firstValue("retry-after")
                        .filter(text -> text.matches("[0-9]{1,6}"))
                        .map(text -> Duration.ofSeconds(Math.min(MOST_SECONDS, Integer.parseInt(text))))
                        .orElse(Duration.ZERO))
                : Optional.empty();
    }
}
