package dev.jeton.models.grammar;

import java.util.Arrays;
import java.util.Comparator;
import java.util.function.IntFunction;

/**
 * The tokens of a vocabulary by what they spell: a trie of their bytes, laid flat.
 *
 * <p>Nodes are numbered in the order of a walk, children by their bytes, so that a node's subtree are the nodes from
 * the next one to {@link #end}: who finds a node's byte refused goes on there. Node 0 is the root. Tokens that spell
 * nothing are left out. Immutable.
 */
public final class GrammarVocabulary {

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
    private final int deepest;

    /**
     * Of tokens 0 until {@code size}.
     *
     * @param bytes what each adds to a text; empty for special tokens and those without a meaning
     * @param stripsSpace whether the decoder takes a space from the beginning of a text
     */
    public GrammarVocabulary(int size, IntFunction<byte[]> bytes, boolean stripsSpace) {
        this.size = size;
        this.stripsSpace = stripsSpace;
        this.bytes = new byte[size][];
        Integer[] sorted = new Integer[size];
        int count = 0;
        long total = 1;
        for (int id = 0; id < size; id++) {
            this.bytes[id] = bytes.apply(id);
            if (this.bytes[id].length > 0 && this.bytes[id].length <= MAX_BYTES) {
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

    /** Another token that spells the same, or -1. */
    int twin(int id) {
        return twin[id];
    }

    /** What a token spells; nothing where it has no text. Not to be changed. */
    byte[] bytes(int id) {
        byte[] text = bytes[id];
        return text.length <= MAX_BYTES ? text : new byte[0];
    }
}
