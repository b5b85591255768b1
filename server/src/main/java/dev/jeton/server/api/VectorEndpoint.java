package dev.jeton.server.api;

import dev.jeton.server.json.JsonObject;

/** What endpoints have in common that answer with what came of texts' vectors. */
abstract class VectorEndpoint implements WorkEndpoint {

    final Texts texts;
    final Generator generator;
    private final String name;
    private final ServedModels models;
    private final Ladder ladder;

    VectorEndpoint(String name, ServedModels models, Texts texts, Generator generator, Ladder ladder) {
        this.name = name;
        this.models = models;
        this.texts = texts;
        this.generator = generator;
        this.ladder = ladder;
    }

    /** Answers with a model. */
    abstract void answer(Call call, JsonObject body, ServedModel model) throws InterruptedException;

    @Override
    public final String name() {
        return name;
    }

    @Override
    public final void handle(Call call) throws InterruptedException {
        JsonObject body = call.json();
        call.tagged(RequestTags.of(call, body));
        ladder.climb(call, models.named(call, body), model -> answer(call, body, model));
    }
}
