package dev.jeton.models.grammar;

import dev.jeton.models.engine.TokenGrammar;
import dev.jeton.models.harmony.HarmonyHeader;
import dev.jeton.models.harmony.HarmonyMark;
import dev.jeton.models.reasoning.ReasoningFormat.Opening;
import dev.jeton.models.reasoning.ReasoningPlace;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Optional;

/**
 * An answer in OpenAI's harmony format: messages of the channel of thinking, which are free, and then one of which
 * {@link GrammarSpec.Channels} says what it must be; or messages that are free all, but for calls of functions, as
 * {@link GrammarSpec.Tags} of a header say it.
 *
 * <p>The message's grammar begins anew with each header, so that what looks like one within a text is none. Where there
 * must be an answer, the text cannot end before it, and of marks only that of the end may come in thinking.
 *
 * <p>The thinking may be bounded, over all its messages: after so many tokens only the mark of their end may come, or
 * after up to {@value ReasoningGrammar#ENDING} more that end a character; and where a channel must be named then, only
 * the name of another may begin: of a model that is kept from one way to write a name the next likely token is another
 * way. A mask costs its {@code vocabulary / 64} words written. Threads as {@link TokenGrammar} says.
 */
public final class ChannelGrammar implements TokenGrammar {

    private static final int MOST_HEADER = 512;

    private final ChannelTokens tokens;
    private final Optional<? extends TokenGrammar> message;
    private final Optional<? extends TokenGrammar> behind;
    private final ReasoningPlace place;
    private final int most;
    private final int[] stops;
    /** Whether there must be an answer. */
    private final boolean bound;

    /**
     * Messages.
     *
     * @param message what one must be from behind its role on, over the same vocabulary; empty where each may be
     *     anything. Where it is {@link TokenGrammar#optional optional}, it is about headers and calls alone
     * @param behind what the answer's text must be where the message's grammar ends with its header; empty otherwise
     * @param place where the prompt leaves the model
     * @param most tokens that it may think; {@link ReasoningGrammar#UNBOUNDED} for no bound
     * @param stops tokens that end a text
     */
    public ChannelGrammar(
            ChannelTokens tokens,
            Optional<? extends TokenGrammar> message,
            Optional<? extends TokenGrammar> behind,
            ReasoningPlace place,
            int most,
            int[] stops) {
        this.tokens = tokens;
        this.message = message;
        this.behind = behind;
        this.place = place;
        this.most = most;
        bound = message.map(grammar -> !grammar.optional()).orElse(false);
        this.stops = Arrays.stream(stops)
                .filter(stop -> stop >= 0 && stop < tokens.size())
                .filter(stop -> stop != tokens.end())
                .toArray();
    }

    @Override
    public int vocabulary() {
        return tokens.size();
    }

    @Override
    public Cursor begin() {
        return new MessagesCursor();
    }

    private enum State {
        /** Before a message, where nothing of it was written. */
        BETWEEN,
        /** A message has begun whose role must follow. */
        ROLE,
        /** Behind the role. */
        HEADER,
        THINKING,
        /** In a text that the message's grammar is about. */
        HELD,
        /** In any other. */
        FREE
    }

    private final class MessagesCursor implements Cursor {

        private State state = switch (place.opening()) {
            case EITHER ->
                place.header().strip().equals(HarmonyHeader.ASSISTANT) || !bound ? State.HEADER : State.BETWEEN;
            case THINKING -> State.THINKING;
            case ANSWERING -> State.FREE;
        };
        /** Where the message stands. */
        private Optional<Cursor> inner = message.map(TokenGrammar::begin);

        private final StringBuilder header = new StringBuilder(place.opening() == Opening.EITHER ? place.header() : "");
        /** Bytes of the role that were written. */
        private int matched;

        private int thought;
        /** Bytes that the character at hand has yet to get. */
        private int unfinished;

        @Override
        public Cursor copy() {
            MessagesCursor copy = new MessagesCursor();
            copy.state = state;
            copy.inner = inner.map(Cursor::copy);
            copy.header.setLength(0);
            copy.header.append(header);
            copy.matched = matched;
            copy.thought = thought;
            copy.unfinished = unfinished;
            return copy;
        }

        private boolean spent() {
            return thought >= most && (unfinished == 0 || thought - most >= ReasoningGrammar.ENDING);
        }

        /** Whether a channel must be named next. */
        private boolean beforeChannel() {
            return !header.isEmpty() && header.charAt(header.length() - 1) == HarmonyMark.CHANNEL.sign();
        }

        @Override
        public boolean mask(long[] bits, int from) {
            switch (state) {
                case BETWEEN -> {
                    if (!bound) {
                        all(bits, from);
                    } else {
                        only(bits, from, tokens.start());
                    }
                }
                case ROLE -> only(bits, from, tokens.role(matched));
                case HEADER -> {
                    if (inner.isEmpty()) {
                        all(bits, from);
                    } else if (!inner.get().mask(bits, from)) {
                        return false;
                    }
                    if (spent() && beforeChannel()) {
                        only(bits, from, those(bits, from, tokens.answering()));
                    }
                }
                case THINKING -> {
                    if (spent()) {
                        only(bits, from, tokens.end());
                    } else {
                        all(bits, from);
                        if (bound) {
                            ReasoningGrammar.clear(bits, from, tokens.others());
                        }
                    }
                }
                case HELD -> {
                    return inner.orElseThrow().mask(bits, from);
                }
                case FREE -> all(bits, from);
            }
            return true;
        }

        private void only(long[] bits, int from, int... these) {
            Arrays.fill(bits, from, from + words(), 0);
            ReasoningGrammar.set(bits, from, these);
        }

