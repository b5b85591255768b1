package dev.jeton.server.api;

import dev.jeton.server.json.Json;
import java.util.Map;
import java.util.Optional;

/**
 * {@code POST /v1/responses/ID/cancel}: ends a response that is made in the background; one that has ended stays as it
 * is. A client that waits for its response cancels it by hanging up.
 */
final class CancelResponseEndpoint implements Endpoint {

    /** What follows the id. */
    static final String END = "/cancel";

    private static final long PATIENCE_NANOS = 10_000_000_000L;

    private final ResponseDesk desk;

    CancelResponseEndpoint(ResponseDesk desk) {
        this.desk = desk;
    }

    @Override
    public String name() {
        return "responses_cancel";
    }

    @Override
    public String method() {
        return "POST";
    }

    @Override
    public Guard guard() {
        return Guard.TASKS;
    }

    @Override
    public void handle(Call call) throws InterruptedException {
        Optional<Background> running = desk.running(call, END);
        if (running.isPresent()) {
            running.get().exchange().hangUp();
            running.get().exchange().awaitEnd(PATIENCE_NANOS);
        }
        byte[] response = desk.find(call, END).body();
        if (!Json.object(response).flag(ResponseFields.BACKGROUND, false)) {
            throw ApiException.invalid(
                    "response_id",
                    "This response was not made in the background: close the connection to cancel such a one");
        }
        call.answer(200, Map.of("content-type", "application/json"), response);
    }
}
