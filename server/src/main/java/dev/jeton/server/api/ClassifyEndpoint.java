package dev.jeton.server.api;

import dev.jeton.models.VectorSpec;
import dev.jeton.models.VectorSpec.Kind;
import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;
import java.util.List;

/** {@code POST /v1/classify}: scores of a classifier's labels, in vLLM's shape. */
final class ClassifyEndpoint extends VectorEndpoint {

    ClassifyEndpoint(ServedModels models, Texts texts, Generator generator, Ladder ladder) {
        super("classify", models, texts, generator, ladder);
    }

    @Override
    void answer(Call call, JsonObject body, ServedModel model) throws InterruptedException {
        VectorSpec spec = Texts.require(model, Kind.CLASSIFIER);
        Prepared ask = texts.input(body, model);
        generator.vectors(call, model, ask, (out, vectors, usage) -> {
            out.beginObject().name("id").value("classify-" + call.id());
            out.name("object").value("list").name("model").value(model.name());
            out.name("data").beginArray();
            for (int i = 0; i < vectors.size(); i++) {
                write(out, i, LabelScores.of(spec.scores(), vectors.get(i)), spec.labels());
            }
            out.endArray();
            usage.write(out.name("usage"));
            out.endObject();
        });
    }

    private static void write(JsonWriter out, int index, float[] scores, List<String> labels) {
        int best = 0;
        for (int i = 1; i < scores.length; i++) {
            best = scores[i] > scores[best] ? i : best;
        }
        out.beginObject().name("index").value(index).name("label").value(labels.get(best));
        out.name("probs").beginArray();
        for (float score : scores) {
            out.value(score);
        }
        out.endArray().name("num_classes").value(scores.length);
        out.name("scores").beginObject();
        for (int i = 0; i < scores.length; i++) {
            out.name(labels.get(i)).value(scores[i]);
        }
        out.endObject().endObject();
    }
}
