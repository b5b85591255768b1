package dev.jeton.server.api;

import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;

/** {@code POST /v1/messages/count_tokens}: how many tokens a request for a message would have in its prompt. */
final class CountTokensEndpoint implements Endpoint {

    /** Its path. */
    static final String PATH = MessagesEndpoint.PATH + "/count_tokens";

    private final ServedModels models;
    private final MessagesEndpoint messages;

    CountTokensEndpoint(ServedModels models, MessagesEndpoint messages) {
        this.models = models;
        this.messages = messages;
    }

    @Override
    public String name() {
        return "messages_count_tokens";
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
        int count = messages.inputTokens(body, models.named(call, body));
        JsonWriter out = call.writer().beginObject();
        out.name("input_tokens").value(count).endObject();
        call.answer(out);
    }
}
