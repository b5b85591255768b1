package dev.jeton.scheduler;

import dev.jeton.models.engine.TokenGrammar;
import org.jspecify.annotations.Nullable;

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
    /** What the grammar suggests behind so many tokens; without room until there is one. */
    private int[] likely = {};

    private int suggested;
    private int suggestedAt = -1;
    /** Whether that is better than what was looked up. */
    private boolean ofGrammar;
    /** What was thought to follow so many tokens, though it was not computed. */
    private int guess;

    private int guessedAt = -1;

    SequenceDrafts(TextLookup lookup, DraftOdds oddsOfAll) {
        this.lookup = lookup;
        this.oddsOfAll = oddsOfAll;
        odds = oddsOfAll.ofOne();
    }

    /**
     * Looks for what may follow. What its grammar leaves hardly a choice about is believed before the text's past,
     * which may say the same and go on where the grammar does not.
     *
     * @param most tokens that are of use
     * @return how many tokens agree
     */
    int find(int[] tokens, int length, TokenGrammar.@Nullable Cursor cursor, int most) {
        int agreement = lookup.find(tokens, length);
        if (cursor != null && length != suggestedAt) {
            if (likely.length < most) {
                likely = new int[most];
            }
            suggested = cursor.likely(likely, most);
            suggestedAt = length;
        }
        ofGrammar = suggested > 0 && (agreement == 0 || lookup.next(tokens) != likely[0]);
        if (ofGrammar) {
            agreement = DraftOdds.OF_GRAMMAR;
        }
        if (agreement > 0 && inFlight == 0) {
            agreeing = agreement;
            guess = ofGrammar ? likely[0] : lookup.next(tokens);
            guessedAt = length;
        }
        return agreement;
    }

    /** Of so many drafts of what was found, those that there are. */
    int bound(int most) {
        return ofGrammar ? Math.min(most, suggested) : most;
    }

    /** Writes what was found behind a text; returns how many tokens there are. */
    int copy(int[] tokens, int length, int most) {
        if (!ofGrammar) {
            return lookup.copy(tokens, length, most);
        }
        System.arraycopy(likely, 0, tokens, length, most);
        return most;
    }

    /** So many of what was found are launched, of which so many are expected to be right. */
    void launched(int count, double expectation) {
        inFlight = count;
        guessedAt = -1;
        expected = expectation;
        predicted = !ofGrammar && lookup.predicted();
    }

    /** Whether what was launched last is of the client's prediction. */
    boolean predicted() {
        return predicted;
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

    /** Its row has landed: so many of the drafts were right, and so many of those are the sequence's tokens. */
    void landed(int right, int wanted, GenerationTotals totals) {
        observe(inFlight, right);
        totals.drafts(inFlight, wanted, predicted);
        inFlight = 0;
    }
}
