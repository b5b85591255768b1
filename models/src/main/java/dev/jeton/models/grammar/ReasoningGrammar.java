package dev.jeton.models.grammar;

import dev.jeton.models.engine.TokenGrammar;
import dev.jeton.models.reasoning.ReasoningFormat.Opening;
import java.util.Arrays;
import java.util.Optional;

/**
 * Thinking in front of an answer: any tokens until the mark that ends it, and only then what the answer must be.
 *
 * <p>Where the prompt leaves open whether the model thinks, its first token may begin the mark as well as the answer,
 * and both ways are followed until one of them ends. While it thinks, an answer that must be something cannot end, and
 * no token may hold the end of the mark together with text behind it, since an answer's grammar begins with a token.
 * The newlines that models write between are nobody's.
 *
 * <p>The thinking may be bounded: after so many tokens only the mark may come, or after up to {@value #ENDING} more
 * that end a character, for many vocabularies have tokens of parts of one. A mask costs its {@code vocabulary / 64}
 * words written. Threads as {@link TokenGrammar} says.
 */
public final class ReasoningGrammar implements TokenGrammar {

    /** Thinking without a bound of its own. */
    public static final int UNBOUNDED = Integer.MAX_VALUE;

    /** Bytes that may follow a character's first. */
    static final int ENDING = 3;

    private final ReasoningTokens tokens;
    private final Optional<? extends TokenGrammar> answer;
    private final Opening opening;
    private final int most;
    private final int[] stops;
    /** Whether there must be an answer. */
    private final boolean bound;

    /**
     * Thinking, and what comes then.
     *
     * @param answer what the answer must be, over the same vocabulary; empty where it may be anything. Where it is
     *     {@link TokenGrammar#optional optional}, the text may end while the model thinks
     * @param opening how the prompt leaves the model
     * @param most tokens that it may think, before it must end that; {@link #UNBOUNDED} for no bound
     * @param stops tokens that end a text
     */
    public ReasoningGrammar(
            ReasoningTokens tokens, Optional<? extends TokenGrammar> answer, Opening opening, int most, int[] stops) {
        this.tokens = tokens;
        this.answer = answer;
        this.opening = opening;
        this.most = most;
        bound = answer.map(grammar -> !grammar.optional()).orElse(false);
        this.stops = Arrays.stream(stops)
                .filter(stop -> stop >= 0 && stop < tokens.size())
                .filter(stop -> stop != tokens.endToken())
                .toArray();
    }

    @Override
    public int vocabulary() {
        return tokens.size();
    }

    @Override
    public Cursor begin() {
        return new ThinkingCursor();
    }

    private enum State {
        /** It may be the beginning of the mark, or of the answer. */
        EITHER,
        THINKING,
        /** The thinking has ended, and nothing came but newlines. */
        BETWEEN,
        ANSWERING
    }

    private final class ThinkingCursor implements Cursor {

        private State state = switch (opening) {
            case EITHER -> State.EITHER;
            case THINKING -> State.THINKING;
            case ANSWERING -> State.ANSWERING;
        };
        /** Where the answer stands; the one of {@link State#EITHER} is thrown away if it thinks. */
        private Optional<Cursor> inner = answer.map(TokenGrammar::begin);

        /** Whether what came may be the answer's beginning. */
        private boolean answers = true;
        /** Bytes of a mark that were written. */
        private int matched;

        private int thought;
        /** Bytes that the character at hand has yet to get. */
        private int unfinished;

        private int newlines;

        @Override
        public Cursor copy() {
            ThinkingCursor copy = new ThinkingCursor();
            copy.state = state;
            copy.inner = inner.map(Cursor::copy);
            copy.answers = answers;
            copy.matched = matched;
            copy.thought = thought;
            copy.unfinished = unfinished;
            copy.newlines = newlines;
            return copy;
        }

        @Override
        public boolean mask(long[] bits, int from) {
            return switch (state) {
                case EITHER -> {
                    boolean known = answers ? answer(bits, from) : none(bits, from);
                    set(bits, from, tokens.beginning(matched));
                    yield known;
                }
                case THINKING -> spent() ? forced(bits, from) : free(bits, from);
                case BETWEEN -> {
                    boolean known = answer(bits, from);
                    set(bits, from, tokens.newlines(ReasoningTokens.MOST_NEWLINES - newlines));
                    yield known;
                }
                case ANSWERING -> answer(bits, from);
            };
        }

        private boolean spent() {
            return thought >= most && (unfinished == 0 || thought - most >= ENDING);
        }

        private boolean answer(long[] bits, int from) {
            return inner.isPresent() ? inner.get().mask(bits, from) : all(bits, from);
        }

        /** A vocabulary may have no token that goes on with a mark that was begun. */
        private boolean forced(long[] bits, int from) {
            int[] ending = tokens.ending(matched);
            if (ending.length == 0) {
                return free(bits, from);
            }
            none(bits, from);
            set(bits, from, ending);
            return true;
        }

