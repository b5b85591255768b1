package dev.jeton.server.api;

import dev.jeton.server.config.Configuration.LimitSettings;
import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;

/** {@code POST /tokenize}: of a prompt, or of a conversation under the model's template. In vLLM's shape. */
final class TokenizeEndpoint implements Endpoint {

    private final ServedModels models;
    private final PromptTokens promptTokens;
    private final LimitSettings limits;

    TokenizeEndpoint(ServedModels models, PromptTokens promptTokens, LimitSettings limits) {
        this.models = models;
        this.promptTokens = promptTokens;
        this.limits = limits;
    }

    @Override
    public String name() {
        return "tokenize";
    }

    @Override
    public String method() {
        return "POST";
    }

    @Override
    public Guard guard() {
        return Guard.WORK;
    }

    @Override
    public void handle(Call call) throws InterruptedException {
        JsonObject body = call.json();
        ServedModel model = models.namedOrFirst(call, body);
        int[] tokens = body.has("messages")
                ? promptTokens.of(
                        "messages",
                        Conversation.read(body, model, limits),
                        model,
                        body.flag("add_special_tokens", false))
                : promptTokens.of("prompt", body.text("prompt"), model, body.flag("add_special_tokens", true));
        JsonWriter out = call.writer().beginObject();
        out.name("count").value(tokens.length);
        out.name("max_model_len").value(model.contextLength());
        out.name("tokens").beginArray();
        for (int token : tokens) {
            out.value(token);
        }
        out.endArray().name("token_strs");
        if (body.flag("return_token_strs", false)) {
            out.beginArray();
            for (int token : tokens) {
                out.value(model.tokenizer().token(token));
            }
            out.endArray();
        } else {
            out.nullValue();
        }
        call.answer(out.endObject());
    }
}
