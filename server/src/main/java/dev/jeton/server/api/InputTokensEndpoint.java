package dev.jeton.server.api;

import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;

/** {@code POST /v1/responses/input_tokens}: how many tokens a request for a response would have in its prompt. */
final class InputTokensEndpoint implements Endpoint {

    /** Its path. */
    static final String PATH = ResponsesEndpoint.PATH + "/input_tokens";

    private final ServedModels models;
    private final ResponsesEndpoint responses;

    InputTokensEndpoint(ServedModels models, ResponsesEndpoint responses) {
        this.models = models;
        this.responses = responses;
    }

    @Override
    public String name() {
        return "responses_input_tokens";
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
        int count = responses.inputTokens(call, body, model);
        JsonWriter out = call.writer().beginObject();
        out.name("object").value("response.input_tokens");
        out.name("input_tokens").value(count).endObject();
        call.answer(out);
    }
}
