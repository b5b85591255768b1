package dev.jeton.models.grammar;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.function.IntConsumer;

/**
 * The texts that an expression matches, by Thompson's construction and the subset construction.
 *
 * <p>Anchors are edges that take nothing and are there at one place only: {@code ^} is followed before the first code
 * point alone, and {@code $} only to see whether the text may end.
 */
final class ExpressionAutomaton {

    private static final int EPSILON = -1;
    private static final int BEGIN = -2;
    private static final int END = -3;
    private static final int MAX_NODES = 200_000;

    private record Edge(int low, int high, int to) {}

    /** There are more states than asked for. */
    private static final class TooManyStatesException extends RuntimeException {
        TooManyStatesException() {
            super("too many states", null, false, false);
        }
    }

    private final List<List<Edge>> nodes = new ArrayList<>();

    private ExpressionAutomaton() {}

    /** Texts that it matches as a whole. */
    static TextAutomaton whole(Expression expression) {
        ExpressionAutomaton made = new ExpressionAutomaton();
        int start = made.node();
        return made.determinize(start, made.add(expression, start), TextAutomaton::checkSize);
    }

    /** The same, or nothing where it would have more states than that. */
    static Optional<TextAutomaton> whole(Expression expression, int mostStates) {
        ExpressionAutomaton made = new ExpressionAutomaton();
        int start = made.node();
        try {
            return Optional.of(made.determinize(start, made.add(expression, start), states -> {
                if (states >= mostStates) {
                    throw new TooManyStatesException();
                }
            }));
        } catch (TooManyStatesException e) {
            return Optional.empty();
        }
    }

    /** Texts in which it matches somewhere. */
    static TextAutomaton within(Expression expression) {
        ExpressionAutomaton made = new ExpressionAutomaton();
        int start = made.node();
        made.edge(start, 0, Character.MAX_CODE_POINT, start);
        int end = made.add(expression, start);
        int after = made.node();
        made.edge(end, EPSILON, 0, after);
        made.edge(after, 0, Character.MAX_CODE_POINT, after);
        return made.determinize(start, after, TextAutomaton::checkSize);
    }

    private int node() {
        if (nodes.size() == MAX_NODES) {
            throw new GrammarException("an expression becomes an automaton of more than %d nodes; lower its repetitions"
                    .formatted(MAX_NODES));
        }
        nodes.add(new ArrayList<>(2));
        return nodes.size() - 1;
    }

    private void edge(int from, int low, int high, int to) {
        nodes.get(from).add(new Edge(low, high, to));
    }

    /** Adds it from a node on; the node after it. */
    private int add(Expression expression, int from) {
        return switch (expression) {
            case Expression.Chars chars -> {
                int to = node();
                for (int i = 0; i < chars.ranges().length; i += 2) {
                    edge(from, chars.ranges()[i], chars.ranges()[i + 1], to);
                }
                yield to;
            }
            case Expression.Sequence sequence -> {
                int at = from;
                for (Expression part : sequence.parts()) {
                    at = add(part, at);
                }
                yield at;
            }
            case Expression.Either either -> {
                int to = node();
                for (Expression part : either.parts()) {
                    int begin = node();
                    edge(from, EPSILON, 0, begin);
                    edge(add(part, begin), EPSILON, 0, to);
                }
                yield to;
            }
            case Expression.Repeat repeat -> repeat(repeat, from);
            case Expression.Begin() -> anchor(from, BEGIN);
            case Expression.End() -> anchor(from, END);
            case Expression.Call(int rule) ->
                throw new IllegalStateException("rule %d is to be put in place of its call".formatted(rule));
        };
    }

    private int anchor(int from, int kind) {
        int to = node();
        edge(from, kind, 0, to);
        return to;
    }

