package dev.jeton.server.api;

/** {@code POST /v1/batches/ID/cancel}: nothing more of a batch is answered than what is being answered. */
final class CancelBatchEndpoint implements Endpoint {

    /** What follows the id. */
    static final String END = "/cancel";

    private final BatchDesk desk;

    CancelBatchEndpoint(BatchDesk desk) {
        this.desk = desk;
    }

    @Override
    public String name() {
        return "batch_cancel";
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
        String id = BatchDesk.id(call, BatchDesk.BATCHES, END);
        call.answer(BatchJson.write(call.writer(), desk.batches().cancel(BatchDesk.owner(call), id)));
    }
}
