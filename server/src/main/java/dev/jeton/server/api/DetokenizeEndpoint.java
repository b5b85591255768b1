package dev.jeton.server.api;

import dev.jeton.server.json.JsonException;
import dev.jeton.server.json.JsonObject;

/** {@code POST /detokenize}, in vLLM's shape. */
final class DetokenizeEndpoint implements Endpoint {

    private final ServedModels models;
    private final TokenizerGate gate;

    DetokenizeEndpoint(ServedModels models, TokenizerGate gate) {
        this.models = models;
        this.gate = gate;
    }

    @Override
    public String name() {
        return "detokenize";
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
        int[] tokens = body.list("tokens")
                .map(list -> TokenIds.read("tokens", list, model.vocabulary()))
                .orElseThrow(
                        () -> new JsonException("tokens", "'tokens' is missing: an array of token ids is required"));
        String text = gate.run(() -> model.tokenizer().decode(tokens, false));
        call.answer(call.writer().beginObject().name("prompt").value(text).endObject());
    }
}
