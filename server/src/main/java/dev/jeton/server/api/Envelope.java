package dev.jeton.server.api;

import dev.jeton.server.json.JsonWriter;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Optional;

/** What both APIs put around their choices: id, object, time, model, usage; for events encoded once per call. */
final class Envelope {

    /** What ends a stream. */
    private static final byte[] DONE = "data: [DONE]\n\n".getBytes(StandardCharsets.US_ASCII);

    /** JSON has no infinities; OpenAI shows a probability of nothing as this. */
    private static final float LEAST_LOG_PROBABILITY = -9999;

    private final String id;
    private final String object;
    private final String chunkObject;
    private final String model;
    private final Optional<ServiceTier> tier;
    private final long created = Instant.now().getEpochSecond();
    private final byte[] chunkHead;
    private final byte[] chunkTail;
    private final boolean endsWithUsage;

    /**
     * @param object name of the whole answer
     * @param chunkObject name of a streamed part
     * @param options what was asked for: where the stream ends with the usage, parts before it say null
     */
    Envelope(String id, String object, String chunkObject, String model, GenerationOptions options) {
        tier = options.tier();
        endsWithUsage = options.includeUsage();
        this.id = id;
        this.object = object;
        this.chunkObject = chunkObject;
        this.model = model;
        JsonWriter head = new JsonWriter();
        head.raw("data: ");
        head(head, chunkObject);
        head.name("choices").raw("[{\"index\":");
        chunkHead = head.toBytes();
        chunkTail = (options.includeUsage() ? ",\"usage\":null}\n\n" : "}\n\n").getBytes(StandardCharsets.US_ASCII);
    }

    /** A log-probability that JSON can hold. */
    static float finite(float logProbability) {
        return Math.max(LEAST_LOG_PROBABILITY, logProbability);
    }

    void beginChunk(JsonWriter out, int index) {
        out.raw(chunkHead).digits(index);
    }

    /** Says in a choice's last event why it ended early, and the use until then: not everybody asks for the usage. */
    static void detail(JsonWriter out, FinishDetail detail, Usage usage) {
        out.raw(",\"jeton\":").restart().beginObject();
        detail.fields(out);
        usage.write(out.name("usage"));
        out.endObject();
    }

    void endChunk(JsonWriter out) {
        out.raw(chunkTail);
    }

    /** What ends a stream: the usage, where it was asked for, and the mark. */
    void endStream(JsonWriter out, Usage usage) {
        if (endsWithUsage) {
            out.restart().raw("data: ");
            head(out, chunkObject);
            out.name("choices").beginArray().endArray();
            usage.write(out.name("usage"));
            out.endObject().raw("\n\n");
        }
        out.raw(DONE);
    }

    /** Opens the whole answer up to its list of choices. */
    void begin(JsonWriter out) {
        head(out, object);
        out.name("choices").beginArray();
    }

    /** Closes it. */
    void end(JsonWriter out, Usage usage) {
        out.endArray();
        usage.write(out.name("usage"));
        usage.detail().ifPresent(detail -> {
            detail.fields(out.name("jeton").beginObject());
            out.endObject();
        });
        out.endObject();
    }

    private void head(JsonWriter out, String kind) {
        out.beginObject();
        out.name("id").value(id);
        out.name("object").value(kind);
        out.name("created").value(created);
        out.name("model").value(model);
        tier.ifPresent(served -> out.name("service_tier").value(served.text()));
    }
}
