package dev.jeton.server.api;

import dev.jeton.models.Tokenizer;
import dev.jeton.server.json.JsonWriter;
import java.util.List;

/** Log-probabilities of tokens as chats and responses show them. */
final class LogProbabilities {

    private LogProbabilities() {}

    /** Writes the list of them. */
    static void write(JsonWriter out, Tokenizer tokenizer, List<TokenScore> scores) {
        out.beginArray();
        for (TokenScore score : scores) {
            out.beginObject();
            write(out, tokenizer, score.token(), score.logProbability());
            out.name("top_logprobs").beginArray();
            for (int i = 0; i < score.topTokens().length; i++) {
                out.beginObject();
                write(out, tokenizer, score.topTokens()[i], score.topLogProbabilities()[i]);
                out.endObject();
            }
            out.endArray().endObject();
        }
        out.endArray();
    }

    private static void write(JsonWriter out, Tokenizer tokenizer, int token, float logProbability) {
        TokenText text = TokenText.of(tokenizer, token);
        out.name("token").value(text.text());
        out.name("logprob").value(Envelope.finite(logProbability));
        out.name("bytes").beginArray();
        for (byte value : text.bytes()) {
            out.value(Byte.toUnsignedInt(value));
        }
        out.endArray();
    }
}
