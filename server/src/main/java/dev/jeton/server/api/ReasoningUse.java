package dev.jeton.server.api;

import dev.jeton.models.reasoning.ReasoningDialect;
import dev.jeton.models.reasoning.ReasoningFormat.Opening;
import java.util.Optional;

/**
 * That an answer's model may think before it, and how.
 *
 * @param dialect the model's
 * @param opening how the prompt leaves the model
 * @param options what was asked for
 * @param marked whether the detokenizer leaves special tokens out, so that thinking needs their marks
 */
record ReasoningUse(ReasoningDialect dialect, Opening opening, ReasoningOptions options, boolean marked) {

    /** Of a prompt; empty where it is not known how the model thinks. */
    static Optional<ReasoningUse> of(
            ServedModel model, int[] prompt, ReasoningOptions options, GenerationOptions generation) {
        return model.reasoning()
                .map(dialect ->
                        new ReasoningUse(dialect, dialect.opening(prompt), options, generation.skipSpecialTokens()));
    }

    /** Whether there may be thinking yet. */
    boolean mayThink() {
        return opening != Opening.ANSWERING;
    }
}
