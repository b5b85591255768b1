package dev.jeton.server.api;

import dev.jeton.server.json.JsonWriter;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.List;

/** {@code GET /v1/models} and {@code GET /v1/models/NAME}, in OpenAI's shape or in Anthropic's. */
final class ModelsEndpoint implements Endpoint {

    static final String PATH = "/v1/models";

    private final ServedModels models;
    private final Instant created = Instant.now().truncatedTo(ChronoUnit.SECONDS);

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
            if (call.style() == ApiStyle.ANTHROPIC) {
                writeInfo(out, model);
            } else {
                write(out, model);
            }
        } else if (call.style() == ApiStyle.ANTHROPIC) {
            Page.of(List.copyOf(models.all()), ServedModel::name, call)
                    .write(out, ServedModel::name, model -> writeInfo(out, model));
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
        out.name("created").value(created.getEpochSecond());
        out.name("owned_by").value("jeton");
        out.name("root").value(model.name());
        model.adapter().ifPresent(of -> out.name("parent").value(of.base()));
        out.name("max_model_len").value(model.contextLength());
        out.endObject();
    }

    private void writeInfo(JsonWriter out, ServedModel model) {
        out.beginObject();
        out.name("type").value("model");
        out.name("id").value(model.name());
        out.name("display_name").value(model.name());
        out.name("created_at").value(created.toString());
        out.name("max_input_tokens").value(model.contextLength());
        out.name("max_tokens").value(model.contextLength());
        out.endObject();
    }
}
