package dev.jeton.models.reasoning;

import dev.jeton.models.reasoning.ReasoningFormat.Opening;

/**
 * Where a prompt leaves a model.
 *
 * @param opening what its answer begins with
 * @param header where messages have headers, what of the next one is written; empty otherwise
 */
public record ReasoningPlace(Opening opening, String header) {

    /** Where there are no headers. */
    public static ReasoningPlace of(Opening opening) {
        return new ReasoningPlace(opening, "");
    }
}
