package dev.jeton.models.grammar;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.List;
import java.util.function.IntFunction;

/**
 * The strongly connected components of a graph, by Tarjan's algorithm, those first that others lead to. It takes no
 * stack of the thread: a chain may be as long as a grammar.
 */
final class Components {

    private final IntFunction<BitSet> edges;
    private final int[] index;
    private final int[] low;
    private final BitSet open = new BitSet();
    private final ArrayDeque<Integer> opened = new ArrayDeque<>();
    private final List<int[]> found = new ArrayList<>();
    private int visited;

    /** A node on the way down, and where its edges have been followed to. */
    private static final class Step {
        final int node;
        final BitSet targets;
        int next;

        Step(int node, BitSet targets) {
            this.node = node;
            this.targets = targets;
        }
    }

    private Components(int nodes, IntFunction<BitSet> edges) {
        this.edges = edges;
        index = new int[nodes];
        low = new int[nodes];
        Arrays.fill(index, -1);
    }

    /** The components of so many nodes. */
    static List<int[]> of(int nodes, IntFunction<BitSet> edges) {
        Components components = new Components(nodes, edges);
        for (int node = 0; node < nodes; node++) {
            if (components.index[node] < 0) {
                components.visit(node);
            }
        }
        return components.found;
    }

    private Step enter(int node) {
        index[node] = visited;
        low[node] = visited++;
        open.set(node);
        opened.push(node);
        return new Step(node, edges.apply(node));
    }

    private void visit(int from) {
        ArrayDeque<Step> path = new ArrayDeque<>();
        path.push(enter(from));
        while (!path.isEmpty()) {
            Step top = path.peek();
            int target = top.targets.nextSetBit(top.next);
            if (target >= 0) {
                top.next = target + 1;
                if (index[target] < 0) {
                    path.push(enter(target));
                } else if (open.get(target)) {
                    low[top.node] = Math.min(low[top.node], index[target]);
                }
                continue;
            }
            path.pop();
            if (!path.isEmpty()) {
                int above = path.peek().node;
                low[above] = Math.min(low[above], low[top.node]);
            }
            if (low[top.node] == index[top.node]) {
                close(top.node);
            }
        }
    }

    private void close(int first) {
        List<Integer> component = new ArrayList<>();
        int node;
        do {
            node = opened.pop();
            open.clear(node);
            component.add(node);
        } while (node != first);
        found.add(component.stream().mapToInt(Integer::intValue).toArray());
    }
}
