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
     * Gives back tokens that were {@linkplain #grant granted} and that no step will bring: drafts that were wrong.
     * Where grants are without end there is nothing to do.
     */
    default void giveBack(int tokens) {}

    /** Whether no grant will ever come again, so that the sequence must end. */
    boolean exhausted();
}
