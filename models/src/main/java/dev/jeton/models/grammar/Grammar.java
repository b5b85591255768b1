package dev.jeton.models.grammar;

import dev.jeton.models.engine.TokenGrammar;
import dev.jeton.models.grammar.GrammarStates.Frame;
import dev.jeton.models.grammar.GrammarStates.Place;
import dev.jeton.models.grammar.GrammarStates.State;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A grammar over the tokens of one vocabulary.
 *
 * <p><b>Which tokens may come.</b> The bytes of all tokens are walked as a trie, a state beside each node; where a byte
 * is refused the whole subtree is. That is a walk over all of a vocabulary inside a JSON string, where nearly every
 * token may come. So it is divided, after XGrammar (Dong et al., 2024): what a token may do from one node of the
 * network on without looking at what waits for the node's rule is the same in every state, and found once for the node.
 * It is tokens that may come, whatever is around, and <i>exits</i>: nodes of the trie where the rule has ended. From
 * these on alone is the trie walked again with what waits, which is some hundred bytes, once for each state.
 *
 * <p>{@link #begin} may be called by any thread; the cursors are for one thread, the owner of the engine. Memory: what
 * is found is kept until it takes {@value #MAX_BYTES} bytes, and then found again. A mask costs its {@code vocabulary /
 * 64} words written, once its state's tokens are known.
 */
public final class Grammar implements TokenGrammar {

    private static final long MAX_BYTES = 4L << 20;
    /** How many nodes of the trie are looked at before the grammar is used, so that the engine's owner need not. */
    private static final long WARM_STEPS = 4_000_000;

    /** Most that are looked at before there is a grammar: about a tenth of a second. */
    private static final long COMPILE_STEPS = 20_000_000;
    /** Most that are looked at for one mask, for which all sequences of the model wait: some hundredths of a second. */
    private static final long MASK_STEPS = 5_000_000;

    /** Texts that begin with a space. */
    private static final TextAutomaton SPACED =
            ExpressionAutomaton.within(Expression.sequence(new Expression.Begin(), new Expression.Chars(' ', ' ')));

    /** A mask takes too long. */
    private static final class TooLongException extends RuntimeException {
        TooLongException() {
            super("a mask takes too long", null, false, false);
        }
    }

    /** What may come from a node of the network on, whatever waits: as bits, or where they are few as a list. */
    private record Local(long[] bits, int[] tokens, int[] exits) {}

    /** Bits, by what they are. */
    private record Bits(long[] words) {

        @Override
        public boolean equals(@Nullable Object other) {
            return other instanceof Bits(long[] its) && Arrays.equals(words, its);
        }

        @Override
        public int hashCode() {
            return Arrays.hashCode(words);
        }
    }

    /** What may come in a state. */
    private record Allowed(Local[] locals, int[] more) {}

    private final Network network;
    private final GrammarVocabulary vocabulary;
    private final long maxBytes;
    private final GrammarStates states;
    private final @Nullable Local[] locals;
    /** By node, one that no token can tell from it. */
    private final int[] same;

    private State start;
    /** At most places of a string of bounded length the same tokens may come: their bits are kept once. */
    private final Map<Bits, long[]> shared = new HashMap<>();

    private final State[] path;
    private final Ints found = new Ints();
    private long memoBytes;
    private long steps;
    private long limit = COMPILE_STEPS;
    private volatile long bytes;

    private Grammar(Network network, GrammarVocabulary vocabulary, long maxBytes) {
        this.network = network;
        this.vocabulary = vocabulary;
        this.maxBytes = maxBytes;
        states = new GrammarStates(network);
        locals = new Local[network.nodes()];
        same = network.sameWithin(vocabulary.deepest());
        path = new State[vocabulary.deepest() + 1];
        start = states.at(network.start());
        if (start == states.dead()) {
            throw new GrammarException("there are more than %d ways to begin; simplify the schema or expression"
                    .formatted(GrammarStates.MAX_PLACES));
        }
        if (start.places.isEmpty()) {
            throw new GrammarException("only the empty text fits; ask for one that has some");
        }
        try {
            warm();
        } catch (TooLongException e) {
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
        int root = root(spec, network, vocabulary, spaced);
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
                JsonSchemaCompiler.compile(network, schema, strict);
            case GrammarSpec.Regex(String pattern) -> text(network, Regex.texts(pattern, true), spaced);
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

    private void warm() {
        long before = steps;
        // half of what is kept: more would be forgotten with the rest before it is used
        for (int node = 0; node < network.nodes() && steps - before < WARM_STEPS && kept() < maxBytes / 2; node++) {
            if (same[node] == node && takesBytes(node)) {
                local(node);
            }
        }
        allowed(start);
    }

    private boolean takesBytes(int node) {
        for (int e = network.firstEdge(node); e < network.endEdge(node); e++) {
            if (network.low(e) >= 0) {
                return true;
            }
        }
        return false;
    }

    @Override
    public int vocabulary() {
        return vocabulary.size();
    }

    @Override
    public Cursor begin() {
        return new TextCursor();
    }

    /** About the bytes that it takes now; any thread. */
    public long bytes() {
        return bytes;
    }

    private void weigh() {
        bytes = 4_096 + network.bytes() + 8L * locals.length + memoBytes + states.bytes();
    }

    /** Nodes of the trie looked at so far: what masks have cost. */
    public long steps() {
        return steps;
    }

    private final class TextCursor implements Cursor {

        private @Nullable State state;
        private int cleared;

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
            forgetIfFull();
            limit = steps + states.steps() + MASK_STEPS;
            Allowed allowed;
            try {
                allowed = allowed(state());
            } catch (TooLongException e) {
                return false;
            }
            boolean written = false;
            for (Local local : allowed.locals) {
                if (local.bits.length > 0) {
                    write(local.bits, bits, from, written);
                    written = true;
                }
            }
            if (!written) {
                Arrays.fill(bits, from, from + vocabulary.words(), 0);
            }
            for (Local local : allowed.locals) {
                set(bits, from, local.tokens);
            }
            set(bits, from, allowed.more);
            return true;
        }

        @Override
        public boolean accept(int token) {
            byte[] text = vocabulary.bytes(token);
            State at = state();
            for (byte octet : text) {
                at = states.next(at, octet & 0xff);
            }
            if (text.length == 0 || at == states.dead()) {
                return false;
            }
            state = at;
            return true;
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

    private static void write(long[] source, long[] bits, int from, boolean over) {
        if (!over) {
            System.arraycopy(source, 0, bits, from, source.length);
            return;
        }
        for (int i = 0; i < source.length; i++) {
            bits[from + i] |= source[i];
        }
    }

    private static void set(long[] bits, int from, int[] tokens) {
        for (int token : tokens) {
            bits[from + (token >>> 6)] |= 1L << token;
        }
    }

    private long kept() {
        return memoBytes + states.bytes();
    }

    private void forgetIfFull() {
        if (kept() > maxBytes) {
            states.clear();
            Arrays.fill(locals, null);
            shared.clear();
            memoBytes = 0;
            start = states.at(network.start());
        }
    }

    private Allowed allowed(State state) {
        if (state.memo instanceof Allowed known) {
            return known;
        }
        Local[] all = new Local[state.places.size()];
        Ints more = new Ints();
        for (int i = 0; i < all.length; i++) {
            Place place = state.places.get(i);
            Local local = local(place.node());
            all[i] = local;
            Frame frame = place.frame();
            if (frame != states.bottom()) {
                State after = states.returned(frame);
                for (int exit : local.exits) {
                    walk(exit, after, more, null);
                }
            }
        }
        Allowed allowed = new Allowed(all, more.toArray());
        memoBytes += 64 + 4L * all.length + 4L * allowed.more.length;
        state.memo = allowed;
        weigh();
        return allowed;
    }

    private Local local(int node) {
        int like = same[node];
        Local known = locals[like];
        if (known != null) {
            return known;
        }
        Ints exits = new Ints();
        found.clear();
        walk(0, states.only(node), found, exits);
        Local local;
        if (found.size() > 2 * vocabulary.words()) {
            long[] bits = new long[vocabulary.words()];
            set(bits, 0, found.toArray());
            local = new Local(shared(bits), new int[0], exits.toArray());
        } else {
            local = new Local(new long[0], found.toArray(), exits.toArray());
        }
        memoBytes += 96 + 4L * local.tokens.length + 4L * local.exits.length;
        locals[like] = local;
        return local;
    }

    private long[] shared(long[] bits) {
        long[] known = shared.putIfAbsent(new Bits(bits), bits);
        if (known == null) {
            memoBytes += 64 + 8L * bits.length;
        }
        return known == null ? bits : known;
    }

    /**
     * Walks the trie below a node.
     *
     * @param from the trie's node
     * @param at the state there
     * @param tokens receives those that may come
     * @param exits receives nodes where what was begun may have ended, if they are wanted
     */
    private void walk(int from, State at, Ints tokens, @Nullable Ints exits) {
        int base = vocabulary.depth(from);
        State dead = states.dead();
        path[0] = at;
        int end = vocabulary.end(from);
        for (int node = from + 1; node < end; ) {
            steps++;
            if (steps + states.steps() > limit) {
                throw new TooLongException();
            }
            int depth = vocabulary.depth(node) - base;
            State next = states.next(path[depth - 1], vocabulary.octet(node));
            if (next == dead) {
                node = vocabulary.end(node);
                continue;
            }
            path[depth] = next;
            for (int token = vocabulary.token(node); token >= 0; token = vocabulary.twin(token)) {
                tokens.add(token);
            }
            if (exits != null && next.ends) {
                exits.add(node);
            }
            node++;
        }
    }

    /** A list of numbers. */
    private static final class Ints {
        private int[] values = new int[64];
        private int size;

        void add(int value) {
            if (size == values.length) {
                values = Arrays.copyOf(values, 2 * size);
            }
            values[size++] = value;
        }

        int size() {
            return size;
        }

        void clear() {
            size = 0;
        }

        int[] toArray() {
            return Arrays.copyOf(values, size);
        }
    }
}
