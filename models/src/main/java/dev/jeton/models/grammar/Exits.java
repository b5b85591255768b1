package dev.jeton.models.grammar;

import java.util.function.IntUnaryOperator;

/**
 * Where in the trie of a vocabulary a rule has ended before its tokens have: the nodes behind those places, by their
 * bytes. What goes on after the rule takes few bytes mostly, and the others' nodes need not be looked at one by one.
 *
 * @param nodes those of a byte together
 * @param starts by byte, where its nodes begin, and at last where all end; empty where there is no node
 */
record Exits(int[] nodes, int[] starts) {

    static final Exits NONE = new Exits(new int[0], new int[0]);

    /** These nodes. */
    static Exits of(Ints nodes, IntUnaryOperator octet) {
        if (nodes.size() == 0) {
            return NONE;
        }
        int[] starts = new int[257];
        for (int i = 0; i < nodes.size(); i++) {
            starts[octet.applyAsInt(nodes.get(i)) + 1]++;
        }
        for (int i = 0; i < 256; i++) {
            starts[i + 1] += starts[i];
        }
        int[] next = starts.clone();
        int[] sorted = new int[nodes.size()];
        for (int i = 0; i < sorted.length; i++) {
            int node = nodes.get(i);
            sorted[next[octet.applyAsInt(node)]++] = node;
        }
        return new Exits(sorted, starts);
    }

    boolean isEmpty() {
        return nodes.length == 0;
    }

    /** About the bytes that it takes. */
    long bytes() {
        return 4L * nodes.length + 4L * starts.length;
    }
}
