package dev.jeton.models.cuda;

/**
 * What a half of a layer left for the next norm to add to the residual stream.
 *
 * @param values to be added; 0 where they are there already
 * @param norm through which they go first; 0 for none
 * @param slots where a token's choices have their slots, if it is what experts gave; else 0
 * @param shares where they have their shares
 * @param beside what all tokens went through beside their experts, by token; 0 for nothing
 * @param besideLogits where the logits lie whose sigmoids are its shares, {@link DeviceShape#routerLogits} apart; 0
 *     where it counts whole
 */
record Left(long values, long norm, long slots, long shares, long beside, long besideLogits) {

    /** Nothing. */
    static final Left NOTHING = of(0, 0);

    /** Rows of the hidden width. */
    static Left of(long values, long norm) {
        return new Left(values, norm, 0, 0, 0, 0);
    }
}
