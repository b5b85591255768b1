package dev.jeton.server.api;

import dev.jeton.server.json.JsonWriter;

/** {@code DELETE /v1/files/ID}: a file is removed, unless a batch reads it. */
final class DeleteFileEndpoint implements Endpoint {

    private final BatchDesk desk;

    DeleteFileEndpoint(BatchDesk desk) {
        this.desk = desk;
    }

    @Override
    public String name() {
        return "file_delete";
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
        String id = BatchDesk.id(call, BatchDesk.FILES, "");
        desk.files().remove(BatchDesk.owner(call), id);
        JsonWriter out = call.writer().beginObject();
        out.name("id").value(id);
        out.name("object").value("file");
        out.name("deleted").value(true).endObject();
        call.answer(out);
    }
}
