package dev.jeton.models.grammar;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import java.util.function.IntFunction;
import java.util.function.Predicate;

/**
 * A grammar without a context: rules whose bodies call one another by their places. Immutable.
 *
 * @param names by rule, for errors; no two are the same where the grammar was written so
 * @param bodies by rule
 * @param root the rule that a text must be
 */
record Rules(List<String> names, List<Expression> bodies, int root) {

    /** Keeps copies. */
    Rules {
        names = List.copyOf(names);
        bodies = List.copyOf(bodies);
    }

    int size() {
        return bodies.size();
    }

    /** Rules that an expression calls anywhere. */
    static BitSet calls(Expression expression) {
        BitSet calls = new BitSet();
        addCalls(expression, calls);
        return calls;
    }

    private static void addCalls(Expression expression, BitSet calls) {
        CompileWork.spend(1);
        switch (expression) {
            case Expression.Call(int rule) -> calls.set(rule);
            case Expression.Sequence(var parts) -> parts.forEach(part -> addCalls(part, calls));
            case Expression.Either(var parts) -> parts.forEach(part -> addCalls(part, calls));
            case Expression.Repeat(var part, int least, int most) -> addCalls(part, calls);
            case Expression.Chars chars -> {}
            case Expression.Begin() -> {}
            case Expression.End() -> {}
        }
    }

    /** Rules that the root leads to, itself with them. */
    BitSet reached() {
        BitSet reached = new BitSet();
        BitSet next = new BitSet();
        next.set(root);
        while (!next.isEmpty()) {
            int rule = next.nextSetBit(0);
            next.clear(rule);
            reached.set(rule);
            next.or(calls(bodies.get(rule)));
            next.andNot(reached);
        }
        return reached;
    }

    /**
     * Rules that hold where their bodies do, when that is known of the rules they call: the fewest.
     *
     * @param inner makes of what is known of rules whether it holds for a body
     */
    BitSet fewest(IntFunction<BitSet> calls, Holds inner) {
        BitSet known = new BitSet();
        List<int[]> order = Components.of(size(), calls);
        boolean changed = true;
        while (changed) {
            changed = false;
            // callees first: where nothing recurs, one pass is enough
            for (int[] component : order) {
                for (int rule : component) {
                    if (!known.get(rule) && inner.test(bodies.get(rule), known)) {
                        known.set(rule);
                        changed = true;
                    }
                }
            }
        }
        return known;
    }

    /** Whether something holds for an expression, when that is known of rules. */
    interface Holds {
        boolean test(Expression expression, BitSet known);
    }

    /** Rules of which some text can be written to its end. */
    BitSet productive() {
        return fewest(rule -> calls(bodies.get(rule)), Rules::ends);
    }

    private static boolean ends(Expression expression, BitSet productive) {
        CompileWork.spend(1);
        Predicate<Expression> inner = part -> ends(part, productive);
        return switch (expression) {
            case Expression.Call(int rule) -> productive.get(rule);
            case Expression.Sequence(var parts) -> parts.stream().allMatch(inner);
            case Expression.Either(var parts) -> parts.stream().anyMatch(inner);
            case Expression.Repeat(var part, int least, int most) -> least == 0 || inner.test(part);
            case Expression.Chars(int[] ranges) -> ranges.length > 0;
            case Expression.Begin(), Expression.End() -> true;
        };
    }

    /** Rules that the empty text is one of. */
    BitSet nullable() {
        return fewest(rule -> calls(bodies.get(rule)), Rules::nullable);
    }

    /** Whether the empty text fits an expression. */
    static boolean nullable(Expression expression, BitSet nullable) {
        CompileWork.spend(1);
        Predicate<Expression> inner = part -> nullable(part, nullable);
        return switch (expression) {
            case Expression.Call(int rule) -> nullable.get(rule);
            case Expression.Sequence(var parts) -> parts.stream().allMatch(inner);
            case Expression.Either(var parts) -> parts.stream().anyMatch(inner);
            case Expression.Repeat(var part, int least, int most) -> least == 0 || inner.test(part);
            case Expression.Chars chars -> false;
            case Expression.Begin(), Expression.End() -> true;
        };
    }

    /** Whether a text may begin with a code point. */
    boolean mayBeginWith(int codePoint) {
        BitSet nullable = nullable();
        return fewest(rule -> calls(bodies.get(rule)), (body, known) -> begins(body, codePoint, nullable, known))
                .get(root);
    }

    private static boolean begins(Expression expression, int codePoint, BitSet nullable, BitSet known) {
        CompileWork.spend(1);
        return switch (expression) {
            case Expression.Call(int rule) -> known.get(rule);
            case Expression.Sequence(var parts) -> {
                for (Expression part : parts) {
                    if (begins(part, codePoint, nullable, known)) {
                        yield true;
                    }
                    if (!nullable(part, nullable)) {
                        yield false;
                    }
                }
                yield false;
            }
            case Expression.Either(var parts) ->
                parts.stream().anyMatch(part -> begins(part, codePoint, nullable, known));
            case Expression.Repeat(var part, int least, int most) ->
                most != 0 && begins(part, codePoint, nullable, known);
            case Expression.Chars(int[] ranges) -> CodePoints.contains(ranges, codePoint);
            case Expression.Begin(), Expression.End() -> false;
        };
    }

    /** Rules that an expression may call before it took anything. */
    static BitSet first(Expression expression, BitSet nullable) {
        BitSet first = new BitSet();
        addFirst(expression, nullable, first);
        return first;
    }

    private static void addFirst(Expression expression, BitSet nullable, BitSet first) {
        CompileWork.spend(1);
        switch (expression) {
            case Expression.Call(int rule) -> first.set(rule);
            case Expression.Sequence(var parts) -> {
                for (Expression part : parts) {
                    addFirst(part, nullable, first);
                    if (!nullable(part, nullable)) {
                        return;
                    }
                }
            }
            case Expression.Either(var parts) -> parts.forEach(part -> addFirst(part, nullable, first));
            case Expression.Repeat(var part, int least, int most) -> {
                if (most != 0) {
                    addFirst(part, nullable, first);
                }
            }
            case Expression.Chars chars -> {}
            case Expression.Begin() -> {}
            case Expression.End() -> {}
        }
    }

    /** The names of some rules, for an error. */
    String named(BitSet rules) {
        List<String> some = new ArrayList<>();
        rules.stream().limit(5).forEach(rule -> some.add("'" + names.get(rule) + "'"));
        return String.join(", ", some) + (rules.cardinality() > 5 ? ", …" : "");
    }
}
