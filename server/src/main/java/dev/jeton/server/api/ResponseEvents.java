package dev.jeton.server.api;

import dev.jeton.models.Tokenizer;
import dev.jeton.server.json.JsonWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;

/**
 * Writes a response's stream: typed events, numbered from 0. What is the same in all of an item's deltas is encoded
 * once, so that a token costs the escaping of its text. Not thread-safe.
 */
final class ResponseEvents implements OutputEvents {

    private static final byte[] END = "}\n\n".getBytes(StandardCharsets.US_ASCII);

    /** What stands around the number and the text of an item's deltas. */
    private record Delta(byte[] head, byte[] middle) {}

    private final JsonWriter out;
    private final Tokenizer tokenizer;
    private long number;
    private Optional<Delta> delta = Optional.empty();

    /** @param out the call's writer */
    ResponseEvents(JsonWriter out, Tokenizer tokenizer) {
        this.out = out;
        this.tokenizer = tokenizer;
    }

    /** An event about the whole response. */
    void response(String type, byte[] response) {
        begin(type);
        out.name("response").raw(response);
        end();
    }

    @Override
    public void added(OutputItem item) {
        begin("response.output_item.added");
        out.name("output_index").value(item.index());
        OutputItem.begin(out.name("item"), item);
        end();
        if (hasParts(item)) {
            part("response.content_part.added", item);
        }
        delta = Optional.of(delta(item));
    }

    private static boolean hasParts(OutputItem item) {
        return !(item instanceof OutputItem.Call);
    }

    private void part(String type, OutputItem item) {
        begin(type);
        place(out, item);
        OutputItem.part(out.name("part"), item, tokenizer);
        end();
    }

    private static Delta delta(OutputItem item) {
        String type = switch (item) {
            case OutputItem.Message message -> "response.output_text.delta";
            case OutputItem.Reasoning reasoning -> "response.reasoning_text.delta";
            case OutputItem.Call call -> "response.function_call_arguments.delta";
        };
        JsonWriter head = new JsonWriter();
        head(head, type);
        head.name("sequence_number");
        JsonWriter middle = new JsonWriter().raw(",");
        place(middle, item);
        middle.name("delta").raw("\"");
        return new Delta(head.toBytes(), middle.toBytes());
    }

    @Override
    public void grown(OutputItem item, CharSequence more, List<TokenScore> scores) {
        Delta parts = delta.orElseThrow();
        out.raw(parts.head()).digits(number++).raw(parts.middle()).escaped(more).raw("\"");
        if (item instanceof OutputItem.Message) {
            out.raw(",\"logprobs\":").restart();
            LogProbabilities.write(out, tokenizer, scores);
        }
        out.raw(END);
    }

    @Override
    public void done(OutputItem item, OutputItem.Status status) {
        switch (item) {
            case OutputItem.Message message -> {
                begin("response.output_text.done");
                place(out, message);
                out.name("text").value(message.text());
                LogProbabilities.write(out.name("logprobs"), tokenizer, message.scores());
                end();
                part("response.content_part.done", message);
            }
            case OutputItem.Reasoning reasoning -> {
                begin("response.reasoning_text.done");
                place(out, reasoning);
                out.name("text").value(reasoning.text());
                end();
                part("response.content_part.done", reasoning);
            }
            case OutputItem.Call call -> {
                begin("response.function_call_arguments.done");
                place(out, call);
                out.name("name").value(call.name());
                out.name("arguments").value(call.text());
                end();
            }
        }
        begin("response.output_item.done");
        out.name("output_index").value(item.index());
        OutputItem.write(out.name("item"), item, status, tokenizer);
        end();
    }

    private static void place(JsonWriter out, OutputItem item) {
        out.name("item_id").value(item.id());
        out.name("output_index").value(item.index());
        if (hasParts(item)) {
            out.name("content_index").value(0);
        }
    }

    private static void head(JsonWriter out, String type) {
        out.raw("event: ").raw(type).raw("\ndata: ").restart().beginObject();
        out.name("type").value(type);
    }

    private void begin(String type) {
        head(out, type);
        out.name("sequence_number").value(number++);
    }

    private void end() {
        out.raw(END);
    }
}
