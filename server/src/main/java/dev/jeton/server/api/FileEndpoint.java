package dev.jeton.server.api;

/** {@code GET /v1/files/ID}: what is known of a file. */
final class FileEndpoint implements Endpoint {

    private final BatchDesk desk;

    FileEndpoint(BatchDesk desk) {
        this.desk = desk;
    }

    @Override
    public String name() {
        return "file";
    }

    @Override
    public String method() {
        return "GET";
    }

    @Override
    public Guard guard() {
        return Guard.TASKS;
    }

    @Override
    public void handle(Call call) {
        String id = BatchDesk.id(call, BatchDesk.FILES, "");
        call.answer(FileJson.write(call.writer(), desk.files().find(BatchDesk.owner(call), id)));
    }
}
