package dev.jeton.server.api;

import dev.jeton.server.json.JsonWriter;

/** {@code DELETE /v1/responses/ID}: a stored response is forgotten; those that go on from it stay as they are. */
final class DeleteResponseEndpoint implements Endpoint {

    private final ResponseDesk desk;

    DeleteResponseEndpoint(ResponseDesk desk) {
        this.desk = desk;
    }

    @Override
    public String name() {
        return "responses_delete";
    }

    @Override
    public String method() {
        return "DELETE";
    }

    @Override
    public Guard guard() {
        return Guard.TASKS;
    }

    @Override
    public void handle(Call call) {
        String id = desk.remove(call);
        JsonWriter out = call.writer().beginObject();
        out.name("id").value(id);
        out.name("object").value("response");
        out.name("deleted").value(true).endObject();
        call.answer(out);
    }
}
