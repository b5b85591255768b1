package dev.jeton.server.api;

import java.util.Map;
import java.util.Set;

/** {@code GET /v1/responses/ID}: a stored response, as it was answered. */
final class ResponseEndpoint implements Endpoint {

    private final ResponseDesk desk;

    ResponseEndpoint(ResponseDesk desk) {
        this.desk = desk;
    }

    @Override
    public String name() {
        return "responses_response";
    }

    @Override
    public String method() {
        return "GET";
    }

    /** It was paid for, and costs nothing. */
    @Override
    public Guard guard() {
        return Guard.TASKS;
    }

    @Override
    public void handle(Call call) {
        BooksQuery query = new BooksQuery(call, 0, Set.of("include", "include[]", "stream", "include_obfuscation"));
        if (query.text("stream").filter("true"::equals).isPresent()) {
            throw ApiException.unsupported(
                    "stream",
                    "A response is streamed to who asked for it, and is given again whole; leave 'stream' out");
        }
        call.answer(
                200,
                Map.of("content-type", "application/json"),
                desk.find(call, "").body());
    }
}
