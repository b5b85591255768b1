package dev.jeton.server.api;

import java.util.List;
import java.util.stream.IntStream;

/**
 * A request for generation, read and tokenized.
 *
 * @param options what is asked for
 * @param prompts their tokens
 * @param maxTokens most tokens of a continuation of each prompt
 */
record Prepared(GenerationOptions options, List<int[]> prompts, int[] maxTokens) {

    /**
     * With its lengths held against the model's context.
     *
     * @param field the parameter named in errors about the prompts
     */
    static Prepared of(GenerationOptions options, List<int[]> prompts, ServedModel model, String field) {
        return new Prepared(
                options,
                prompts,
                prompts.stream()
                        .mapToInt(prompt -> options.maxTokensAfter(prompt.length, model, field))
                        .toArray());
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
