package dev.jeton.models.grammar;

import dev.jeton.models.engine.TokenGrammar;
import dev.jeton.models.grammar.GrammarStates.State;
import dev.jeton.models.grammar.StateTokens.Allowed;
import org.jspecify.annotations.Nullable;

/**
 * A grammar over the tokens of one vocabulary.
 *
 * <p><b>Which tokens may come.</b> The bytes of all tokens are walked as a trie, a state beside each node; where a byte
 * is refused the whole subtree is. That is a walk over all of a vocabulary inside a JSON string, where nearly every
 * token may come. So it is divided, after XGrammar (Dong et al., 2024): what a token may do from one node of the
 * network on without looking at what waits for the node's rule is the same in every state, and found once for the node.
 * It is tokens that may come, whatever is around, and <i>exits</i>: nodes of the trie behind those where the rule has
 * ended. From these on alone is the trie walked again with what waits, once for each state, and only where it takes
 * their byte.
 *
 * <p>{@link #begin} may be called by any thread; the cursors are for one thread, the owner of the engine. Memory: what
 * is found is kept until it takes {@value #MAX_BYTES} bytes, and then found again. A mask costs its {@code vocabulary /
 * 64} words written, once its state's tokens are known.
 */
public final class Grammar implements TokenGrammar {

    private static final long MAX_BYTES = 4L << 20;

    /** Texts that begin with a space. */
    private static final TextAutomaton SPACED =
            ExpressionAutomaton.within(Expression.sequence(new Expression.Begin(), new Expression.Chars(' ', ' ')));

    private final Network network;
    private final GrammarVocabulary vocabulary;
    private final GrammarStates states;
    private final StateTokens tokens;
    private final LikelyText likely;
    private final boolean optional;
    private State start;

    private Grammar(Network network, GrammarVocabulary vocabulary, long maxBytes) {
        this.network = network;
        this.vocabulary = vocabulary;
        states = new GrammarStates(network);
        tokens = new StateTokens(network, vocabulary, states, maxBytes);
        likely = new LikelyText(network, vocabulary, states);
        start = states.at(network.start());
        if (start == states.dead()) {
            throw new GrammarException("there are more than %d ways to begin; simplify the schema or expression"
                    .formatted(GrammarStates.MAX_PLACES));
        }
        if (start.places.isEmpty()) {
            throw new GrammarException("only the empty text fits; ask for one that has some");
        }
        optional = tokens.freeSomewhere(start);
        if (!tokens.warm(start)) {
            throw new GrammarException("there are too many ways to begin; simplify the schema or expression");
        }
    }

    /**
     * Compiles a grammar; takes milliseconds, some tenths of a second for large ones, and at most about two seconds.
     *
     * @param continues whether the text goes on in another, so that the decoder takes no space from its beginning
     * @throws GrammarException if it cannot be followed, saying what to change
     */
    public static Grammar compile(GrammarSpec spec, GrammarVocabulary vocabulary, boolean continues) {
        return compile(spec, vocabulary, continues, MAX_BYTES);
    }

    /** The same, where what was found is kept until it takes so many bytes. */
    static Grammar compile(GrammarSpec spec, GrammarVocabulary vocabulary, boolean continues, long maxBytes) {
        boolean spaced = vocabulary.stripsSpace() && !continues;
        return CompileWork.within(() -> compiled(spec, vocabulary, spaced, maxBytes));
    }

    private static Grammar compiled(GrammarSpec spec, GrammarVocabulary vocabulary, boolean spaced, long maxBytes) {
        NetworkBuilder network = new NetworkBuilder();
        int root = spec instanceof GrammarSpec.Tags tags
                ? TagRules.rule(tags, network, vocabulary, inner -> root(inner, network, vocabulary, false))
                : root(spec, network, vocabulary, spaced);
        return new Grammar(network.build(root), vocabulary, maxBytes);
    }

