package dev.jeton.scheduler;

/** What a sequence knows for its drafts, how they went, and which of them are in flight. Owned by the loop's thread. */
final class SequenceDrafts {

    final TextLookup lookup;
    final DraftOdds odds;
    private final DraftOdds oddsOfAll;
    /** Drafts of its row in flight; 0 where it has none. */
    int inFlight;

    /** Of those, how many are expected to be right. */
    double expected;

    private int agreeing;
    private boolean predicted;
    /** What was thought to follow so many tokens, though it was not computed. */
    private int guess;

    private int guessedAt = -1;

    SequenceDrafts(TextLookup lookup, DraftOdds oddsOfAll) {
        this.lookup = lookup;
        this.oddsOfAll = oddsOfAll;
        odds = oddsOfAll.ofOne();
    }

    /** Looks for what may follow; returns how many tokens agree. */
    int find(int[] tokens, int length) {
        int agreement = lookup.find(tokens, length);
        if (agreement > 0 && inFlight == 0) {
            agreeing = agreement;
            guess = lookup.next(tokens);
            guessedAt = length;
        }
        return agreement;
    }

    /** So many of what was found are launched, of which so many are expected to be right. */
    void launched(int count, double expectation) {
        inFlight = count;
        guessedAt = -1;
        expected = expectation;
        predicted = lookup.predicted();
    }

    /** A token was sampled behind so many, of which nothing had been computed before. */
    void sampled(int length, int token) {
        if (guessedAt == length) {
            observe(1, token == guess ? 1 : 0);
        }
    }

    private void observe(int drafts, int accepted) {
        odds.observe(agreeing, drafts, accepted);
        oddsOfAll.observe(agreeing, drafts, accepted);
    }

    /** Its row has landed, and so many of the drafts were right. */
    void landed(int accepted, GenerationTotals totals) {
        observe(inFlight, accepted);
        totals.drafts(inFlight, accepted, predicted);
        inFlight = 0;
    }
}
