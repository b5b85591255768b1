package dev.jeton.server.api;

import dev.jeton.server.json.JsonWriter;
import java.time.Instant;

/** {@code GET /v1/models} and {@code GET /v1/models/NAME}. */
final class ModelsEndpoint implements Endpoint {

    static final String PATH = "/v1/models";

    private final ServedModels models;
    private final long created = Instant.now().getEpochSecond();

    ModelsEndpoint(ServedModels models) {
        this.models = models;
    }

    @Override
    public String name() {
        return "models";
    }

    @Override
    public String method() {
        return "GET";
    }

    @Override
    public Guard guard() {
        return Guard.KEYED;
    }

    @Override
    public void handle(Call call) {
        String path = call.exchange().path();
        JsonWriter out = call.writer();
        if (path.length() > PATH.length() + 1) {
            ServedModel model = models.require(path.substring(PATH.length() + 1));
            call.servedBy(model);
            write(out, model);
        } else {
            out.beginObject().name("object").value("list").name("data").beginArray();
            models.all().forEach(model -> write(out, model));
            out.endArray().endObject();
        }
        call.answer(out);
    }

    private void write(JsonWriter out, ServedModel model) {
        out.beginObject();
        out.name("id").value(model.name());
        out.name("object").value("model");
        out.name("created").value(created);
        out.name("owned_by").value("jeton");
        out.name("root").value(model.name());
        model.adapter().ifPresent(of -> out.name("parent").value(of.base()));
        out.name("max_model_len").value(model.contextLength());
        out.endObject();
    }
}
