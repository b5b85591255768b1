package dev.jeton.models.engine;

/** What the tokens of a sequence must spell; thread-safe in {@link #begin} only. */
public interface TokenGrammar {

    /**
     * Where a text stands in a grammar. Cursors of one grammar are used by one thread, the owner of the engine whose
     * tokens they are.
     */
    interface Cursor {

        /**
         * Writes which tokens may come next: bit {@code t & 63} of word {@code from + (t >>> 6)} says whether {@code t}
         * may. Tokens that end a text are not among them, whatever they spell.
         *
         * @param bits where the words from {@code from} on, {@code (vocabulary + 63) / 64} of them, are overwritten
         * @return false where it would take so long to find out that others would notice; the words mean nothing then
         */
        boolean mask(long[] bits, int from);

        /**
         * Takes a token, which is one of those that may come next.
         *
         * @return false where it is not; the cursor stays where it was then
         */
        boolean accept(int token);

        /**
         * Whether any token may come here, and the text may end: it need not be masked then. Costs little to ask, so
         * that who is free does not pay for what may bind it later.
         */
        default boolean free() {
            return false;
        }

        /**
         * Writes tokens that the text may well go on with, since the grammar leaves it hardly a choice: a guess, not to
         * be relied on.
         *
         * @param next receives them
         * @param most of them
         * @return how many there are; 0 where it may go on in several ways
         */
        default int likely(int[] next, int most) {
            return 0;
        }

        /** Whether the text may end here. */
        boolean mayEnd();

        /** Whether the text can only end here. */
        boolean mustEnd();

        /** Another one at the same place, to try out what may come later; for the same thread. */
        Cursor copy();
    }

    /** The vocabulary whose tokens it is about: ids are 0 until this. */
    int vocabulary();

    /**
     * Whether a text may be anything at all, as long as it begins nothing that the grammar is about: what goes before
     * such a text need not be followed by one.
     */
    default boolean optional() {
        return false;
    }

    /** At the beginning of a text. */
    Cursor begin();
}
