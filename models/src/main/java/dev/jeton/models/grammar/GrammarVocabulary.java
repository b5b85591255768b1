package dev.jeton.models.grammar;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.Set;
import java.util.function.IntFunction;
import java.util.function.IntPredicate;

/**
 * The tokens of a vocabulary by what they spell: a trie of their bytes, laid flat.
 *
 * <p>Nodes are numbered in the order of a walk, children by their bytes, so that a node's subtree are the nodes from
 * the next one to {@link #end}: who finds a node's byte refused goes on there. Node 0 is the root. Tokens that spell
 * nothing are left out, and so are those with bytes that no UTF-8 has. Immutable.
 *
 * <p>A special token spells {@link #SPECIAL}, then its text: what a grammar does not ask for by that is never sampled,
 * also where the text itself may come.
 */
public final class GrammarVocabulary {

    /** The byte, of no UTF-8, before the text of a special token. */
    static final int SPECIAL = 0xff;

    /** The first byte that no UTF-8 has. */
    private static final int NO_UTF8 = 0xf8;

    /** Longest token in bytes; longer ones can never be sampled under a grammar. */
    private static final int MAX_BYTES = 1_024;

    private final int size;
    private final boolean stripsSpace;
    private final byte[] octet;
    private final int[] end;
    private final int[] depth;
    /** By node, its token, or -1; others that spell the same follow by {@link #twin}. */
    private final int[] token;

    private final int[] twin;
    private final byte[][] bytes;
    private final Set<String> specials = new HashSet<>();
    private final int deepest;

    /** Of tokens 0 until {@code size}, of which none is special. */
    public GrammarVocabulary(int size, IntFunction<byte[]> bytes, boolean stripsSpace) {
        this(size, bytes, id -> false, stripsSpace);
    }

    /**
     * Of tokens 0 until {@code size}.
     *
     * @param bytes what each adds to a text; empty for those without a meaning
     * @param special which are special: their bytes are what is written where they are told
     * @param stripsSpace whether the decoder takes a space from the beginning of a text
     */
    public GrammarVocabulary(int size, IntFunction<byte[]> bytes, IntPredicate special, boolean stripsSpace) {
        this.size = size;
        this.stripsSpace = stripsSpace;
        this.bytes = new byte[size][];
        Integer[] sorted = new Integer[size];
        int count = 0;
        long total = 1;
        for (int id = 0; id < size; id++) {
            this.bytes[id] = spelled(bytes.apply(id), special.test(id));
            if (this.bytes[id].length > 0) {
                sorted[count++] = id;
                total += this.bytes[id].length;
            }
        }
        Arrays.sort(sorted, 0, count, Comparator.comparing(id -> this.bytes[id], Arrays::compareUnsigned));
        int most = Math.toIntExact(total);
        byte[] newOctet = new byte[most];
        int[] newDepth = new int[most];
        int[] newToken = new int[most];
        twin = new int[size];
        Arrays.fill(twin, -1);
        newToken[0] = -1;
        int nodes = 1;
        int deep = 0;
        byte[] before = new byte[0];
        for (int i = 0; i < count; i++) {
            int id = sorted[i];
            byte[] text = this.bytes[id];
            int shared = Arrays.mismatch(before, text);
            if (shared < 0) {
                twin[id] = newToken[nodes - 1];
                newToken[nodes - 1] = id;
                continue;
            }
            for (int at = shared; at < text.length; at++) {
                newOctet[nodes] = text[at];
                newDepth[nodes] = at + 1;
                newToken[nodes++] = -1;
            }
            newToken[nodes - 1] = id;
            deep = Math.max(deep, text.length);
            before = text;
        }
        octet = Arrays.copyOf(newOctet, nodes);
        depth = Arrays.copyOf(newDepth, nodes);
        token = Arrays.copyOf(newToken, nodes);
        deepest = deep;
        end = ends(depth, deep);
    }

    private byte[] spelled(byte[] text, boolean special) {
        if (text.length == 0 || text.length > MAX_BYTES) {
            return new byte[0];
        }
        if (special) {
            specials.add(new String(text, StandardCharsets.UTF_8));
            byte[] marked = new byte[text.length + 1];
            marked[0] = (byte) SPECIAL;
            System.arraycopy(text, 0, marked, 1, text.length);
            return marked;
        }
        for (byte octet : text) {
            if ((octet & 0xff) >= NO_UTF8) {
                return new byte[0];
            }
        }
        return text;
    }

    /** Whether a special token is written like that. */
    boolean special(String text) {
        return specials.contains(text);
    }

    /** How the special tokens are written. */
    Set<String> specials() {
        return Collections.unmodifiableSet(specials);
    }

    private static int[] ends(int[] depth, int deepest) {
        int[] ends = new int[depth.length];
        int[] open = new int[deepest + 1];
        for (int node = 1; node <= depth.length; node++) {
            int down = node < depth.length ? depth[node] : 0;
            for (int d = depth[node - 1]; d >= down && d > 0; d--) {
                ends[open[d]] = node;
            }
            if (node < depth.length) {
                open[down] = node;
            }
        }
        ends[0] = depth.length;
        return ends;
    }

    /** Tokens are 0 until this. */
    int size() {
        return size;
    }

    /** Words of a mask. */
    int words() {
        return (size + 63) / 64;
    }

    boolean stripsSpace() {
        return stripsSpace;
    }

    /** Bytes of the longest token. */
    int deepest() {
        return deepest;
    }

    int nodes() {
        return octet.length;
    }

    /** The last byte of what the node spells. */
    int octet(int node) {
        return octet[node] & 0xff;
    }

    /** The first node after its subtree. */
    int end(int node) {
        return end[node];
    }

    /** How many bytes the node spells. */
    int depth(int node) {
        return depth[node];
    }

    /** A token that is what the node spells, or -1. */
    int token(int node) {
        return token[node];
    }

    /**
     * The longest token that is how a text goes on, or -1: of those that spell it the one that {@link #token} names.
     */
    int longest(byte[] text, int from, int until) {
        int longest = -1;
        int node = 0;
        for (int at = from; at < until; at++) {
            int last = end[node];
            int child = node + 1;
            while (child < last && octet[child] != text[at]) {
                child = end[child];
            }
            if (child >= last) {
                break;
            }
            node = child;
            longest = token[node] >= 0 ? token[node] : longest;
        }
        return longest;
    }

    /** Another token that spells the same, or -1. */
    int twin(int id) {
        return twin[id];
    }

    /** What a token spells; nothing where it has no text. Not to be changed. */
    byte[] bytes(int id) {
        return bytes[id];
    }
}
