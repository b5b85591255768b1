package dev.jeton.server.api;

import dev.jeton.models.Tokenizer;
import dev.jeton.server.json.JsonWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.function.Supplier;

/**
 * {@code /v1/chat/completions}. A chunk's fixed parts are encoded once per call, so that a token costs the escaping of
 * its text.
 */
final class ChatFormat implements AnswerFormat {

    private final Tokenizer tokenizer;
    private final boolean scored;
    private final Envelope envelope;
    private final byte[] opening = ascii(",\"delta\":{\"role\":\"assistant\",\"content\":\"");
    private final byte[] middle = ascii(",\"delta\":{\"content\":\"");
    private final byte[] scores = ascii("\"},\"logprobs\":");
    private final byte[] goesOn = ascii(",\"finish_reason\":null}]");
    private final byte[] ends = ascii(",\"finish_reason\":");

    /** @param scored whether log-probabilities are written */
    ChatFormat(Call call, ServedModel model, GenerationOptions options, boolean scored) {
        this.tokenizer = model.tokenizer();
        this.scored = scored;
        this.envelope = new Envelope(
                "chatcmpl-" + call.id(), "chat.completion", "chat.completion.chunk", model.name(), options);
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }

    @Override
    public void chunk(JsonWriter out, Choice choice, Supplier<Usage> soFar) {
        if (!choice.reasoning().isEmpty()) {
            reasoning(out, choice);
            if (!choice.hasNews()) {
                return;
            }
        }
        if (choice.calls().isPresent()) {
            new ToolCallEvents(envelope, out, choice, scored ? this::writeScores : (to, of) -> to.nullValue())
                    .write(choice.calls().get(), soFar);
        } else {
            text(out, choice, soFar);
        }
    }

    /** A chunk of its own, before the content's: clients look for one of them in each. */
    private void reasoning(JsonWriter out, Choice choice) {
        envelope.beginChunk(out, choice.index());
        out.raw(",\"delta\":").restart().beginObject();
        if (!choice.opened()) {
            out.name("role").value("assistant");
            out.name("content").nullValue();
        }
        writeReasoning(out, choice);
        out.endObject().name("logprobs");
        if (scored && !choice.scores().isEmpty()) {
            writeScores(out, choice);
        } else {
            out.nullValue();
        }
        out.name("finish_reason").nullValue().endObject().endArray();
        envelope.endChunk(out);
        choice.markReasoningWritten();
    }

    /** Under DeepSeek's name, which most clients know, and under the one that vLLM has now. */
    private static void writeReasoning(JsonWriter out, Choice choice) {
        out.name("reasoning_content").value(choice.reasoning());
        out.name("reasoning").value(choice.reasoning());
    }

    private void text(JsonWriter out, Choice choice, Supplier<Usage> soFar) {
        envelope.beginChunk(out, choice.index());
        out.raw(choice.opened() ? middle : opening).escaped(choice.text()).raw(scores);
        if (scored && !choice.scores().isEmpty()) {
            writeScores(out.restart(), choice);
        } else {
            out.raw("null");
        }
        if (choice.ended()) {
            out.raw(ends).raw("\"").raw(choice.finishReason()).raw("\"}]");
            choice.detail().ifPresent(detail -> Envelope.detail(out, detail, soFar.get()));
        } else {
            out.raw(goesOn);
        }
        envelope.endChunk(out);
    }

    @Override
    public void end(JsonWriter out, Usage usage) {
        envelope.endStream(out, usage);
    }

    @Override
    public void whole(JsonWriter out, List<Choice> choices, Usage usage) {
        envelope.begin(out);
        for (Choice choice : choices) {
            out.beginObject().name("index").value(choice.index());
            out.name("message").beginObject();
            out.name("role").value("assistant");
            List<ToolCalls.News> calls = choice.calls().map(ToolCalls::news).orElse(List.of());
            boolean thought = choice.reasoningTokens().orElse(0) > 0;
            if (calls.isEmpty() && !thought || !choice.text().isEmpty()) {
                out.name("content").value(choice.text());
            } else {
                out.name("content").nullValue();
            }
            out.name("refusal").nullValue();
            if (!choice.reasoning().isEmpty()) {
                writeReasoning(out, choice);
            } else if (choice.mayReason()) {
                out.name("reasoning_content").nullValue();
                out.name("reasoning").nullValue();
            }
            if (!calls.isEmpty()) {
                out.name("tool_calls").beginArray();
                calls.forEach(call -> ToolCallEvents.whole(out, call));
                out.endArray();
            }
            out.endObject();
            out.name("logprobs");
            if (scored) {
                writeScores(out, choice);
            } else {
                out.nullValue();
            }
            out.name("finish_reason").value(choice.finishReason()).endObject();
        }
        envelope.end(out, usage);
    }

    private void writeScores(JsonWriter out, Choice choice) {
        LogProbabilities.write(out.beginObject().name("content"), tokenizer, choice.scores());
        out.name("refusal").nullValue().endObject();
    }
}
