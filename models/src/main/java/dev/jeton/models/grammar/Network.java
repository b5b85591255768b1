package dev.jeton.models.grammar;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * A recursive transition network over bytes: nodes, and edges that take a byte of a range, take nothing, or take what a
 * rule takes. Only nodes from which their rule's end can be reached have edges to them, so a text that was begun can
 * always be finished. Immutable.
 */
final class Network {

    private final int[] first;
    private int[] low;
    private int[] high;
    private int[] to;
    private final int[] begin;
    private final int[] end;
    private final int root;
    private final boolean[] ends;
    private final List<Counted> counted;
    /** By node, the root of its free text, or -1. */
    private final int[] free;

    /**
     * A node of a text of which so many code points may come and so many must. Two nodes of one group and role are the
     * same to whoever looks no farther than what is left.
     *
     * @param group which text
     * @param role which of the nodes for a code point
     * @param left most code points that come after those before it
     * @param missing least of them
     */
    record Counted(int node, int group, int role, int left, int missing) {}

    /**
     * Takes the arrays over.
     *
     * @param first by node, its first edge; edges of a node follow one another
     * @param low by edge: its lowest byte, or {@link NetworkBuilder#EPSILON} or {@link NetworkBuilder#CALL}
     * @param high by edge: its highest byte, or the rule that it calls
     * @param to by edge: where it leads
     * @param begin by rule
     * @param end by rule
     * @param counted nodes that are like others
     * @param free by node of free text, that text's root
     * @throws GrammarException if no text fits, or a rule begins with itself
     */
    Network(
            int[] first,
            int[] low,
            int[] high,
            int[] to,
            int[] begin,
            int[] end,
            int root,
            List<Counted> counted,
            Map<Integer, Integer> free) {
        this.first = first;
        this.low = low;
        this.high = high;
        this.to = to;
        this.begin = begin;
        this.end = end;
        this.root = root;
        this.counted = List.copyOf(counted);
        this.free = new int[nodes()];
        Arrays.fill(this.free, -1);
        free.forEach((node, its) -> this.free[node] = its);
        ends = new boolean[nodes()];
        for (int node : end) {
            ends[node] = true;
        }
        trim();
        checkRecursion();
    }

    int nodes() {
        return first.length - 1;
    }

    /** About the bytes that it takes. */
    long bytes() {
        return 9L * nodes() + 12L * first[nodes()];
    }

    /** Where the text begins. */
    int start() {
        return begin[root];
    }

    int firstEdge(int node) {
        return first[node];
    }

    int endEdge(int node) {
        return first[node + 1];
    }

    boolean epsilon(int edge) {
        return low[edge] == NetworkBuilder.EPSILON;
    }

    boolean call(int edge) {
        return low[edge] == NetworkBuilder.CALL;
    }

    /** Whether any edge calls a rule. */
    boolean calls() {
        for (int lowest : low) {
            if (lowest == NetworkBuilder.CALL) {
                return true;
            }
        }
        return false;
    }

    /** Whether the edge takes the byte. */
    boolean takes(int edge, int octet) {
        return low[edge] <= octet && octet <= high[edge] && low[edge] >= 0;
    }

    /** The lowest byte that the edge takes; negative where it takes none. */
    int low(int edge) {
        return low[edge];
    }

    int high(int edge) {
        return high[edge];
    }

    /** Where the rule begins that the edge calls. */
    int called(int edge) {
        return begin[high[edge]];
    }

    int to(int edge) {
        return to[edge];
    }

    /** Whether a rule ends at the node. */
    boolean ends(int node) {
        return ends[node];
    }

    /** Whether nothing but its rule's end is at the node. */
    boolean onlyEnds(int node) {
        return ends[node] && first[node] == first[node + 1];
    }

    /** Whether the node is one of free text. */
    boolean free(int node) {
        return free[node] >= 0;
    }

    /** Where the free text of a node has nothing in view. */
    int freeRoot(int node) {
        return free[node];
    }

    /** By node, one that is the same to whoever looks so many bytes ahead; most are so to themselves alone. */
    int[] sameWithin(int bytes) {
        int[] same = new int[nodes()];
        Arrays.setAll(same, node -> node);
        Map<List<Integer>, Integer> firsts = new HashMap<>();
        for (Counted node : counted) {
            List<Integer> key =
                    List.of(node.group, node.role, Math.min(node.left, bytes), Math.min(node.missing, bytes));
            same[node.node] = firsts.computeIfAbsent(key, added -> node.node);
        }
        return same;
    }

    /** By byte, which of the classes it is in whose bytes no edge tells apart. */
    int[] byteClasses() {
        boolean[] cut = new boolean[257];
        for (int e = 0; e < low.length; e++) {
            if (low[e] >= 0) {
                cut[low[e]] = true;
                cut[high[e] + 1] = true;
            }
        }
        int[] classes = new int[256];
        for (int octet = 1; octet < 256; octet++) {
            classes[octet] = classes[octet - 1] + (cut[octet] ? 1 : 0);
        }
        return classes;
    }

