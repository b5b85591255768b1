package dev.jeton.models.grammar;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Builds a {@link Network}: nodes, and edges between them that take a byte, take nothing, or call a rule. A rule has a
 * node where it begins and one where it ends. Not thread-safe.
 */
final class NetworkBuilder {

    /** Most nodes: what bounds a schema that is small as text and large as an automaton. */
    static final int MAX_NODES = 1 << 17;

    private static final int MAX_EDGES = 1 << 19;

    /** In place of the lowest byte of an edge: it takes nothing. */
    static final int EPSILON = -1;
    /** In place of the lowest byte of an edge: it calls the rule named by the highest. */
    static final int CALL = -2;

    private int nodes;
    private int edges;
    private int[] from = new int[256];
    private int[] low = new int[256];
    private int[] high = new int[256];
    private int[] to = new int[256];
    private final List<Network.Counted> counted = new ArrayList<>();
    private final Map<Integer, Integer> free = new HashMap<>();
    private int rules;
    private int[] begin = new int[16];
    private int[] end = new int[16];

    /** A new node. */
    int node() {
        if (nodes == MAX_NODES) {
            throw tooLarge();
        }
        CompileWork.spend(8);
        return nodes++;
    }

    /** How many nodes there are. */
    int nodes() {
        return nodes;
    }

    /** Says of a node that others are like it but for how much of a text is left. */
    void counted(Network.Counted node) {
        counted.add(node);
    }

    /**
     * Says of a node that it takes nearly everything: free text, of which {@code root} has nothing in view that might
     * bind it. The text, and not only a rule, ends where the rule of such a node does.
     */
    void free(int node, int root) {
        free.put(node, root);
    }

    /** A new rule, whose begin and end are new nodes without edges. */
    int rule() {
        if (rules == begin.length) {
            begin = Arrays.copyOf(begin, 2 * rules);
            end = Arrays.copyOf(end, 2 * rules);
        }
        begin[rules] = node();
        end[rules] = node();
        return rules++;
    }

    int begin(int rule) {
        return begin[rule];
    }

    int end(int rule) {
        return end[rule];
    }

    /** Takes any byte of a range. */
    void bytes(int source, int lowest, int highest, int target) {
        assert 0 <= lowest && lowest <= highest && highest < 256;
        edge(source, lowest, highest, target);
    }

    /** Takes nothing. */
    void epsilon(int source, int target) {
        edge(source, EPSILON, 0, target);
    }

    /** Takes what a rule takes. */
    void call(int source, int rule, int target) {
        edge(source, CALL, rule, target);
    }

    /** Takes a rule's text; the node after it. */
    int call(int source, int rule) {
        int target = node();
        call(source, rule, target);
        return target;
    }

    /** Takes a text; the node after it. */
    int text(int source, String text) {
        int at = source;
        for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
            int next = node();
            bytes(at, b & 0xff, b & 0xff, next);
            at = next;
        }
        return at;
    }

    private void edge(int source, int lowest, int highest, int target) {
        if (edges == from.length) {
            if (edges >= MAX_EDGES) {
                throw tooLarge();
            }
            from = Arrays.copyOf(from, 2 * edges);
            low = Arrays.copyOf(low, 2 * edges);
            high = Arrays.copyOf(high, 2 * edges);
            to = Arrays.copyOf(to, 2 * edges);
        }
        from[edges] = source;
        low[edges] = lowest;
        high[edges] = highest;
        to[edges++] = target;
    }

    /** The network of all rules, of which {@code root} is what a text must be. */
    Network build(int root) {
        int[] first = new int[nodes + 1];
        for (int e = 0; e < edges; e++) {
            first[from[e] + 1]++;
        }
        for (int n = 0; n < nodes; n++) {
            first[n + 1] += first[n];
        }
        int[] next = Arrays.copyOf(first, nodes);
        int[] sortedLow = new int[edges];
        int[] sortedHigh = new int[edges];
        int[] sortedTo = new int[edges];
        for (int e = 0; e < edges; e++) {
            int place = next[from[e]]++;
            sortedLow[place] = low[e];
            sortedHigh[place] = high[e];
            sortedTo[place] = to[e];
        }
        return new Network(
                first,
                sortedLow,
                sortedHigh,
                sortedTo,
                Arrays.copyOf(begin, rules),
                Arrays.copyOf(end, rules),
                root,
                counted,
                free);
    }

    private static GrammarException tooLarge() {
        return new GrammarException(
                "the schema or expression becomes an automaton of more than %d states; simplify it, or lower its bounds"
                        .formatted(MAX_NODES));
    }
}
