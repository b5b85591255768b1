package dev.jeton.scheduler;

/**
 * How likely a draft is right, by how many tokens before it agree, and of those that a grammar suggests: counted from
 * what became of drafts, and of those that were thought of and not computed, the latest weighing most. What a sequence
 * knows outweighs what all sequences of an engine have shown so far, and that a guess. Owned by the loop's thread.
 */
final class DraftOdds {

    /**
     * Chances at first: of one to three tokens that agree, of four to seven, of eight to fifteen, of more; of grammars.
     */
    private static final double[] GUESS = {0.4, 0.5, 0.7, 0.85, 0.8};

    /** As how much agreement it counts that a grammar leaves hardly a choice. */
    static final int OF_GRAMMAR = 1 << 20;

    private static final int KINDS = GUESS.length;
    private static final double KEPT_OF_ALL = 0.998;
    private static final double KEPT_OF_ONE = 0.9;
    /** How many drafts what is known beforehand counts for. */
    private static final double WEIGHT_FOR_ALL = 10;

    private static final double WEIGHT_FOR_ONE = 2;

    private final double kept;
    private final double[] right = new double[KINDS];
    private final double[] tried = new double[KINDS];

    private DraftOdds(double kept) {
        this.kept = kept;
    }

    /** Of all sequences of an engine. */
    static DraftOdds ofAll() {
        DraftOdds odds = new DraftOdds(KEPT_OF_ALL);
        for (int kind = 0; kind < KINDS; kind++) {
            odds.right[kind] = WEIGHT_FOR_ALL * GUESS[kind];
            odds.tried[kind] = WEIGHT_FOR_ALL;
        }
        return odds;
    }

    /** Of one sequence among these. */
    DraftOdds ofOne() {
        DraftOdds odds = new DraftOdds(KEPT_OF_ONE);
        for (int kind = 0; kind < KINDS; kind++) {
            odds.right[kind] = WEIGHT_FOR_ONE * right[kind] / tried[kind];
            odds.tried[kind] = WEIGHT_FOR_ONE;
        }
        return odds;
    }

    /** The chance that a draft is right where those before it are. */
    double of(int agreeing) {
        int kind = kind(agreeing);
        return right[kind] / tried[kind];
    }

    private static int kind(int agreeing) {
        if (agreeing >= OF_GRAMMAR) {
            return 4;
        }
        return agreeing < 4 ? 0 : agreeing < 8 ? 1 : agreeing < 16 ? 2 : 3;
    }

    /** So many of a row's drafts were right, the first of which had so many tokens before it that agreed. */
    void observe(int agreeing, int drafts, int accepted) {
        for (int i = 0; i < drafts && i <= accepted; i++) {
            int kind = kind(agreeing + i);
            right[kind] = kept * right[kind] + (i < accepted ? 1 : 0);
            tried[kind] = kept * tried[kind] + 1;
        }
    }
}
