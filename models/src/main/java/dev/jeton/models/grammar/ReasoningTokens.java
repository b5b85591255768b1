package dev.jeton.models.grammar;

import dev.jeton.models.reasoning.ReasoningFormat;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;

/**
 * The tokens of one vocabulary that matter where a model thinks: which may go on with a mark of which so many bytes
 * were written, and which would end the thinking and begin the answer at once, so that a grammar could not be followed
 * from the answer's first byte. All lists are short. Immutable.
 */
public final class ReasoningTokens {

    /** Newlines that a model may write between its thinking and its answer, whatever the answer must be. */
    static final int MOST_NEWLINES = 2;

    private final GrammarVocabulary vocabulary;
    private final byte[] begin;
    private final byte[] end;
    private final int beginToken;
    private final int endToken;
    private final int[][] beginning;
    private final int[][] ending;
    private final int[][] overrunning;
    private final int[][] newlines;

    /** Looks at each token some ten times, which takes some hundredths of a second. */
    public ReasoningTokens(GrammarVocabulary vocabulary, ReasoningFormat format) {
        this.vocabulary = vocabulary;
        begin = format.begin().getBytes(StandardCharsets.US_ASCII);
        end = format.end().getBytes(StandardCharsets.US_ASCII);
        beginToken = special(begin);
        endToken = special(end);
        beginning = new int[begin.length][];
        for (int matched = 0; matched < begin.length; matched++) {
            int from = matched;
            beginning[matched] = tokens(token -> token == beginToken && from == 0 || along(begin, from, token));
        }
        ending = new int[end.length][];
        overrunning = new int[end.length][];
        for (int matched = 0; matched < end.length; matched++) {
            int from = matched;
            ending[matched] = tokens(token -> within(end, from, token));
            overrunning[matched] = tokens(token -> overruns(from, token));
        }
        // one token is what models are trained to end with
        int[] whole = tokens(token -> token == endToken || Arrays.equals(vocabulary.bytes(token), end));
        ending[0] = endToken >= 0 ? new int[] {endToken} : whole.length > 0 ? whole : ending[0];
        if (endToken >= 0 || whole.length > 0) {
            // a mark's first character alone was more likely a part of the thinking
            ending[1] = ending[0];
        }
        newlines = new int[MOST_NEWLINES + 1][];
        for (int most = 0; most <= MOST_NEWLINES; most++) {
            int bound = most;
            newlines[most] = tokens(token -> newlines(token, 0) > 0 && newlines(token, 0) <= bound);
        }
    }

    private int special(byte[] mark) {
        int[] found = tokens(token -> {
            byte[] text = vocabulary.bytes(token);
            return text.length == mark.length + 1
                    && (text[0] & 0xff) == GrammarVocabulary.SPECIAL
                    && Arrays.equals(text, 1, text.length, mark, 0, mark.length);
        });
        return found.length == 0 ? -1 : found[0];
    }

    private int[] tokens(IntPredicate which) {
        return IntStream.range(0, vocabulary.size()).filter(which).toArray();
    }

    /** Whether a token goes on with the rest of a mark, and maybe past it. */
    private boolean along(byte[] mark, int matched, int token) {
        byte[] text = vocabulary.bytes(token);
        int length = Math.min(text.length, mark.length - matched);
        return length > 0 && Arrays.equals(text, 0, length, mark, matched, matched + length);
    }

    private boolean within(byte[] mark, int matched, int token) {
        return vocabulary.bytes(token).length <= mark.length - matched && along(mark, matched, token);
    }

    private boolean overruns(int matched, int token) {
        byte[] text = vocabulary.bytes(token);
        int at = matched;
        for (int i = 0; i < text.length && !special(token); i++) {
            at = endMatched(at, text[i]);
            if (at == end.length) {
                int rest = newlines(token, i + 1);
                return rest < 0 || rest > MOST_NEWLINES;
            }
        }
        return false;
    }

    /** How many newlines a token is from a byte on; -1 where it is anything else. */
    int newlines(int token, int from) {
        byte[] text = vocabulary.bytes(token);
        for (int i = from; i < text.length; i++) {
            if (text[i] != '\n') {
                return -1;
            }
        }
        return text.length - from;
    }

    /** How many bytes of the mark that ends thinking were written, with a further one, after so many. */
    int endMatched(int matched, byte next) {
        return end[matched] == next ? matched + 1 : end[0] == next ? 1 : 0;
    }

    /** Ids are 0 until this. */
    int size() {
        return vocabulary.size();
    }

    byte[] bytes(int token) {
        return vocabulary.bytes(token);
    }

    boolean special(int token) {
        byte[] text = vocabulary.bytes(token);
        return text.length > 0 && (text[0] & 0xff) == GrammarVocabulary.SPECIAL;
    }

    byte[] begin() {
        return begin;
    }

    int endLength() {
        return end.length;
    }

    /** The special token that begins thinking, or -1. */
    int beginToken() {
        return beginToken;
    }

    /** The special token that ends thinking, or -1. */
    int endToken() {
        return endToken;
    }

    /** Tokens that go on with the mark that begins thinking, of which so many bytes were written. */
    int[] beginning(int matched) {
        return beginning[matched];
    }

    /** Tokens with which thinking is ended, where so many bytes of the mark were written: nothing but the mark. */
    int[] ending(int matched) {
        return ending[matched];
    }

    /** Tokens with the end of the mark, and more behind it than newlines. */
    int[] overrunning(int matched) {
        return overrunning[matched];
    }

    /** Tokens of at most so many newlines, and at least one. */
    int[] newlines(int most) {
        return newlines[most];
    }
}
