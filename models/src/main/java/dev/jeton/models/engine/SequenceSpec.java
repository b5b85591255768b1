package dev.jeton.models.engine;

/**
 * What a slot must know of its sequence.
 *
 * <p>{@code tokens} is read during {@link Engine#open} only; the engine copies what it keeps (token counts for
 * penalties, the last token).
 *
 * @param sampling how its tokens are chosen
 * @param tokens prompt followed by the tokens generated so far
 * @param promptLength how many of {@code tokens} are prompt
 * @param length how many of {@code tokens} count: prompt and generated
 */
public record SequenceSpec(SamplingParameters sampling, int[] tokens, int promptLength, int length) {

    /** Checks that the lengths fit. */
    public SequenceSpec {
        if (promptLength < 1 || length < promptLength || length > tokens.length) {
            throw new IllegalArgumentException(
                    "prompt %d, length %d of %d tokens".formatted(promptLength, length, tokens.length));
        }
    }

    /** Tokens generated so far: the random position. */
    public int generated() {
        return length - promptLength;
    }
}
