package dev.jeton.server.api;

import dev.jeton.accounting.Work;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/**
 * A request for generation, read and tokenized.
 *
 * @param options what is asked for
 * @param prompts their tokens
 * @param maxTokens most tokens of a continuation of each prompt
 * @param continues whether answers go on in the text of their prompts, rather than being texts of their own
 * @param pooled whether vectors of the prompts are wanted, and nothing is generated
 * @param tools how answers call tools; empty where they may not
 * @param reasoning how the model thinks before it answers; empty where that is part of its answers
 * @param prediction tokens that the client expects of the answers; none where it says nothing of them
 */
record Prepared(
        GenerationOptions options,
        List<int[]> prompts,
        int[] maxTokens,
        boolean continues,
        boolean pooled,
        Optional<ToolUse> tools,
        Optional<ReasoningUse> reasoning,
        int[] prediction) {

    private static final int[] NOTHING = {};

    /**
     * A chat, with its length held against the model's context.
     *
     * @param promptField the parameter that has the messages
     * @param lengthField the parameter that says how long the answer may be
     */
    static Prepared chat(
            GenerationOptions options,
            int[] prompt,
            ServedModel model,
            String promptField,
            String lengthField,
            Optional<ToolUse> tools) {
        int[] maxTokens = {options.maxTokensAfter(prompt.length, model, promptField, lengthField)};
        return new Prepared(options, List.of(prompt), maxTokens, false, false, tools, Optional.empty(), NOTHING);
    }

    /** The same of a model that thinks before it answers. */
    Prepared reasoning(Optional<ReasoningUse> use) {
        return new Prepared(options, prompts, maxTokens, continues, pooled, tools, use, prediction);
    }

    /** The same, where the client expects this of the answers. */
    Prepared predicting(int[] tokens) {
        return new Prepared(options, prompts, maxTokens, continues, pooled, tools, reasoning, tokens);
    }

    /** The same, where the answer goes on in the prompt's text. */
    Prepared continuing() {
        return new Prepared(options, prompts, maxTokens, true, pooled, tools, reasoning, prediction);
    }

    /** Completions of prompts, with their lengths held against the model's context. */
    static Prepared completions(GenerationOptions options, List<int[]> prompts, ServedModel model) {
        int[] maxTokens = prompts.stream()
                .mapToInt(prompt -> options.maxTokensAfter(prompt.length, model, "prompt", MaxTokens.FIELD))
                .toArray();
        return new Prepared(options, prompts, maxTokens, true, false, Optional.empty(), Optional.empty(), NOTHING);
    }

    /**
     * Prompts whose vectors are wanted.
     *
     * @param tier how soon
     * @param field the parameter named in errors about the prompts
     * @throws ApiException if one is longer than the model's context
     */
    static Prepared pooled(Optional<ServiceTier> tier, List<int[]> prompts, ServedModel model, String field) {
        for (int i = 0; i < prompts.size(); i++) {
            int length = prompts.get(i).length;
            if (length > model.contextLength()) {
                throw ApiException.contextExceeded(
                        prompts.size() == 1 ? field : field + "[" + i + "]",
                        "This model takes %d tokens at a time, but the text has %d; shorten it or set 'truncate'"
                                .formatted(model.contextLength(), length));
            }
        }
        return new Prepared(
                GenerationOptions.none(tier),
                prompts,
                new int[prompts.size()],
                false,
                true,
                Optional.empty(),
                Optional.empty(),
                NOTHING);
    }

    /** What the books call it. */
    Work work() {
        Work work = options.servedAs().work();
        return !pooled ? work : work.batch() ? Work.BATCH_EMBEDDINGS : Work.EMBEDDINGS;
    }

    /** Continuations of all prompts together. */
    int sequences() {
        return options.n() * prompts.size();
    }

    /** Tokens that they may have together. */
    long most() {
        return options.n() * IntStream.of(maxTokens).asLongStream().sum();
    }

    /** Tokens of all prompts. */
    long promptTokens() {
        return prompts.stream().mapToLong(prompt -> prompt.length).sum();
    }
}