    /** Takes out edges to nodes from which the end of their rule cannot be reached. */
    private void trim() {
        BitSet live = reachEnd(true);
        if (!live.get(start())) {
            throw new GrammarException(
                    "no text fits: what is asked for contradicts itself, or refers to itself without an end");
        }
        drop(live);
    }

    /** Nodes from which the end of their rule can be reached, by taking bytes or only without. */
    private BitSet reachEnd(boolean takingBytes) {
        List<List<Integer>> callers = new ArrayList<>();
        for (int rule = 0; rule < begin.length; rule++) {
            callers.add(new ArrayList<>());
        }
        int[] into = new int[nodes() + 1];
        int[] source = new int[to.length];
        for (int node = 0; node < nodes(); node++) {
            for (int e = first[node]; e < first[node + 1]; e++) {
                into[to[e] + 1]++;
                source[e] = node;
                if (call(e)) {
                    callers.get(high[e]).add(e);
                }
            }
        }
        for (int node = 0; node < nodes(); node++) {
            into[node + 1] += into[node];
        }
        int[] next = Arrays.copyOf(into, nodes());
        int[] incoming = new int[to.length];
        for (int e = 0; e < first[nodes()]; e++) {
            incoming[next[to[e]]++] = e;
        }
        int[] ruleOfBegin = new int[nodes()];
        Arrays.fill(ruleOfBegin, -1);
        for (int rule = 0; rule < begin.length; rule++) {
            ruleOfBegin[begin[rule]] = rule;
        }
        BitSet live = new BitSet(nodes());
        ArrayDeque<Integer> work = new ArrayDeque<>();
        for (int node : end) {
            revive(node, live, work);
        }
        while (!work.isEmpty()) {
            int node = work.remove();
            for (int i = into[node]; i < into[node + 1]; i++) {
                int e = incoming[i];
                if (epsilon(e) || call(e) && live.get(begin[high[e]]) || low[e] >= 0 && takingBytes) {
                    revive(source[e], live, work);
                }
            }
            if (ruleOfBegin[node] >= 0) {
                for (int e : callers.get(ruleOfBegin[node])) {
                    if (live.get(to[e])) {
                        revive(source[e], live, work);
                    }
                }
            }
        }
        return live;
    }

    private static void revive(int node, BitSet live, ArrayDeque<Integer> work) {
        if (!live.get(node)) {
            live.set(node);
            work.add(node);
        }
    }

    private void drop(BitSet live) {
        int place = 0;
        for (int node = 0; node < nodes(); node++) {
            int e = first[node];
            first[node] = place;
            int until = first[node + 1];
            for (; e < until; e++) {
                if (live.get(node) && live.get(to[e]) && (!call(e) || live.get(begin[high[e]]))) {
                    low[place] = low[e];
                    high[place] = high[e];
                    to[place++] = to[e];
                }
            }
        }
        first[nodes()] = place;
        low = Arrays.copyOf(low, place);
        high = Arrays.copyOf(high, place);
        to = Arrays.copyOf(to, place);
    }

    /** A rule that may begin with itself before it took anything would have endless ways to begin. */
    private void checkRecursion() {
        BitSet nullable = reachEnd(false);
        int[] state = new int[begin.length];
        for (int rule = 0; rule < begin.length; rule++) {
            if (state[rule] == 0) {
                visit(rule, nullable, state);
            }
        }
    }

    private void visit(int rule, BitSet nullable, int[] state) {
        // an explicit stack: chains of references may be as long as a schema
        ArrayDeque<int[]> path = new ArrayDeque<>();
        path.push(new int[] {rule, 0});
        state[rule] = 1;
        List<int[]> called = new ArrayList<>();
        called.add(calledFirst(rule, nullable));
        while (!path.isEmpty()) {
            int[] top = path.peek();
            int[] callees = called.getLast();
            if (top[1] == callees.length) {
                state[top[0]] = 2;
                path.pop();
                called.removeLast();
                continue;
            }
            int callee = callees[top[1]++];
            if (state[callee] == 1) {
                throw new GrammarException(
                        "a reference leads back to itself before any text: no value could ever end it; put it into a"
                                + " property or an item");
            }
            if (state[callee] == 0) {
                state[callee] = 1;
                path.push(new int[] {callee, 0});
                called.add(calledFirst(callee, nullable));
            }
        }
    }

    /** Rules that may be called before the rule has taken a byte. */
    private int[] calledFirst(int rule, BitSet nullable) {
        Set<Integer> rules = new TreeSet<>();
        Set<Integer> seen = new HashSet<>();
        ArrayDeque<Integer> work = new ArrayDeque<>(List.of(begin[rule]));
        while (!work.isEmpty()) {
            int node = work.remove();
            for (int e = first[node]; e < first[node + 1]; e++) {
                if (call(e)) {
                    rules.add(high[e]);
                }
                boolean free = epsilon(e) || call(e) && nullable.get(begin[high[e]]);
                if (free && seen.add(to[e])) {
                    work.add(to[e]);
                }
            }
        }
        return rules.stream().mapToInt(Integer::intValue).toArray();
    }
}
