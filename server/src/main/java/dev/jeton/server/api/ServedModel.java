package dev.jeton.server.api;

import dev.jeton.models.ChatTemplate;
import dev.jeton.models.Tokenizer;
import dev.jeton.models.reasoning.ReasoningDialect;
import dev.jeton.scheduler.Dispatcher;
import java.nio.file.Path;
import java.util.Optional;

/**
 * A model as the API needs it.
 *
 * @param name name in requests
 * @param folder where it was loaded from; never told to clients
 * @param tokenizer its tokenizer
 * @param template its chat template, if it has one
 * @param systems how the template takes what systems and developers say
 * @param eosTokens ids that end a sequence
 * @param contextLength most tokens of prompt and answer together
 * @param defaults sampling parameters of requests that name none
 * @param dispatcher where its requests go
 * @param longestToken bytes of the longest vocabulary entry: what bounds how short a prompt's tokens can be
 * @param vectors what comes out of a model that generates nothing; empty where it does
 * @param tools how it calls tools
 * @param reasoning how it thinks before it answers; empty where thinking is left in its answers
 * @param adapter which adapter of another model's engine it is; empty for a model of its own
 */
public record ServedModel(
        String name,
        Path folder,
        Tokenizer tokenizer,
        Optional<ChatTemplate> template,
        SystemRoles systems,
        int[] eosTokens,
        int contextLength,
        SamplingDefaults defaults,
        Dispatcher dispatcher,
        int longestToken,
        Optional<VectorModel> vectors,
        ModelTools tools,
        Optional<ReasoningDialect> reasoning,
        Optional<Adapter> adapter) {

    /**
     * An adapter of a served model.
     *
     * @param base name of the model
     * @param number the engine's, from 1 on
     */
    public record Adapter(String base, int number) {}

    /** A model that generates, calls no tools and does not think. */
    public ServedModel(
            String name,
            Path folder,
            Tokenizer tokenizer,
            Optional<ChatTemplate> template,
            SystemRoles systems,
            int[] eosTokens,
            int contextLength,
            SamplingDefaults defaults,
            Dispatcher dispatcher,
            int longestToken) {
        this(
                name,
                folder,
                tokenizer,
                template,
                systems,
                eosTokens,
                contextLength,
                defaults,
                dispatcher,
                longestToken,
                Optional.empty(),
                ModelTools.NONE,
                Optional.empty(),
                Optional.empty());
    }

    /**
     * The same through an adapter of its engine's.
     *
     * @param adapterName served name of that
     * @param number the engine's, from 1 on
     */
    public ServedModel through(String adapterName, int number) {
        return new ServedModel(
                adapterName,
                folder,
                tokenizer,
                template,
                systems,
                eosTokens,
                contextLength,
                defaults,
                dispatcher,
                longestToken,
                vectors,
                tools,
                reasoning,
                Optional.of(new Adapter(base(), number)));
    }

    /** Name of the model whose weights and tokenizer it has: its own, but for an adapter. */
    public String base() {
        return adapter.map(Adapter::base).orElse(name);
    }

    /** The adapter that its requests go through; 0 for none. */
    int adapterNumber() {
        return adapter.map(Adapter::number).orElse(0);
    }

    /** What it may be asked for, as errors say it. */
    String purposes() {
        return vectors.map(of -> switch (of.spec().kind()) {
                    case EMBEDDING -> "/v1/embeddings";
                    case RERANKER -> "/v1/rerank";
                    case CLASSIFIER -> "/v1/classify";
                })
                .orElse("/v1/chat/completions, /v1/responses and /v1/completions");
    }

    /**
     * Checks that it generates text.
     *
     * @throws ApiException 400 if not
     */
    void requireText() {
        if (vectors.isPresent()) {
            throw new ApiException(
                    400,
                    ApiException.INVALID_REQUEST,
                    "model",
                    "unsupported_by_model",
                    "The model '%s' generates no text; it is for %s".formatted(name, purposes()));
        }
    }

    /** Length of the longest entry of a tokenizer's vocabulary, for {@link #longestToken}. */
    public static int longestToken(Tokenizer tokenizer) {
        int longest = 1;
        for (int id = 0; id < tokenizer.vocabularySize(); id++) {
            longest = Math.max(longest, tokenizer.token(id).length());
        }
        return longest;
    }

    /** Token ids are 0 until this. */
    public int vocabulary() {
        return dispatcher.engine().vocabulary();
    }
}
