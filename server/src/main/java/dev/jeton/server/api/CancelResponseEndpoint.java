package dev.jeton.server.api;

/**
 * {@code POST /v1/responses/ID/cancel}: only responses that are made in the background can be cancelled, and none is. A
 * client that hangs up cancels its own.
 */
final class CancelResponseEndpoint implements Endpoint {

    /** What follows the id. */
    static final String END = "/cancel";

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
    public void handle(Call call) {
        desk.find(call, END);
        throw ApiException.invalid(
                "response_id",
                "This response has ended, and was not made in the background: close the connection to cancel one");
    }
}
