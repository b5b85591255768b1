package dev.jeton.server.api;

import dev.jeton.models.reasoning.ReasoningDialect;
import dev.jeton.models.reasoning.ReasoningFormat.Opening;

/**
 * That an answer's model may think before it, and how.
 *
 * @param dialect the model's
 * @param opening how the prompt leaves the model
 * @param options what was asked for
 * @param marked whether the detokenizer leaves special tokens out, so that thinking needs their marks
 */
record ReasoningUse(ReasoningDialect dialect, Opening opening, ReasoningOptions options, boolean marked) {

    /** Whether there may be thinking yet. */
    boolean mayThink() {
        return opening != Opening.ANSWERING;
    }
}
