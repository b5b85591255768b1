package dev.jeton.server.api;

import dev.jeton.server.json.JsonWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Writes a message's stream: typed events, a block after the other. What is the same in all of a block's deltas is
 * encoded once, so that a token costs the escaping of its text. Not thread-safe.
 */
final class MessageEvents implements OutputEvents {

    private static final byte[] END = "}\n\n".getBytes(StandardCharsets.US_ASCII);

    private static final String DELTA = "content_block_delta";

    private final JsonWriter out;
    private byte[] delta = {};

    /** @param out the call's writer */
    MessageEvents(JsonWriter out) {
        this.out = out;
    }

    /** Opens an event, up to its further fields. */
    void begin(String type) {
        begin(out, type);
    }

    private static void begin(JsonWriter out, String type) {
        out.raw("event: ").raw(type).raw("\ndata: ").restart().beginObject();
        out.name("type").value(type);
    }

    /** Closes it. */
    void end() {
        out.raw(END);
    }

    @Override
    public void added(OutputItem item) {
        begin("content_block_start");
        out.name("index").value(item.index());
        MessageBlocks.begin(out.name("content_block"), item);
        end();
        delta = head(item);
    }

    private static byte[] head(OutputItem item) {
        JsonWriter head = new JsonWriter();
        begin(head, DELTA);
        head.name("index").value(item.index());
        head.name("delta").beginObject();
        switch (item) {
            case OutputItem.Message message ->
                head.name("type").value("text_delta").name("text");
            case OutputItem.Reasoning reasoning ->
                head.name("type").value("thinking_delta").name("thinking");
            case OutputItem.Call call ->
                head.name("type").value("input_json_delta").name("partial_json");
        }
        return head.raw("\"").toBytes();
    }

    @Override
    public void grown(OutputItem item, CharSequence more, List<TokenScore> scores) {
        out.raw(delta).escaped(more).raw("\"}").raw(END);
    }

    @Override
    public void done(OutputItem item, OutputItem.Status status) {
        if (item instanceof OutputItem.Reasoning) {
            // clients take a block's signature from an event of its own
            begin(DELTA);
            out.name("index").value(item.index());
            out.name("delta").beginObject().name("type").value("signature_delta");
            out.name("signature").value("").endObject();
            end();
        }
        begin("content_block_stop");
        out.name("index").value(item.index());
        end();
    }
}