    private int repeat(Expression.Repeat repeat, int from) {
        int at = from;
        for (int i = 0; i < repeat.least(); i++) {
            at = add(repeat.part(), at);
        }
        int to = node();
        if (repeat.most() == Expression.UNBOUNDED) {
            int loop = node();
            edge(at, EPSILON, 0, loop);
            edge(add(repeat.part(), loop), EPSILON, 0, loop);
            edge(loop, EPSILON, 0, to);
            return to;
        }
        for (int i = repeat.least(); i < repeat.most(); i++) {
            edge(at, EPSILON, 0, to);
            at = add(repeat.part(), at);
        }
        edge(at, EPSILON, 0, to);
        return to;
    }

    private BitSet closure(BitSet from, boolean atBegin, boolean atEnd) {
        BitSet all = (BitSet) from.clone();
        ArrayDeque<Integer> work = new ArrayDeque<>(from.stream().boxed().toList());
        CompileWork.spend(from.size() / 64 + 1);
        while (!work.isEmpty()) {
            CompileWork.spend(4);
            for (Edge edge : nodes.get(work.remove())) {
                boolean free = edge.low == EPSILON || edge.low == BEGIN && atBegin || edge.low == END && atEnd;
                if (free && !all.get(edge.to)) {
                    all.set(edge.to);
                    work.add(edge.to);
                }
            }
        }
        return all;
    }

    /** @param check hears how many states there are before there is another */
    private TextAutomaton determinize(int start, int end, IntConsumer check) {
        List<BitSet> sets = new ArrayList<>();
        Map<BitSet, Integer> ids = new HashMap<>();
        List<int[]> cuts = new ArrayList<>();
        List<int[]> targets = new ArrayList<>();
        BitSet accepting = new BitSet();
        BitSet first = new BitSet();
        first.set(start);
        sets.add(closure(first, true, false));
        // the start is never come back to: it alone has what begins at the beginning
        for (int state = 0; state < sets.size(); state++) {
            BitSet set = sets.get(state);
            accepting.set(state, closure(set, state == 0, true).get(end));
            TextAutomaton.Ranges ranges = new TextAutomaton.Ranges();
            int[] starts = starts(set);
            List<BitSet> reached = reached(set, starts);
            for (int i = 0; i < starts.length; i++) {
                BitSet to = reached.get(i);
                if (!to.isEmpty()) {
                    int until = i + 1 < starts.length ? starts[i + 1] - 1 : Character.MAX_CODE_POINT;
                    BitSet closed = closure(to, false, false);
                    int target = ids.computeIfAbsent(closed, added -> {
                        check.accept(sets.size());
                        sets.add(added);
                        return sets.size() - 1;
                    });
                    ranges.add(starts[i], until, target);
                }
            }
            cuts.add(ranges.cuts());
            targets.add(ranges.targets());
        }
        return new TextAutomaton(cuts, targets, accepting);
    }

    /** Where ranges of the set's edges begin and end, from 0 on. */
    private int[] starts(BitSet set) {
        TreeSet<Integer> starts = new TreeSet<>();
        starts.add(0);
        for (int node = set.nextSetBit(0); node >= 0; node = set.nextSetBit(node + 1)) {
            for (Edge edge : nodes.get(node)) {
                if (edge.low >= 0) {
                    starts.add(edge.low);
                    if (edge.high < Character.MAX_CODE_POINT) {
                        starts.add(edge.high + 1);
                    }
                }
            }
        }
        return starts.stream().mapToInt(Integer::intValue).toArray();
    }

    /** By range, which nodes its code points lead to. */
    private List<BitSet> reached(BitSet set, int[] starts) {
        List<BitSet> reached = new ArrayList<>(starts.length);
        for (int i = 0; i < starts.length; i++) {
            reached.add(new BitSet());
        }
        for (int node = set.nextSetBit(0); node >= 0; node = set.nextSetBit(node + 1)) {
            for (Edge edge : nodes.get(node)) {
                if (edge.low >= 0) {
                    int range = Arrays.binarySearch(starts, edge.low);
                    CompileWork.spend(8);
                    for (; range < starts.length && starts[range] <= edge.high; range++) {
                        reached.get(range).set(edge.to);
                        CompileWork.spend(2 + edge.to / 64);
                    }
                }
            }
        }
        return reached;
    }
}
