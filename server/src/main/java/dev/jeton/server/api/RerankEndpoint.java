package dev.jeton.server.api;

import dev.jeton.models.VectorSpec;
import dev.jeton.models.VectorSpec.Kind;
import dev.jeton.server.json.JsonObject;
import java.util.Comparator;
import java.util.List;
import java.util.stream.IntStream;

/** {@code POST /v1/rerank}: how well documents answer a query, in the shape of Jina and Cohere. */
final class RerankEndpoint extends VectorEndpoint {

    RerankEndpoint(ServedModels models, Texts texts, Generator generator, Ladder ladder) {
        super("rerank", models, texts, generator, ladder);
    }

    @Override
    void answer(Call call, JsonObject body, ServedModel model) throws InterruptedException {
        VectorSpec spec = Texts.require(model, Kind.RERANKER);
        String query = body.text("query");
        if (query.isEmpty()) {
            throw Prompts.empty("query");
        }
        List<String> documents = texts.documents(body);
        int top = body.whole("top_n", documents.size(), 1, Integer.MAX_VALUE);
        boolean told = body.flag("return_documents", false);
        String instruction = body.optionalText("instruction").orElse("");
        Prepared ask = texts.pairs(body, instruction, query, documents, model);
        generator.vectors(call, model, ask, (out, vectors, usage) -> {
            float[] scores = new float[vectors.size()];
            for (int i = 0; i < scores.length; i++) {
                scores[i] = LabelScores.of(spec.scores(), vectors.get(i))[0];
            }
            out.beginObject().name("id").value("rerank-" + call.id());
            out.name("model").value(model.name());
            out.name("results").beginArray();
            // equal scores stay in the order in which the documents were given
            IntStream.range(0, scores.length)
                    .boxed()
                    .sorted(Comparator.<Integer>comparingDouble(i -> scores[i]).reversed())
                    .limit(top)
                    .forEach(i -> {
                        out.beginObject()
                                .name("index")
                                .value(i)
                                .name("relevance_score")
                                .value(scores[i]);
                        if (told) {
                            out.name("document").beginObject();
                            out.name("text").value(documents.get(i)).endObject();
                        }
                        out.endObject();
                    });
            out.endArray();
            usage.write(out.name("usage"));
            out.endObject();
        });
    }
}
