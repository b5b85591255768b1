package dev.jeton.server.api;

import dev.jeton.models.Tokenizer;
import dev.jeton.server.json.JsonWriter;
import java.util.List;

/** A part of a response's output, while it grows and once it is done. */
sealed interface OutputItem {

    /** How far one is. */
    enum Status {
        IN_PROGRESS("in_progress"),
        COMPLETED("completed"),
        /** A limit cut it. */
        INCOMPLETE("incomplete");

        private final String text;

        Status(String text) {
            this.text = text;
        }

        /** As the API says it. */
        String text() {
            return text;
        }
    }

    String id();

    /** Its place in the output. */
    int index();

    /** What it consists of: text, or arguments. */
    StringBuilder text();

    /**
     * Text of the assistant.
     *
     * @param scores log-probabilities of its tokens, where they are wanted
     */
    record Message(String id, int index, StringBuilder text, List<TokenScore> scores) implements OutputItem {}

    /** A call of a function; its text is the arguments. */
    record Call(String id, int index, StringBuilder text, String callId, String name) implements OutputItem {}

    /** What the model thought before the rest. */
    record Reasoning(String id, int index, StringBuilder text) implements OutputItem {}

    /** Writes one that has just begun, which has nothing in it. */
    static void begin(JsonWriter out, OutputItem item) {
        head(out, item, Status.IN_PROGRESS);
        switch (item) {
            case Message message -> out.name("content").beginArray().endArray();
            case Reasoning reasoning -> out.name("content").beginArray().endArray();
            case Call call -> out.name("arguments").value("");
        }
        out.endObject();
    }

    /** Writes one that is done. */
    static void write(JsonWriter out, OutputItem item, Status status, Tokenizer tokenizer) {
        head(out, item, status);
        switch (item) {
            case Message message -> parts(out, message, tokenizer);
            case Reasoning reasoning -> parts(out, reasoning, tokenizer);
            case Call call -> out.name("arguments").value(call.text());
        }
        out.endObject();
    }

    private static void parts(JsonWriter out, OutputItem item, Tokenizer tokenizer) {
        part(out.name("content").beginArray(), item, tokenizer);
        out.endArray();
    }

    /** Writes the one part of what has parts. */
    static void part(JsonWriter out, OutputItem item, Tokenizer tokenizer) {
        out.beginObject();
        out.name("type").value(item instanceof Reasoning ? "reasoning_text" : "output_text");
        out.name("text").value(item.text());
        if (item instanceof Message message) {
            out.name("annotations").beginArray().endArray();
            LogProbabilities.write(out.name("logprobs"), tokenizer, message.scores());
        }
        out.endObject();
    }

    private static void head(JsonWriter out, OutputItem item, Status status) {
        out.beginObject();
        out.name("id").value(item.id());
        switch (item) {
            case Message message -> {
                out.name("type").value("message");
                out.name("role").value("assistant");
            }
            case Reasoning reasoning -> {
                out.name("type").value("reasoning");
                out.name("summary").beginArray().endArray();
            }
            case Call call -> {
                out.name("type").value("function_call");
                out.name("call_id").value(call.callId());
                out.name("name").value(call.name());
            }
        }
        out.name("status").value(status.text());
    }
}
