package dev.jeton.models.grammar;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * A set of texts: a deterministic automaton over code points. Immutable; state 0 is the start.
 *
 * <p>A state's transitions divide all code points into ranges: range i begins at {@code cuts[i]}, the first at 0, and
 * leads to {@code targets[i]}, or nowhere ({@value #DEAD}).
 *
 * @param cuts by state, where its ranges begin, ascending
 * @param targets by state, where they lead
 * @param accepting which states a text may end in
 */
record TextAutomaton(List<int[]> cuts, List<int[]> targets, BitSet accepting) {

    /** No state: no text of the set goes on like this. */
    static final int DEAD = -1;
    /** Most states of one: what bounds an expression that is short as text and large as an automaton. */
    static final int MAX_STATES = 20_000;

    /** How often states are told apart by where they lead, to find those that are the same. */
    private static final int MAX_ROUNDS = 30;

    private static final int[] ALL = {0};

    /** All texts. */
    static TextAutomaton all() {
        BitSet accepting = new BitSet();
        accepting.set(0);
        return new TextAutomaton(List.of(ALL), List.of(new int[] {0}), accepting);
    }

    /** These texts. */
    static TextAutomaton of(Collection<String> texts) {
        List<TreeMap<Integer, Integer>> trie = new ArrayList<>();
        trie.add(new TreeMap<>());
        BitSet accepting = new BitSet();
        for (String text : texts) {
            int at = 0;
            for (int c : text.codePoints().toArray()) {
                Integer next = trie.get(at).get(c);
                if (next == null) {
                    next = trie.size();
                    checkSize(next);
                    trie.get(at).put(c, next);
                    trie.add(new TreeMap<>());
                }
                at = next;
            }
            accepting.set(at);
        }
        List<int[]> cuts = new ArrayList<>();
        List<int[]> targets = new ArrayList<>();
        for (TreeMap<Integer, Integer> edges : trie) {
            Ranges ranges = new Ranges();
            edges.forEach((c, target) -> ranges.add(c, c, target));
            cuts.add(ranges.cuts());
            targets.add(ranges.targets());
        }
        return new TextAutomaton(cuts, targets, accepting);
    }

    /** Texts of so many code points. */
    static TextAutomaton lengths(int least, int most) {
        checkSize(most);
        List<int[]> cuts = new ArrayList<>();
        List<int[]> targets = new ArrayList<>();
        BitSet accepting = new BitSet();
        for (int i = 0; i <= most; i++) {
            cuts.add(ALL);
            targets.add(new int[] {i == most ? DEAD : i + 1});
            accepting.set(i, i >= least);
        }
        return new TextAutomaton(cuts, targets, accepting);
    }

    /** Texts of at least so many code points. */
    static TextAutomaton atLeast(int least) {
        checkSize(least);
        List<int[]> cuts = new ArrayList<>();
        List<int[]> targets = new ArrayList<>();
        for (int i = 0; i <= least; i++) {
            cuts.add(ALL);
            targets.add(new int[] {Math.min(i + 1, least)});
        }
        BitSet accepting = new BitSet();
        accepting.set(least);
        return new TextAutomaton(cuts, targets, accepting);
    }

    static void checkSize(int states) {
        if (states >= MAX_STATES) {
            throw new GrammarException(
                    "an expression or a text's bounds become an automaton of more than %d states; lower the bounds or simplify it"
                            .formatted(MAX_STATES));
        }
    }

    int states() {
        return cuts.size();
    }

    /** Where a code point leads. */
    int next(int state, int codePoint) {
        int[] starts = cuts.get(state);
        int place = Arrays.binarySearch(starts, codePoint);
        return targets.get(state)[place >= 0 ? place : -place - 2];
    }

    boolean accepts(String text) {
        int state = 0;
        for (int c : text.codePoints().toArray()) {
            state = next(state, c);
            if (state == DEAD) {
                return false;
            }
        }
        return accepting.get(state);
    }

    /** Whether no text is in it. */
    boolean isEmpty() {
        return !useful().get(0);
    }

    /** Texts that are in both. */
    TextAutomaton and(TextAutomaton other) {
        return product(other, false);
    }

    /** Texts that are here and not there. */
    TextAutomaton without(TextAutomaton other) {
        return product(other, true);
    }

    private TextAutomaton product(TextAutomaton other, boolean without) {
        Map<Long, Integer> ids = new HashMap<>();
        List<long[]> pairs = new ArrayList<>();
        List<int[]> newCuts = new ArrayList<>();
        List<int[]> newTargets = new ArrayList<>();
        BitSet ends = new BitSet();
        pair(0, 0, ids, pairs);
        for (int state = 0; state < pairs.size(); state++) {
            int mine = (int) pairs.get(state)[0];
            int its = (int) pairs.get(state)[1];
            boolean there = its != DEAD && other.accepting.get(its);
            ends.set(state, accepting.get(mine) && there != without);
            int[] starts = cuts.get(mine);
            int[] otherStarts = its == DEAD ? ALL : other.cuts.get(its);
            CompileWork.spend(8 + starts.length + otherStarts.length);
            Ranges ranges = new Ranges();
            int i = 0;
            int j = 0;
            for (int from = 0; from <= Character.MAX_CODE_POINT; ) {
                int until = Math.min(begin(starts, i + 1), begin(otherStarts, j + 1));
                int target = targets.get(mine)[i];
                int otherTarget = its == DEAD ? DEAD : other.targets.get(its)[j];
                if (target != DEAD && (without || otherTarget != DEAD)) {
                    ranges.add(from, until - 1, pair(target, otherTarget, ids, pairs));
                }
                i += begin(starts, i + 1) == until ? 1 : 0;
                j += begin(otherStarts, j + 1) == until ? 1 : 0;
                from = until;
            }
            newCuts.add(ranges.cuts());
            newTargets.add(ranges.targets());
        }
        return new TextAutomaton(newCuts, newTargets, ends);
    }

    private static int begin(int[] starts, int range) {
        return range < starts.length ? starts[range] : Character.MAX_CODE_POINT + 1;
    }

    private static int pair(int mine, int its, Map<Long, Integer> ids, List<long[]> pairs) {
        return ids.computeIfAbsent((long) mine << 32 | its & 0xffffffffL, key -> {
            checkSize(pairs.size());
            pairs.add(new long[] {mine, its});
            return pairs.size() - 1;
        });
    }

    /**
     * The same texts in fewer states: those that go on alike are one. Where that is not found out within some rounds,
     * as of long texts, it is this one.
     */
    TextAutomaton reduced() {
        int[] group = new int[states()];
        Arrays.setAll(group, state -> accepting.get(state) ? 1 : 0);
        int groups = 0;
        for (int round = 0; round < MAX_ROUNDS; round++) {
            Map<List<Integer>, Integer> ids = new HashMap<>();
            int[] next = new int[states()];
            for (int state = 0; state < next.length; state++) {
                // the start is the first, and stays it
                next[state] = ids.computeIfAbsent(goesOn(state, group), added -> ids.size());
            }
            if (ids.size() == groups) {
                return merged(next, groups);
            }
            groups = ids.size();
            group = next;
        }
        return this;
    }

    /** How a state goes on: its group, and where which ranges lead. */
    private List<Integer> goesOn(int state, int[] group) {
        int[] its = targets.get(state);
        CompileWork.spend(8 + 4L * its.length);
        List<Integer> out = new ArrayList<>(2 * its.length + 1);
        out.add(group[state]);
        int last = DEAD - 1;
        for (int i = 0; i < its.length; i++) {
            int target = its[i] == DEAD ? DEAD : group[its[i]];
            if (target != last) {
                out.add(cuts.get(state)[i]);
                out.add(target);
                last = target;
            }
        }
        return out;
    }

    private TextAutomaton merged(int[] group, int groups) {
        List<int[]> newCuts = new ArrayList<>();
        List<int[]> newTargets = new ArrayList<>();
        BitSet ends = new BitSet();
        for (int state = 0; state < group.length; state++) {
            if (group[state] != newCuts.size()) {
                continue;
            }
            ends.set(newCuts.size(), accepting.get(state));
            Ranges ranges = new Ranges();
            int[] starts = cuts.get(state);
            for (int i = 0; i < starts.length; i++) {
                int target = targets.get(state)[i];
                if (target != DEAD) {
                    ranges.add(starts[i], begin(starts, i + 1) - 1, group[target]);
                }
            }
            newCuts.add(ranges.cuts());
            newTargets.add(ranges.targets());
        }
        assert newCuts.size() == groups;
        return new TextAutomaton(newCuts, newTargets, ends);
    }

    /** States from which a text can end. */
    BitSet useful() {
        List<List<Integer>> into = new ArrayList<>();
        CompileWork.spend(8L * states());
        for (int state = 0; state < states(); state++) {
            into.add(new ArrayList<>());
        }
        for (int state = 0; state < states(); state++) {
            for (int target : targets.get(state)) {
                if (target != DEAD) {
                    into.get(target).add(state);
                }
            }
        }
        BitSet useful = (BitSet) accepting.clone();
        ArrayDeque<Integer> work = new ArrayDeque<>(useful.stream().boxed().toList());
        while (!work.isEmpty()) {
            for (int source : into.get(work.remove())) {
                if (!useful.get(source)) {
                    useful.set(source);
                    work.add(source);
                }
            }
        }
        return useful;
    }

    /** Gathers a state's ranges in ascending order. */
    static final class Ranges {

        private int[] cuts = new int[8];
        private int[] targets = new int[8];
        private int count;
        private int covered;

        /** The range from {@code lowest} to {@code highest}, above all before it. */
        void add(int lowest, int highest, int target) {
            if (lowest > covered) {
                put(covered, DEAD);
            }
            put(lowest, target);
            covered = highest + 1;
        }

        private void put(int cut, int target) {
            if (count > 0 && targets[count - 1] == target) {
                return;
            }
            if (count == cuts.length) {
                cuts = Arrays.copyOf(cuts, 2 * count);
                targets = Arrays.copyOf(targets, 2 * count);
            }
            cuts[count] = cut;
            targets[count++] = target;
        }

        private void finish() {
            if (covered <= Character.MAX_CODE_POINT) {
                put(covered, DEAD);
                covered = Character.MAX_CODE_POINT + 1;
            }
        }

        int[] cuts() {
            finish();
            return Arrays.copyOf(cuts, count);
        }

        int[] targets() {
            finish();
            return Arrays.copyOf(targets, count);
        }
    }
}
