package dev.jeton.scheduler;

/**
 * Tokens that a sequence may still compute. Asked by the step loop, so it never waits; renewal runs elsewhere, ahead of
 * need. A sequence without a grant is not scheduled until it has one or its allowance says that it has ended.
 */
public interface Allowance {

    /** Grants without end, for when nothing keeps books. */
    Allowance UNLIMITED = new Allowance() {
        @Override
        public int grant(int tokens) {
            return tokens;
        }

        @Override
        public boolean exhausted() {
            return false;
        }
    };

    /**
     * Takes up to {@code tokens} from what was granted; never blocks.
     *
     * @return how many were taken: 0 until {@code tokens}
     */
    int grant(int tokens);

    /**
     * Takes up to {@code tokens} for drafts, of which nobody knows yet how many are right; never blocks. Until they are
     * {@linkplain #settle settled}, the allowance is not {@link #exhausted}, whoever else takes from it.
     *
     * @return how many were taken: 0 until {@code tokens}
     */
    default int lend(int tokens) {
        return grant(tokens);
    }

    /**
     * A step has brought {@code used} of the tokens that were {@linkplain #lend lent} for it; the others are given
     * back. Where grants are without end there is nothing to do.
     */
    default void settle(int lent, int used) {}

    /** Whether no grant will ever come again, so that the sequence must end. */
    boolean exhausted();
}
