package dev.jeton.server.api;

/** {@code GET /v1/batches/ID}: how far a batch is. */
final class BatchEndpoint implements Endpoint {

    private final BatchDesk desk;

    BatchEndpoint(BatchDesk desk) {
        this.desk = desk;
    }

    @Override
    public String name() {
        return "batch";
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
        String id = BatchDesk.id(call, BatchDesk.BATCHES, "");
        call.answer(BatchJson.write(call.writer(), desk.batches().find(BatchDesk.owner(call), id)));
    }
}
