package dev.jeton.server.api;

import dev.jeton.server.json.JsonWriter;
import java.util.function.BiConsumer;
import java.util.function.Supplier;

/**
 * What a choice that may call tools has to write, as events of a chat's stream: its text, then an event for each piece
 * of a call, then its end. Content is null, and no empty text, where there is none. One per choice and write.
 */
final class ToolCallEvents {

    private final Envelope envelope;
    private final JsonWriter out;
    private final Choice choice;
    private final BiConsumer<JsonWriter, Choice> scores;
    private boolean scoresWritten;

    /** @param scores writes the choice's log-probabilities, or null where none are wanted */
    ToolCallEvents(Envelope envelope, JsonWriter out, Choice choice, BiConsumer<JsonWriter, Choice> scores) {
        this.envelope = envelope;
        this.out = out;
        this.choice = choice;
        this.scores = scores;
    }

    /** Writes all of it. */
    void write(ToolCalls calls, Supplier<Usage> soFar) {
        boolean called = !calls.news().isEmpty();
        if (!choice.opened() || !choice.text().isEmpty() || !called) {
            begin();
            text();
            end(choice.ended() && !called, soFar);
        }
        for (ToolCalls.News news : calls.news()) {
            begin();
            out.name("tool_calls").beginArray();
            piece(news);
            out.endArray();
            end(false, soFar);
        }
        if (choice.ended() && called) {
            begin();
            end(true, soFar);
        }
    }

    private void begin() {
        envelope.beginChunk(out, choice.index());
        out.raw(",\"delta\":").restart().beginObject();
    }

    private void text() {
        if (!choice.opened()) {
            out.name("role").value("assistant");
        }
        if (!choice.text().isEmpty()) {
            out.name("content").value(choice.text());
        } else if (!choice.opened()) {
            out.name("content").nullValue();
        }
    }

    private void piece(ToolCalls.News news) {
        out.beginObject().name("index").value(news.index());
        if (news.first()) {
            out.name("id").value(news.id());
            out.name("type").value("function");
        }
        out.name("function").beginObject();
        if (news.first()) {
            out.name("name").value(news.name());
        }
        out.name("arguments").value(news.arguments()).endObject().endObject();
    }

    private void end(boolean last, Supplier<Usage> soFar) {
        out.endObject().name("logprobs");
        if (scoresWritten || choice.scores().isEmpty()) {
            out.nullValue();
        } else {
            scores.accept(out, choice);
            scoresWritten = true;
        }
        if (last) {
            out.name("finish_reason").value(choice.finishReason()).endObject().endArray();
            choice.detail().ifPresent(detail -> Envelope.detail(out, detail, soFar.get()));
        } else {
            out.name("finish_reason").nullValue().endObject().endArray();
        }
        envelope.endChunk(out);
    }

    /** Writes a call as a whole answer has it. */
    static void whole(JsonWriter out, ToolCalls.News call) {
        out.beginObject();
        out.name("id").value(call.id());
        out.name("type").value("function");
        out.name("function").beginObject();
        out.name("name").value(call.name());
        out.name("arguments").value(call.arguments()).endObject().endObject();
    }
}
