package dev.jeton.server.api;

import dev.jeton.server.batch.Batch;
import dev.jeton.server.batch.BatchOwner;
import dev.jeton.server.json.JsonWriter;
import java.util.function.BiConsumer;

/** What is done with one batch of messages that is there, or with the list of them, and is no more than a few lines. */
record MessageBatchEndpoint(String name, String method, BiConsumer<Call, BatchDesk> answer, BatchDesk desk)
        implements Endpoint {

    /** {@code GET /v1/messages/batches}. */
    static Endpoint list(BatchDesk desk) {
        return new MessageBatchEndpoint("message_batches", "GET", MessageBatchEndpoint::list, desk);
    }

    /** {@code GET /v1/messages/batches/ID}. */
    static Endpoint look(BatchDesk desk) {
        return new MessageBatchEndpoint(
                "message_batch",
                "GET",
                (call, at) -> call.answer(MessageBatches.write(call.writer(), find(call, at, ""))),
                desk);
    }

    /** {@code POST /v1/messages/batches/ID/cancel}. */
    static Endpoint cancel(BatchDesk desk) {
        return new MessageBatchEndpoint("message_batch_cancel", "POST", MessageBatchEndpoint::cancel, desk);
    }

    /** {@code DELETE /v1/messages/batches/ID}. */
    static Endpoint delete(BatchDesk desk) {
        return new MessageBatchEndpoint("message_batch_delete", "DELETE", MessageBatchEndpoint::delete, desk);
    }

    @Override
    public Guard guard() {
        return Guard.TASKS;
    }

    @Override
    public void handle(Call call) {
        answer.accept(call, desk);
    }

    /** The batch that a path names. */
    static Batch find(Call call, BatchDesk desk, String end) {
        return desk.batches().find(BatchDesk.owner(call), BatchDesk.id(call, MessageBatches.PATH, end));
    }

    private static void list(Call call, BatchDesk desk) {
        JsonWriter out = call.writer();
        Page.of(desk.batches().list(MessageBatches.KIND, BatchDesk.owner(call)), Batch::id, call)
                .write(out, Batch::id, batch -> MessageBatches.write(out, batch));
        call.answer(out);
    }

    private static void cancel(Call call, BatchDesk desk) {
        BatchOwner owner = BatchDesk.owner(call);
        Batch batch = find(call, desk, MessageBatches.CANCEL);
        call.answer(MessageBatches.write(call.writer(), desk.batches().cancel(owner, batch.id())));
    }

    private static void delete(Call call, BatchDesk desk) {
        Batch batch = find(call, desk, "");
        BatchOwner owner = BatchDesk.owner(call);
        desk.batches().remove(owner, batch.id());
        // They came with the batch; where another reads them, too, they stay.
        desk.files().removeUnread(owner, batch.asked().inputFile());
        JsonWriter out = call.writer().beginObject();
        out.name("id").value(batch.id());
        out.name("type").value("message_batch_deleted").endObject();
        call.answer(out);
    }
}
