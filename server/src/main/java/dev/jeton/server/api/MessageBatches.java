package dev.jeton.server.api;

import dev.jeton.server.batch.Batch;
import dev.jeton.server.batch.BatchStatus;
import dev.jeton.server.json.JsonWriter;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/** Batches of messages, in Anthropic's shape. */
final class MessageBatches {

    /** Where they are. */
    static final String PATH = MessagesEndpoint.PATH + "/batches";
    /** What their names begin with. */
    static final String KIND = "msgbatch";
    /** What follows the name of one whose results are asked for. */
    static final String RESULTS = "/results";
    /** What follows the name of one that is to be cancelled. */
    static final String CANCEL = "/cancel";

    private MessageBatches() {}

    static JsonWriter write(JsonWriter out, Batch batch) {
        boolean ended = batch.status().ended();
        Batch.Counts counts = batch.counts();
        boolean cancelled = batch.status() == BatchStatus.CANCELLED;
        boolean expired = batch.status() == BatchStatus.EXPIRED;
        int errored = counts.failed() - (cancelled || expired ? counts.unsent() : 0);
        out.beginObject();
        out.name("id").value(batch.id());
        out.name("type").value("message_batch");
        out.name("processing_status").value(status(batch));
        out.name("request_counts").beginObject();
        out.name("processing").value(ended ? 0 : counts.total());
        out.name("succeeded").value(ended ? counts.completed() : 0);
        out.name("errored").value(ended ? errored : 0);
        out.name("canceled").value(cancelled ? counts.unsent() : 0);
        out.name("expired").value(expired ? counts.unsent() : 0);
        out.endObject();
        out.name("created_at").value(time(batch.created()));
        out.name("expires_at").value(time(batch.expires()));
        time(out.name("cancel_initiated_at"), batch.since().get(BatchStatus.CANCELLING));
        time(out.name("ended_at"), ended ? batch.since().get(batch.status()) : null);
        out.name("archived_at").nullValue();
        out.name("results_url").tree(ended ? PATH + "/" + batch.id() + RESULTS : null);
        return out.endObject();
    }

    private static String status(Batch batch) {
        return batch.status().ended() ? "ended" : batch.shown() == BatchStatus.CANCELLING ? "canceling" : "in_progress";
    }

    private static void time(JsonWriter out, @Nullable Long seconds) {
        if (seconds == null) {
            out.nullValue();
        } else {
            out.value(time(seconds.longValue()));
        }
    }

    private static String time(long seconds) {
        return Instant.ofEpochSecond(seconds).toString();
    }
}