        private boolean free(long[] bits, int from) {
            all(bits, from);
            clear(bits, from, overrunning());
            return true;
        }

        private int[] overrunning() {
            return inner.isPresent() ? tokens.overrunning(matched) : new int[0];
        }

        @Override
        public boolean free() {
            return switch (state) {
                case EITHER -> answers && innerFree();
                case THINKING -> !bound && !spent() && overrunning().length == 0;
                case BETWEEN, ANSWERING -> innerFree();
            };
        }

        private boolean innerFree() {
            return inner.isEmpty() || inner.get().free();
        }

        private boolean none(long[] bits, int from) {
            Arrays.fill(bits, from, from + words(), 0);
            return true;
        }

        private boolean all(long[] bits, int from) {
            Arrays.fill(bits, from, from + words(), -1);
            bits[from + words() - 1] = -1L >>> -tokens.size();
            clear(bits, from, stops);
            return true;
        }

        private int words() {
            return (tokens.size() + 63) / 64;
        }

        @Override
        public boolean accept(int token) {
            return switch (state) {
                case EITHER -> either(token);
                case THINKING -> think(token);
                case BETWEEN -> between(token);
                case ANSWERING -> inner.isEmpty() || inner.get().accept(token);
            };
        }

        private boolean either(int token) {
            boolean answered = answers && (inner.isEmpty() || inner.get().accept(token));
            if (token == tokens.beginToken()) {
                return thinks(token, tokens.bytes(token).length);
            }
            byte[] mark = tokens.begin();
            byte[] text = tokens.bytes(token);
            int at = matched;
            boolean along = text.length > 0;
            for (int i = 0; i < text.length && along; i++) {
                if (text[i] == mark[at]) {
                    if (++at == mark.length) {
                        return thinks(token, i + 1);
                    }
                } else {
                    along = at == 0 && Character.isWhitespace(text[i]);
                }
            }
            if (!along && !answered) {
                return false;
            }
            if (along) {
                matched = at;
                answers = answered;
            } else {
                state = State.ANSWERING;
            }
            return true;
        }

        /** The mark has come, and with it, from a byte on, what follows it. */
        private boolean thinks(int token, int from) {
            state = State.THINKING;
            matched = 0;
            inner = answer.map(TokenGrammar::begin);
            return think(token, from);
        }

        private boolean think(int token) {
            if (token == tokens.endToken()) {
                return ended(0);
            }
            thought++;
            if (tokens.special(token)) {
                unfinished = 0;
                return true;
            }
            return think(token, 0);
        }

        private boolean think(int token, int from) {
            int at = matched;
            byte[] text = tokens.bytes(token);
            for (int i = from; i < text.length; i++) {
                at = tokens.endMatched(at, text[i]);
                if (at == tokens.endLength()) {
                    return ended(tokens.newlines(token, i + 1));
                }
            }
            matched = at;
            for (int i = from; i < text.length; i++) {
                unfinished = continuing(text[i] & 0xff, unfinished);
            }
            return true;
        }

        /** @param rest newlines behind the mark in its token, or -1 for anything else */
        private boolean ended(int rest) {
            if (inner.isPresent() && (rest < 0 || rest > ReasoningTokens.MOST_NEWLINES)) {
                return false;
            }
            state = inner.isPresent() ? State.BETWEEN : State.ANSWERING;
            newlines = Math.max(0, rest);
            return true;
        }

        private boolean between(int token) {
            int more = tokens.newlines(token, 0);
            if (more > 0 && newlines + more <= ReasoningTokens.MOST_NEWLINES) {
                newlines += more;
                return true;
            }
            if (!inner.orElseThrow().accept(token)) {
                return false;
            }
            state = State.ANSWERING;
            return true;
        }

        @Override
        public int likely(int[] next, int most) {
            return state == State.ANSWERING && inner.isPresent() ? inner.get().likely(next, most) : 0;
        }

        @Override
        public boolean mayEnd() {
            return switch (state) {
                case EITHER -> answers && (inner.isEmpty() || inner.get().mayEnd());
                case THINKING -> !bound && !spent();
                case BETWEEN, ANSWERING -> inner.isEmpty() || inner.get().mayEnd();
            };
        }

        @Override
        public boolean mustEnd() {
            return switch (state) {
                case EITHER, THINKING -> false;
                case BETWEEN, ANSWERING -> inner.isPresent() && inner.get().mustEnd();
            };
        }
    }

    /** How many bytes of its character are to follow one. */
    static int continuing(int octet, int before) {
        if (octet < 0x80 || octet >= 0xf8) {
            return 0;
        }
        return octet < 0xc0 ? Math.max(0, before - 1) : octet < 0xe0 ? 1 : octet < 0xf0 ? 2 : 3;
    }

    static void set(long[] bits, int from, int[] tokens) {
        for (int token : tokens) {
            bits[from + (token >>> 6)] |= 1L << token;
        }
    }

    static void clear(long[] bits, int from, int[] tokens) {
        for (int token : tokens) {
            bits[from + (token >>> 6)] &= ~(1L << token);
        }
    }
}
