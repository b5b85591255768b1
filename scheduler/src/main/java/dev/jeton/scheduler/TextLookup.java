package dev.jeton.scheduler;

/**
 * Where the end of a sequence's text has stood before, and so what may come next: prompt lookup (Saxena, 2023). The
 * text that is looked through is what the client predicts, if it does, and behind it the sequence itself, prompt and
 * answer.
 *
 * <p>Found as LZ77 finds matches: chains of places with the same hash of the {@value #LEAST} tokens before, newest
 * first, of which {@value #CANDIDATES} are tried, and the one that agrees with the end for the longest is taken. The
 * place of last time, moved on, is tried first and needs one token alone, so that a changed word costs one draft.
 *
 * <p>Memory: eight bytes a token of the text, for the last {@value #WINDOW} at most. A look-up indexes at most
 * {@value #AT_ONCE} tokens, so that a long prompt holds nobody up; until all are, nothing is found. Owned by the loop's
 * thread.
 */
final class TextLookup {

    /** Tokens before a place that must agree. */
    static final int LEAST = 3;

    /** As how much agreement it counts that a client says what the answer begins with. */
    static final int PREDICTED = 8;

    static final int WINDOW = 1 << 15;
    static final int AT_ONCE = 1 << 12;
    /** Tokens of the answer for which there is room at first. */
    private static final int FIRST_ANSWER = 128;

    private static final int CANDIDATES = 16;
    private static final int MOST_AGREEING = 32;

    private final int[] prediction;
    /** Where the answer begins. */
    private final int begun;
    /** By hash of the tokens before: the newest place, 0 for none. */
    private int[] newest = {};
    /** By place: the one before with the same hash. */
    private int[] older = {};

    private int mask;
    private int indexed;
    private int lookedUpAt = -1;
    private int agreeing;
    /** What may come next stands from here on... */
    private int place = -1;
    /** ...seen from this end of the text. */
    private int placedAt;

    /**
     * For an answer to a prompt.
     *
     * @param length of the prompt
     * @param prediction what the answer may be; empty where nobody says
     */
    TextLookup(int length, int[] prediction) {
        this.prediction = prediction;
        begun = prediction.length + length;
        makeRoom(begun + FIRST_ANSWER);
        if (prediction.length > 0) {
            place = 0;
            placedAt = begun;
            lookedUpAt = begun;
            agreeing = PREDICTED;
        }
    }

    /**
     * Looks for what may follow the first {@code length} of {@code tokens}.
     *
     * @return how many tokens before the place agree with the text's end, up to {@value #MOST_AGREEING}; 0 where there
     *     is none
     */
    int find(int[] tokens, int length) {
        int end = prediction.length + length;
        if (end == lookedUpAt) {
            return agreeing;
        }
        lookedUpAt = end;
        agreeing = 0;
        if (end > older.length && older.length < WINDOW) {
            makeRoom(2 * end);
        }
        int best = place < 0 ? -1 : place + end - placedAt;
        if (best >= 0 && following(best) > 0) {
            agreeing = agreement(tokens, best, end);
        }
        if (index(tokens, end) && end - prediction.length >= LEAST && agreeing < MOST_AGREEING) {
            int at = newest[hash(tokens, end)];
            for (int tried = 0; tried < CANDIDATES && at > end - older.length && at > 0; tried++) {
                int agrees = following(at) > 0 ? agreement(tokens, at, end) : 0;
                if (agrees >= LEAST && agrees > agreeing) {
                    agreeing = agrees;
                    best = at;
                }
                int next = older[at & mask];
                at = next < at ? next : 0;
            }
        }
        if (agreeing > 0) {
            place = best;
            placedAt = end;
        }
        return agreeing;
    }

    /**
     * Writes what {@link #find} has found behind the text, in {@code tokens} from {@code length} on.
     *
     * @param most tokens to write, for which there is room
     * @return how many there are
     */
    int copy(int[] tokens, int length, int most) {
        int count = Math.min(most, following(place));
        for (int i = 0; i < count; i++) {
            // a place near the end runs on into what was just written: a text that repeats itself
            tokens[length + i] = at(tokens, place + i);
        }
        return count;
    }

    /** What stands where {@link #find} has found something. */
    int next(int[] tokens) {
        return at(tokens, place);
    }

    /** Whether what was found is of the client's prediction. */
    boolean predicted() {
        return place < prediction.length;
    }

    /** Tokens that stand at a place: what is predicted ends, and a text goes on in itself. */
    private int following(int from) {
        return from > prediction.length ? Integer.MAX_VALUE : prediction.length - from;
    }

    private int at(int[] tokens, int position) {
        return position < prediction.length ? prediction[position] : tokens[position - prediction.length];
    }

    private int agreement(int[] tokens, int from, int end) {
        int first = from > prediction.length ? prediction.length : 0;
        int most = Math.min(MOST_AGREEING, Math.min(from - first, end - prediction.length));
        int count = 0;
        while (count < most && at(tokens, from - 1 - count) == at(tokens, end - 1 - count)) {
            count++;
        }
        // where all of the answer is what was predicted, that is as good as more of it
        return from == end - begun && count == from ? Math.min(MOST_AGREEING, count + PREDICTED) : count;
    }

    /** Makes room for so many tokens, as far as they are kept, with none of them indexed. */
    private void makeRoom(int most) {
        int size = Math.max(16, Integer.highestOneBit(2 * Math.min(WINDOW, most) - 1));
        newest = new int[size];
        older = new int[size];
        mask = size - 1;
        indexed = LEAST;
    }

    /** Indexes the places before {@code end}; returns whether that is done. */
    private boolean index(int[] tokens, int end) {
        int from = Math.max(indexed, end - WINDOW);
        int until = Math.min(end, from + AT_ONCE);
        for (int place = from; place < until; place++) {
            // what is predicted does not go on in the prompt
            if (place <= prediction.length || place >= prediction.length + LEAST) {
                int hash = hash(tokens, place);
                older[place & mask] = newest[hash];
                newest[hash] = place;
            }
        }
        indexed = Math.max(indexed, until);
        return until == end;
    }

    /** Of the tokens before a place. */
    private int hash(int[] tokens, int place) {
        int hash = at(tokens, place - 1) * 0x9e3779b1;
        hash = (hash ^ at(tokens, place - 2)) * 0x85ebca6b;
        hash = (hash ^ at(tokens, place - 3)) * 0xc2b2ae35;
        return (hash ^ hash >>> 15) & mask;
    }
}
