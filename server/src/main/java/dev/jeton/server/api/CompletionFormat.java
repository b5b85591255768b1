package dev.jeton.server.api;

import dev.jeton.models.Tokenizer;
import dev.jeton.server.json.JsonWriter;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;

/** {@code /v1/completions}. */
final class CompletionFormat implements AnswerFormat {

    private final Tokenizer tokenizer;
    private final boolean scored;
    private final Envelope envelope;
    private final byte[] text = ascii(",\"text\":\"");
    private final byte[] scores = ascii("\",\"logprobs\":");
    private final byte[] goesOn = ascii(",\"finish_reason\":null}]");
    private final byte[] ends = ascii(",\"finish_reason\":");

    /** @param scored whether log-probabilities are written */
    CompletionFormat(Call call, ServedModel model, GenerationOptions options, boolean scored) {
        this.tokenizer = model.tokenizer();
        this.scored = scored;
        this.envelope = new Envelope("cmpl-" + call.id(), "text_completion", "text_completion", model.name(), options);
    }

    private static byte[] ascii(String part) {
        return part.getBytes(StandardCharsets.US_ASCII);
    }

    @Override
    public void chunk(JsonWriter out, Choice choice, Supplier<Usage> soFar) {
        envelope.beginChunk(out, choice.index());
        out.raw(text).escaped(choice.text()).raw(scores);
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
            out.name("text").value(choice.text());
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
        out.beginObject().name("tokens").beginArray();
        choice.scores().forEach(score -> out.value(textOf(score.token())));
        out.endArray().name("token_logprobs").beginArray();
        choice.scores().forEach(score -> writeLogProbability(out, score.logProbability()));
        out.endArray().name("top_logprobs").beginArray();
        choice.scores().forEach(score -> writeTop(out, score));
        out.endArray().name("text_offset").beginArray();
        choice.scores().forEach(score -> out.value(score.offset()));
        out.endArray().endObject();
    }

    private void writeTop(JsonWriter out, TokenScore score) {
        if (Float.isNaN(score.logProbability())) {
            out.nullValue();
            return;
        }
        // Different tokens can have one text; the likeliest of them has the field then.
        Map<String, Float> byText = new LinkedHashMap<>();
        for (int i = 0; i < score.topTokens().length; i++) {
            byText.putIfAbsent(textOf(score.topTokens()[i]), Envelope.finite(score.topLogProbabilities()[i]));
        }
        byText.putIfAbsent(textOf(score.token()), Envelope.finite(score.logProbability()));
        out.tree(byText);
    }

    private static void writeLogProbability(JsonWriter out, float logProbability) {
        if (Float.isNaN(logProbability)) {
            out.nullValue();
        } else {
            out.value(Envelope.finite(logProbability));
        }
    }

    private String textOf(int token) {
        return TokenText.of(tokenizer, token).text();
    }
}
