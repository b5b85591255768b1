package dev.jeton.server.api;

import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** {@code GET /v1/responses/ID}: a response that is stored, or made in the background, as far as it is. */
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
    public void handle(Call call) throws InterruptedException {
        BooksQuery query = new BooksQuery(
                call, 0, Set.of("include", "include[]", "stream", "include_obfuscation", "starting_after"));
        long after = query.text("starting_after").map(ResponseEndpoint::number).orElse(-1L);
        if (query.text("stream").filter("true"::equals).isPresent()) {
            Optional<Background> running = desk.running(call, "");
            if (running.isEmpty()) {
                desk.find(call, "");
                throw ApiException.unsupported(
                        "stream", "A response that has ended is given whole; leave 'stream' out");
            }
            desk.read(call, running.get(), after);
            return;
        }
        call.answer(
                200,
                Map.of("content-type", "application/json"),
                desk.find(call, "").body());
    }

    private static long number(String text) {
        if (!text.matches("[0-9]{1,9}")) {
            throw ApiException.invalid(
                    "starting_after",
                    "'starting_after' is the number of an event, not '%s'".formatted(ApiException.shown(text)));
        }
        return Long.parseLong(text);
    }
}