        /** Which of these a mask allows. */
        private static int[] those(long[] bits, int from, int[] these) {
            return Arrays.stream(these)
                    .filter(token -> (bits[from + (token >>> 6)] >>> token & 1) != 0)
                    .toArray();
        }

        private void all(long[] bits, int from) {
            Arrays.fill(bits, from, from + words(), -1);
            bits[from + words() - 1] = -1L >>> -tokens.size();
            ReasoningGrammar.clear(bits, from, stops);
        }

        private int words() {
            return (tokens.size() + 63) / 64;
        }

        @Override
        public boolean free() {
            return switch (state) {
                case BETWEEN, FREE -> !bound;
                case ROLE -> false;
                case HEADER -> !spent() && inner.map(Cursor::free).orElse(true);
                case THINKING -> !bound && !spent();
                case HELD -> inner.orElseThrow().free();
            };
        }

        @Override
        public boolean accept(int token) {
            Optional<HarmonyMark> mark = tokens.mark(token);
            return switch (state) {
                case BETWEEN -> between(token, mark);
                case ROLE -> role(token);
                case HEADER -> header(token, mark);
                case THINKING -> think(token, mark);
                case HELD -> inner.orElseThrow().accept(token);
                case FREE -> {
                    mark.ifPresent(this::free);
                    yield true;
                }
            };
        }

        private boolean between(int token, Optional<HarmonyMark> mark) {
            if (!bound) {
                next();
                return mark.filter(HarmonyMark.START::equals).isPresent() || header(token, mark);
            }
            if (token != tokens.start()) {
                return false;
            }
            state = State.ROLE;
            matched = 0;
            return true;
        }

        private boolean role(int token) {
            int longer = tokens.role(matched, token);
            if (longer == matched) {
                return false;
            }
            matched = longer;
            if (ChannelTokens.isRole(matched)) {
                next();
            }
            return true;
        }

        /** A header begins. */
        private void next() {
            state = State.HEADER;
            header.setLength(0);
            inner = message.map(TokenGrammar::begin);
        }

        private boolean header(int token, Optional<HarmonyMark> mark) {
            // a text that may end is none of a call's
            boolean open = inner.map(Cursor::mayEnd).orElse(true);
            if (inner.isPresent() && !inner.get().accept(token)) {
                return false;
            }
            if (mark.isEmpty()) {
                write(tokens.bytes(token));
                return true;
            }
            switch (mark.get()) {
                case CHANNEL, CONSTRAIN -> write(mark.get().sign());
                case MESSAGE -> begin(HarmonyHeader.parse(header), open);
                case START, END, RETURN, CALL -> next();
            }
            return true;
        }

        /** A message's text begins; it may be anything where its header left that open. */
        private void begin(HarmonyHeader read, boolean open) {
            Optional<Cursor> call = open && read.toTool() ? call(read.recipient()) : Optional.empty();
            boolean thinks = read.analysis() && read.recipient().isEmpty();
            if (call.isPresent()) {
                state = State.HELD;
                inner = call;
                return;
            }
            state = thinks && (open || bound) ? State.THINKING : open ? State.FREE : State.HELD;
            if (state == State.HELD && read.channel().equals(HarmonyHeader.FINAL) && behind.isPresent()) {
                inner = behind.map(TokenGrammar::begin);
            }
        }

        /**
         * The arguments of a call whose header has a function's name alone, for which readers take it, as the message's
         * grammar has them behind a header with all that comes before a name; empty where there is no such function.
         */
        private Optional<Cursor> call(String name) {
            Optional<Cursor> whole = message.map(TokenGrammar::begin);
            String header = HarmonyHeader.TO + HarmonyHeader.FUNCTIONS + name;
            for (byte octet : header.getBytes(StandardCharsets.UTF_8)) {
                int token = tokens.octet(octet);
                whole = whole.filter(cursor -> token >= 0 && cursor.accept(token));
            }
            return whole.filter(cursor -> cursor.accept(tokens.message()) && !cursor.mayEnd());
        }

        private void write(byte[] text) {
            for (byte octet : text) {
                // what is not ASCII is of no matter in a header
                write((char) (octet & 0xff));
            }
        }

        private void write(char c) {
            if (header.length() < MOST_HEADER) {
                header.append(c);
            }
        }

        private boolean think(int token, Optional<HarmonyMark> mark) {
            if (mark.isPresent()) {
                if (bound && token != tokens.end()) {
                    return false;
                }
                free(mark.get());
                return true;
            }
            thought++;
            for (byte octet : tokens.bytes(token)) {
                unfinished = ReasoningGrammar.continuing(octet & 0xff, unfinished);
            }
            return true;
        }

        /** A mark comes in a text that is free. */
        private void free(HarmonyMark mark) {
            switch (mark) {
                case END, RETURN, CALL -> state = State.BETWEEN;
                case START -> next();
                case CHANNEL -> {
                    next();
                    write(mark.sign());
                }
                case CONSTRAIN, MESSAGE -> {}
            }
        }

        @Override
        public int likely(int[] next, int limit) {
            boolean held = state == State.HELD || state == State.HEADER && bound;
            return held ? inner.orElseThrow().likely(next, limit) : 0;
        }

        @Override
        public boolean mayEnd() {
            return switch (state) {
                case BETWEEN -> !bound;
                case ROLE -> false;
                case HEADER -> inner.map(Cursor::mayEnd).orElse(true);
                case THINKING -> !bound && !spent();
                case HELD -> inner.orElseThrow().mayEnd();
                case FREE -> true;
            };
        }

        @Override
        public boolean mustEnd() {
            return state == State.HELD && inner.orElseThrow().mustEnd();
        }
    }
}
