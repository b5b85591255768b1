package dev.jeton.models.engine;

/**
 * Which tokens a grammar allows, one bit set per masked position: rows marked {@link StepBatch#MASKED} in order, one
 * position each, and one more per drafted token.
 *
 * @param positions how many positions are given
 * @param wordsPerMask {@code (vocabulary + 63) / 64}
 * @param bits {@code positions * wordsPerMask} words; bit {@code t & 63} of word {@code t >>> 6} allows token {@code t}
 */
public record TokenMasks(int positions, int wordsPerMask, long[] bits) {

    /** Whether {@code token} is allowed at {@code position}. */
    public boolean allows(int position, int token) {
        return (bits[position * wordsPerMask + (token >>> 6)] >>> (token & 63) & 1) != 0;
    }
}
