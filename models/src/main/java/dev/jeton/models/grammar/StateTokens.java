package dev.jeton.models.grammar;

import dev.jeton.models.grammar.GrammarStates.Frame;
import dev.jeton.models.grammar.GrammarStates.Place;
import dev.jeton.models.grammar.GrammarStates.State;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Which tokens may come in the states of a grammar, found as they are reached and kept. {@link Grammar} has the
 * algorithm. Used by one thread at a time, but for {@link #bytes}.
 */
final class StateTokens {

    /** How many nodes of the trie are looked at before the grammar is used, so that the engine's owner need not. */
    private static final long WARM_STEPS = 4_000_000;

    /** Most that are looked at before there is a grammar: about a tenth of a second. */
    private static final long COMPILE_STEPS = 20_000_000;
    /** Most that are looked at for one mask, for which all sequences of the model wait: some hundredths of a second. */
    private static final long MASK_STEPS = 5_000_000;

    /** A mask takes too long. */
    private static final class TooLongException extends RuntimeException {
        TooLongException() {
            super("a mask takes too long", null, false, false);
        }
    }

    /**
     * What may come from a node of the network on, whatever waits: as bits, or where they are few as a list. From a
     * node of free text all may come but those of the list.
     */
    record Local(long[] bits, int[] tokens, Exits exits, boolean free) {}

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

    /** What may come in a state: where some of its places are of free text, all but the refused, and the others. */
    record Allowed(Local[] locals, int[] more, int @Nullable [] refused) {

        boolean everything() {
            return refused != null && refused.length == 0;
        }
    }

    private final Network network;
    private final GrammarVocabulary vocabulary;
    private final GrammarStates states;
    private final FreeTokens freeTokens;
    private final long maxBytes;
    /** Whether a rule is ever called: otherwise nothing waits where one ends. */
    private final boolean calls;

    private final @Nullable Local[] locals;
    /** By node, one that no token can tell from it. */
    private final int[] same;
    /** At most places of a string of bounded length the same tokens may come: their bits are kept once. */
    private final Map<Bits, long[]> shared = new HashMap<>();

    private final State[] path;
    private final Ints found = new Ints();
    private long memoBytes;
    private long steps;
    private long limit = COMPILE_STEPS;
    private volatile long bytes;

    /** @param maxBytes what is kept may take */
    StateTokens(Network network, GrammarVocabulary vocabulary, GrammarStates states, long maxBytes) {
        this.network = network;
        this.vocabulary = vocabulary;
        this.states = states;
        this.maxBytes = maxBytes;
        freeTokens = new FreeTokens(network, vocabulary, states);
        calls = network.calls();
        locals = new Local[network.nodes()];
        same = network.sameWithin(vocabulary.deepest());
        path = new State[vocabulary.deepest() + 1];
    }

    /** About the bytes that the grammar takes now; any thread. */
    long bytes() {
        return bytes;
    }

    /** Nodes of the trie looked at so far. */
    long steps() {
        return steps;
    }

    private void weigh() {
        bytes = 4_096 + network.bytes() + 8L * locals.length + memoBytes + states.bytes();
    }

    /**
     * Finds out before the grammar is used what can be, so that the engine's owner need not.
     *
     * @return false where already the beginning takes too long
     */
    boolean warm(State start) {
        try {
            warmNodes();
            find(start);
            return true;
        } catch (TooLongException e) {
            return false;
        }
    }

    private void warmNodes() {
        long before = steps;
        // half of what is kept: more would be forgotten with the rest before it is used
        for (int node = 0; node < network.nodes() && steps - before < WARM_STEPS && kept() < maxBytes / 2; node++) {
            if (same[node] == node && takesBytes(node)) {
                local(node);
            }
        }
    }

    private boolean takesBytes(int node) {
        for (int e = network.firstEdge(node); e < network.endEdge(node); e++) {
            if (network.low(e) >= 0) {
                return true;
            }
        }
        return false;
    }

    /** Whether a text is free at some of a state's places. */
    boolean freeSomewhere(State at) {
        // asked at each token: an iterator would be garbage
        for (int i = 0; i < at.places.size(); i++) {
            if (network.free(at.places.get(i).node())) {
                return true;
            }
        }
        return false;
    }

    /** Whether it is at all of them. */
    boolean freeOnly(State at) {
        for (int i = 0; i < at.places.size(); i++) {
            if (!network.free(at.places.get(i).node())) {
                return false;
            }
        }
        return !at.places.isEmpty();
    }

    /** All tokens but those refused. */
    private void all(long[] bits, int from, int[] refused) {
        Arrays.fill(bits, from, from + vocabulary.words(), -1);
        bits[from + vocabulary.words() - 1] = -1L >>> -vocabulary.size();
        for (int token : refused) {
            bits[from + (token >>> 6)] &= ~(1L << token);
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

    /** Forgets states and what was found, if that takes too much memory; whether it did. */
    boolean forgetIfFull() {
        if (kept() <= maxBytes) {
            return false;
        }
        states.clear();
        memoBytes = 0;
        for (int node = 0; node < locals.length; node++) {
            Local local = locals[node];
            if (local != null && local.free) {
                // the whole vocabulary was looked at for the first of them
                memoBytes += bytes(local);
            } else {
                locals[node] = null;
            }
        }
        shared.clear();
        return true;
    }

    /** What may come in a state; nothing where that takes too long to find out. */
    @Nullable
    Allowed allowed(State state) {
        limit = steps + states.steps() + MASK_STEPS;
        try {
            return find(state);
        } catch (TooLongException e) {
            return null;
        }
    }

    /** Writes what may come over a mask's words. */
    void write(Allowed allowed, long[] bits, int from) {
        boolean written = false;
        if (allowed.refused != null) {
            all(bits, from, allowed.refused);
            written = true;
        }
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
    }

    private Allowed find(State state) {
        if (state.memo instanceof Allowed known) {
            return known;
        }
        int @Nullable [] refused = refused(state);
        boolean everything = refused != null && refused.length == 0;
        List<Place> bound = everything
                ? List.of()
                : state.places.stream()
                        .filter(place -> !network.free(place.node()))
                        .toList();
        Local[] all = new Local[bound.size()];
        Ints more = new Ints();
        for (int i = 0; i < all.length; i++) {
            Place place = bound.get(i);
            Local local = local(place.node());
            all[i] = local;
            Frame frame = place.frame();
            if (frame != states.bottom()) {
                leave(local.exits, states.returned(frame), more);
            }
        }
        Allowed allowed = new Allowed(all, more.toArray(), refused(refused, all, more));
        memoBytes += 64 + 4L * all.length + 4L * allowed.more.length;
        state.memo = allowed;
        weigh();
        return allowed;
    }

    /** What none of a state's places of free text allows; null where it has none. */
    private int @Nullable [] refused(State state) {
        int @Nullable [] refused = null;
        for (Place place : state.places) {
            if (network.free(place.node())) {
                int[] its = local(place.node()).tokens;
                refused = refused == null
                        ? its
                        : Arrays.stream(refused)
                                .filter(token -> Arrays.binarySearch(its, token) >= 0)
                                .toArray();
            }
        }
        return refused;
    }

    /** Those that no other place of the state allows either. */
    private static int @Nullable [] refused(int @Nullable [] refused, Local[] others, Ints more) {
        if (refused == null || refused.length == 0) {
            return refused;
        }
        IntPredicate allowed = token -> {
            for (Local local : others) {
                boolean among = local.bits.length > 0 && (local.bits[token >>> 6] >>> token & 1) != 0;
                if (among || IntStream.of(local.tokens).anyMatch(its -> its == token)) {
                    return true;
                }
            }
            return IntStream.of(more.toArray()).anyMatch(its -> its == token);
        };
        return IntStream.of(refused).filter(allowed.negate()).toArray();
    }

    private Local free(int node) {
        int root = network.freeRoot(node);
        int[] refused = node == root
                ? freeTokens.atRoot(root, this::spend)
                : freeTokens.at(node, local(root).tokens, this::spend);
        return new Local(new long[0], refused, Exits.NONE, true);
    }

    private void spend() {
        steps++;
        if (steps + states.steps() > limit) {
            throw new TooLongException();
        }
    }

    private Local local(int node) {
        int like = same[node];
        Local known = locals[like];
        if (known != null) {
            return known;
        }
        Local local = network.free(node) ? free(node) : found(node);
        memoBytes += bytes(local);
        locals[like] = local;
        return local;
    }

    private Local found(int node) {
        Ints behind = new Ints();
        found.clear();
        walk(0, states.only(node), found, calls ? behind : null);
        Exits exits = Exits.of(behind, vocabulary::octet);
        if (found.size() > 2 * vocabulary.words()) {
            long[] bits = new long[vocabulary.words()];
            set(bits, 0, found.toArray());
            return new Local(shared(bits), new int[0], exits, false);
        }
        return new Local(new long[0], found.toArray(), exits, false);
    }

    /** Goes on from where a rule has ended. */
    private void leave(Exits exits, State after, Ints tokens) {
        if (exits.isEmpty()) {
            return;
        }
        for (int octet = 0; octet < 256; octet++) {
            int until = exits.starts()[octet + 1];
            int i = exits.starts()[octet];
            if (i == until) {
                continue;
            }
            State next = states.next(after, octet);
            for (; i < until && next != states.dead(); i++) {
                spend();
                int node = exits.nodes()[i];
                add(node, tokens);
                walk(node, next, tokens, null);
            }
        }
    }

    private static long bytes(Local local) {
        return 96 + 4L * local.tokens.length + local.exits.bytes();
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
     * @param behind receives nodes behind those where what was begun may have ended, if they are wanted
     */
    private void walk(int from, State at, Ints tokens, @Nullable Ints behind) {
        int base = vocabulary.depth(from);
        State dead = states.dead();
        path[0] = at;
        int end = vocabulary.end(from);
        for (int node = from + 1; node < end; ) {
            spend();
            int depth = vocabulary.depth(node) - base;
            if (behind != null && depth > 1 && path[depth - 1].ends) {
                behind.add(node);
            }
            State next = states.next(path[depth - 1], vocabulary.octet(node));
            if (next == dead) {
                node = vocabulary.end(node);
                continue;
            }
            path[depth] = next;
            add(node, tokens);
            node++;
        }
    }

    /** The tokens that end at a node of the trie. */
    private void add(int node, Ints tokens) {
        for (int token = vocabulary.token(node); token >= 0; token = vocabulary.twin(token)) {
            tokens.add(token);
        }
    }
}
