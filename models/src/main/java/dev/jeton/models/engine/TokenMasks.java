package dev.jeton.models.engine;

import java.util.stream.IntStream;

/**
 * Which tokens a grammar allows, for each masked position: rows marked {@link StepBatch#MASKED} in order, one position
 * each, and one more per drafted token. Where any token may come there is no mask: such a row is sampled like one that
 * was not marked.
 *
 * @param positions how many positions are given
 * @param wordsPerMask {@code (vocabulary + 63) / 64}
 * @param bits {@code masks * wordsPerMask} words; bit {@code t & 63} of a mask's word {@code t >>> 6} allows token
 *     {@code t}
 * @param places by position, which of the masks is its own; {@link #ANY} where it has none
 * @param masks how many masks are given; none is needed where no position has one
 */
public record TokenMasks(int positions, int wordsPerMask, long[] bits, int[] places, int masks) {

    /** The place of a position at which any token may come. */
    public static final int ANY = -1;

    /** One mask for each position. */
    public TokenMasks(int positions, int wordsPerMask, long[] bits) {
        this(positions, wordsPerMask, bits, IntStream.range(0, positions).toArray(), positions);
    }

    /** Whether any token may come at {@code position}. */
    public boolean any(int position) {
        return places[position] == ANY;
    }

    /** Whether {@code token} is allowed at {@code position}. */
    public boolean allows(int position, int token) {
        int place = places[position];
        return place == ANY || (bits[place * wordsPerMask + (token >>> 6)] >>> (token & 63) & 1) != 0;
    }

    /** Whether they are those of a step with so many masked positions, of an engine with so many words a mask. */
    public boolean fits(int maskedPositions, int words) {
        return positions == maskedPositions
                && wordsPerMask == words
                && places.length >= positions
                && bits.length >= (long) masks * wordsPerMask;
    }
}
