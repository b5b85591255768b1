package dev.jeton.server.api;

import dev.jeton.models.reasoning.ReasoningDialect;
import dev.jeton.models.reasoning.ReasoningFormat.Opening;
import dev.jeton.models.reasoning.ReasoningPlace;
import java.util.Optional;

/**
 * That an answer's model may think before it, and how.
 *
 * @param dialect the model's
 * @param place where the prompt leaves the model
 * @param options what was asked for
 * @param marked whether the detokenizer leaves special tokens out, so that thinking needs their marks
 */
record ReasoningUse(ReasoningDialect dialect, ReasoningPlace place, ReasoningOptions options, boolean marked) {

    /** Of a prompt; empty where it is not known how the model thinks. */
    static Optional<ReasoningUse> of(
            ServedModel model, int[] prompt, ReasoningOptions options, GenerationOptions generation) {
        return model.reasoning()
                .map(dialect -> new ReasoningUse(
                        dialect,
                        dialect.place(prompt),
                        dialect.apart() ? options : options.inContent(),
                        generation.skipSpecialTokens()));
    }

    /** Whether there may be thinking yet; where it is a channel of several, there may always be. */
    boolean mayThink() {
        return channels() || place.opening() != Opening.ANSWERING;
    }

    /** Whether thinking is a channel of several. */
    boolean channels() {
        return dialect.format().channels();
    }
}
