package dev.jeton.server.api;

import dev.jeton.server.batch.Batch;
import dev.jeton.server.json.JsonWriter;

/** {@code GET /v1/batches}: the batches of a project, a part at a time. */
final class BatchesEndpoint implements Endpoint {

    private static final int USUAL = 20;
    private static final int MOST = 100;

    private final BatchDesk desk;

    BatchesEndpoint(BatchDesk desk) {
        this.desk = desk;
    }

    @Override
    public String name() {
        return "batches";
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
        JsonWriter out = call.writer();
        BatchDesk.answer(
                call,
                desk.batches().list(BatchDesk.KIND, BatchDesk.owner(call)),
                Batch::id,
                USUAL,
                MOST,
                batch -> BatchJson.write(out, batch),
                out);
    }
}
