package dev.jeton.models.grammar;

import dev.jeton.models.grammar.GrammarStates.Place;
import dev.jeton.models.grammar.GrammarStates.State;

/**
 * What a text goes on with where a grammar leaves hardly a choice: the rest of a key, a colon, the words around a call
 * of a function. Where white space may come beside one other byte, it depends on how this text has been written so far;
 * at first, as most models write JSON: a space behind colons and commas, and none elsewhere.
 *
 * <p>The bytes are then spelled in the longest tokens that there are, as a tokenizer mostly would. All of it is a
 * guess, good for drafts and nothing else.
 *
 * <p>Used by one thread at a time.
 */
final class LikelyText {

    /** Most bytes that are looked ahead. */
    static final int MOST_BYTES = 128;
    /** A state of more places is too ambiguous for what it leads to to be likely. */
    private static final int MOST_PLACES = 64;
    /** An edge of more bytes is one of text that may be anything. */
    private static final int NARROW = 10;

    private static final int NOTHING = -1;
    private static final int SEVERAL = -2;

    /** How texts are written at first: two bits for each of the bytes of {@link #styled}. */
    static final int FIRST_STYLE = Style.SPACE.ordinal() << styled(':') | Style.SPACE.ordinal() << styled(',');

    private enum Style {
        BARE,
        SPACE,
        /** The next line, however far that is indented. */
        LINE
    }

    private final Network network;
    private final GrammarVocabulary vocabulary;
    private final GrammarStates states;
    private final byte[] text = new byte[MOST_BYTES];
    /** The only byte beside white space, {@link #NOTHING} or {@link #SEVERAL}; and whether there is white space. */
    private int only;

    private boolean spaces;

    LikelyText(Network network, GrammarVocabulary vocabulary, GrammarStates states) {
        this.network = network;
        this.vocabulary = vocabulary;
        this.states = states;
    }

    /**
     * Writes the tokens that a text may go on with.
     *
     * @param from where the text stands
     * @param before its last byte
     * @param style of the text so far
     * @return how many there are, {@code most} at most
     */
    int tokens(State from, int before, int style, int[] tokens, int most) {
        int length = 0;
        State at = from;
        int last = before;
        while (length < MOST_BYTES && !at.ends) {
            last = next(at, last, style);
            if (last < 0) {
                break;
            }
            text[length++] = (byte) last;
            at = states.next(at, last);
        }
        int count = 0;
        int spelled = 0;
        while (spelled < length && count < most) {
            int token = vocabulary.longest(text, spelled, length);
            if (token < 0) {
                break;
            }
            tokens[count++] = token;
            spelled += vocabulary.bytes(token).length;
        }
        return count;
    }

    /** The style of a text once a byte has come where it stood. */
    int learned(State at, int before, int octet, int style) {
        int place = styled(before);
        if (place < 0 || !look(at) || !spaces) {
            return style;
        }
        Style seen = switch (octet) {
            case ' ' -> Style.SPACE;
            case '\n', '\r' -> Style.LINE;
            default -> Style.BARE;
        };
        // who begins an object on a line of its own begins members so
        return with(seen, place, seen == Style.LINE ? with(seen, styled(','), style) : style);
    }

    private static int with(Style its, int place, int style) {
        return style & ~(3 << place) | its.ordinal() << place;
    }

    /** Where the style says what comes behind a byte; negative where white space is no matter of it. */
    private static int styled(int octet) {
        return switch (octet) {
            case ':' -> 0;
            case ',' -> 2;
            case '{' -> 4;
            case '[' -> 6;
            default -> -1;
        };
    }

    /** The likely next byte; negative where there is none. */
    private int next(State at, int before, int style) {
        if (!look(at)) {
            return NOTHING;
        }
        if (!spaces) {
            return only;
        }
        int place = styled(before);
        Style its = place < 0 ? Style.BARE : Style.values()[style >>> place & 3];
        return switch (its) {
            case BARE -> only;
            case SPACE -> ' ';
            case LINE -> NOTHING;
        };
    }

    /** Sees what may come; false where that may be nearly anything. */
    private boolean look(State at) {
        only = NOTHING;
        spaces = false;
        if (at.places.size() > MOST_PLACES) {
            return false;
        }
        for (Place place : at.places) {
            for (int e = network.firstEdge(place.node()); e < network.endEdge(place.node()); e++) {
                int low = network.low(e);
                if (network.high(e) - low > NARROW && low >= 0) {
                    return false;
                }
                if (low == ' ' && network.high(e) == ' ') {
                    spaces = true;
                } else if (low >= 0 && low != '\n' && low != '\r') {
                    only = low == network.high(e) && (only == low || only == NOTHING) ? low : SEVERAL;
                }
            }
        }
        return true;
    }
}