    private static int root(GrammarSpec spec, NetworkBuilder network, GrammarVocabulary vocabulary, boolean spaced) {
        return switch (spec) {
            case GrammarSpec.JsonObject() -> {
                JsonRules json = new JsonRules(network);
                int rule = network.rule();
                network.call(network.call(network.begin(rule), json.space()), json.object(), network.end(rule));
                yield rule;
            }
            case GrammarSpec.JsonSchema(Object schema, boolean strict) ->
                JsonSchemaCompiler.compile(network, schema, strict, true);
            case GrammarSpec.Regex(String pattern) -> text(network, Regex.texts(pattern, true), spaced);
            case GrammarSpec.Ebnf(String grammar) -> EbnfRules.rule(grammar, network, spaced);
            case GrammarSpec.Text(String text) -> {
                int rule = network.rule();
                network.epsilon(TagRules.literal(network, vocabulary, network.begin(rule), text), network.end(rule));
                yield rule;
            }
            case GrammarSpec.Sequence(var parts) -> {
                int rule = network.rule();
                int at = network.begin(rule);
                for (GrammarSpec part : parts) {
                    at = network.call(at, root(part, network, vocabulary, spaced && at == network.begin(rule)));
                }
                network.epsilon(at, network.end(rule));
                yield rule;
            }
            case GrammarSpec.Either(var parts) -> {
                int rule = network.rule();
                for (GrammarSpec part : parts) {
                    network.call(network.begin(rule), root(part, network, vocabulary, spaced), network.end(rule));
                }
                yield rule;
            }
            case GrammarSpec.RestOfCalls rest -> CallRules.rest(rest, network, vocabulary);
            case GrammarSpec.Channels channels ->
                new ChannelRules(network, vocabulary)
                        .message(channels, answer -> root(answer, network, vocabulary, spaced));
            case GrammarSpec.RestOfChannelCall rest -> new ChannelRules(network, vocabulary).rest(rest);
            case GrammarSpec.Tags tags ->
                throw new GrammarException(
                        "text that is free but for its tags is a text of its own, and no part of one");
            case GrammarSpec.Choice(var choices) -> text(network, TextAutomaton.of(choices), spaced);
            case GrammarSpec.Calls calls -> {
                int rule = CallRules.rule(calls, network, vocabulary, spaced);
                calls.otherwise()
                        .ifPresent(other -> network.call(
                                network.begin(rule), root(other, network, vocabulary, spaced), network.end(rule)));
                yield rule;
            }
        };
    }

    private static int text(NetworkBuilder network, TextAutomaton texts, boolean spaced) {
        int rule = network.rule();
        int begin = network.begin(rule);
        int end = network.end(rule);
        if (!spaced) {
            TextEncoder.write(network, texts, begin, end, false);
            return rule;
        }
        int after = network.node();
        network.bytes(begin, ' ', ' ', after);
        if (texts.next(0, ' ') == TextAutomaton.DEAD) {
            network.epsilon(begin, after);
        } else {
            // the space that a text begins with would be taken as well as one before it
            TextEncoder.write(network, texts.without(SPACED), begin, end, false);
        }
        TextEncoder.write(network, texts, after, end, false);
        return rule;
    }

    @Override
    public int vocabulary() {
        return vocabulary.size();
    }

    @Override
    public Cursor begin() {
        return new TextCursor(null, 0, 0, LikelyText.FIRST_STYLE);
    }

    /** Free text may be anything; one that begins with a tag may not. */
    @Override
    public boolean optional() {
        return optional;
    }

    /** About the bytes that it takes now; any thread. */
    public long bytes() {
        return tokens.bytes();
    }

    /** Nodes of the trie looked at so far: what masks have cost. */
    public long steps() {
        return tokens.steps();
    }

    private final class TextCursor implements Cursor {

        private @Nullable State state;
        private int cleared;
        /** The last byte of the text. */
        private int last;

        private int style;

        private TextCursor(@Nullable State state, int cleared, int last, int style) {
            this.state = state;
            this.cleared = cleared;
            this.last = last;
            this.style = style;
        }

        @Override
        public Cursor copy() {
            return new TextCursor(state, cleared, last, style);
        }

        /** Where it is; the beginning is taken where it is needed, for that is made again with all the others. */
        private State state() {
            State at = state;
            if (at == null) {
                at = start;
            } else if (cleared != states.cleared()) {
                at = states.adopt(at);
            }
            state = at;
            cleared = states.cleared();
            return at;
        }

        @Override
        public boolean mask(long[] bits, int from) {
            Allowed allowed = known();
            if (allowed == null) {
                return false;
            }
            tokens.write(allowed, bits, from);
            return true;
        }

        /** What may come; nothing where that takes too long to find out. */
        private @Nullable Allowed known() {
            if (tokens.forgetIfFull()) {
                start = states.at(network.start());
            }
            return tokens.allowed(state());
        }

        @Override
        public boolean free() {
            if (!state().ends || !tokens.freeSomewhere(state())) {
                return false;
            }
            Allowed known = known();
            return known != null && known.everything();
        }

        @Override
        public boolean accept(int token) {
            byte[] text = vocabulary.bytes(token);
            State at = state();
            if (text.length == 0) {
                // what it writes, if anything, is no text of which anything is known
                return tokens.freeSomewhere(at);
            }
            int before = last;
            int written = style;
            for (byte octet : text) {
                written = likely.learned(at, before, octet, written);
                before = octet & 0xff;
                at = states.next(at, before);
            }
            if (at == states.dead()) {
                return false;
            }
            boolean unseen =
                    (text[0] & 0xff) == GrammarVocabulary.SPECIAL && tokens.freeOnly(at) && tokens.freeOnly(state());
            if (!unseen) {
                // a special token is mostly left out of the text, in which a trigger goes on behind it
                state = at;
                last = before;
                style = written;
            }
            return true;
        }

        @Override
        public int likely(int[] next, int most) {
            return likely.tokens(state(), last, style, next, most);
        }

        @Override
        public boolean mayEnd() {
            return state().ends;
        }

        @Override
        public boolean mustEnd() {
            return state().ends && state().places.isEmpty();
        }
    }
}
