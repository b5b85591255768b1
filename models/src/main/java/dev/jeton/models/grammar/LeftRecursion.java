package dev.jeton.models.grammar;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;

/**
 * Makes rules that may begin with themselves into others that take the same texts and do not: a {@link Network} follows
 * a rule from its beginning, and would never be done.
 *
 * <p>By component of rules that begin with one another: first none of them may be empty, so that what follows one is
 * never a beginning ({@code a} becomes {@code a'?}). Then each is what it begins with when that is none of them, and
 * what may be written around it: {@code e ::= e "+" t | t} is {@code t ("+" t)*}. Where there are several, what goes
 * around is rules of its own, one for each pair of them: what is left of the one once the other was written.
 */
final class LeftRecursion {

    /** Most rules that begin with one another: what is left of one once another was written is a rule for each pair. */
    private static final int MAX_TOGETHER = 100;

    private static final int PAIR_STEPS = 200;

    /** A way to begin: with a rule of the component, or negative for anything else, and what follows. */
    private record Way(int rule, Expression rest) {}

    /** What is left of a rule of the component once another was written. */
    private record Around(int whole, int written) {}

    private final List<String> names;
    private final List<Expression> bodies;
    private final int root;
    private final BitSet nullable;
    private final Map<Integer, Integer> withoutEmpty = new HashMap<>();
    private final ArrayDeque<Runnable> later = new ArrayDeque<>();

    private LeftRecursion(Rules rules) {
        names = new ArrayList<>(rules.names());
        bodies = new ArrayList<>(rules.bodies());
        root = rules.root();
        nullable = rules.nullable();
    }

    /**
     * Rules that take the same texts, and of which none may begin with itself.
     *
     * @throws GrammarException if too many begin with one another
     */
    static Rules without(Rules rules) {
        LeftRecursion made = new LeftRecursion(rules);
        List<BitSet> components = made.components();
        if (components.isEmpty()) {
            return rules;
        }
        for (BitSet component : components) {
            if (component.cardinality() > MAX_TOGETHER) {
                throw new GrammarException("%d rules begin with one another (%s); at most %d may"
                        .formatted(component.cardinality(), rules.named(component), MAX_TOGETHER));
            }
            component.stream().filter(made.nullable::get).forEach(rule -> {
                made.withoutEmpty.put(rule, made.add(rule, false));
            });
        }
        components.forEach(made::fill);
        made.finish();
        made.components().forEach(made::rewrite);
        made.finish();
        return new Rules(made.names, made.bodies, made.root);
    }

    private void finish() {
        while (!later.isEmpty()) {
            later.remove().run();
        }
    }

    /** Rules that begin with one another. */
    private List<BitSet> components() {
        List<BitSet> components = new ArrayList<>();
        for (int[] component : Components.of(bodies.size(), this::first)) {
            if (component.length > 1 || first(component[0]).get(component[0])) {
                BitSet rules = new BitSet();
                IntStream.of(component).forEach(rules::set);
                components.add(rules);
            }
        }
        return components;
    }

    private static <K, V> V at(Map<K, V> map, K key) {
        return Objects.requireNonNull(map.get(key));
    }

    private BitSet first(int rule) {
        return Rules.first(bodies.get(rule), nullable);
    }

    private int add(int like, boolean mayBeEmpty) {
        CompileWork.spend(PAIR_STEPS);
        names.add(names.get(like));
        bodies.add(Expression.empty());
        nullable.set(bodies.size() - 1, mayBeEmpty);
        return bodies.size() - 1;
    }

    /** Has no rule of a component be empty. */
    private void fill(BitSet component) {
        Map<Integer, Expression> optional = new HashMap<>();
        component.stream()
                .filter(nullable::get)
                .forEach(rule -> optional.put(rule, Expression.optional(new Expression.Call(at(withoutEmpty, rule)))));
        component.stream().forEach(rule -> {
            Expression body = replaced(bodies.get(rule), optional);
            if (optional.containsKey(rule)) {
                bodies.set(at(withoutEmpty, rule), full(body));
                bodies.set(rule, at(optional, rule));
            } else {
                bodies.set(rule, body);
            }
        });
    }

    private void rewrite(BitSet members) {
        Map<Integer, List<Way>> ways = new HashMap<>();
        members.stream().forEach(rule -> {
            List<Way> its = new ArrayList<>();
            addWays(bodies.get(rule), members, its);
            ways.put(rule, its);
        });
        if (members.cardinality() == 1) {
            int rule = members.nextSetBit(0);
            bodies.set(rule, loop(rule, at(ways, rule)));
        } else {
            around(members, ways);
        }
    }

    /** An expression, with others in place of calls. */
    private static Expression replaced(Expression expression, Map<Integer, Expression> by) {
        CompileWork.spend(1);
        return expression instanceof Expression.Call(int rule)
                ? by.getOrDefault(rule, expression)
                : expression.withParts(part -> replaced(part, by));
    }

    /** The texts of an expression but for the empty one. */
    private Expression full(Expression expression) {
        CompileWork.spend(4);
        if (!Rules.nullable(expression, nullable)) {
            return expression;
        }
        return switch (expression) {
            case Expression.Call(int rule) -> new Expression.Call(fullRule(rule));
            case Expression.Sequence(var parts) -> {
                List<Expression> any = new ArrayList<>();
                for (int i = 0; i < parts.size(); i++) {
                    any.add(followed(full(parts.get(i)), parts.subList(i + 1, parts.size())));
                }
                yield new Expression.Either(any);
            }
            case Expression.Either(var parts) ->
                new Expression.Either(parts.stream().map(this::full).toList());
            case Expression.Repeat(var part, int least, int most) ->
                most == 0 ? new Expression.Either(List.of()) : new Expression.Repeat(full(part), 1, most);
            case Expression.Chars chars -> chars;
            case Expression.Begin(), Expression.End() -> new Expression.Either(List.of());
        };
    }

    private int fullRule(int rule) {
        Integer known = withoutEmpty.get(rule);
        if (known != null) {
            return known;
        }
        int made = add(rule, false);
        withoutEmpty.put(rule, made);
        // a chain of them may be long
        later.add(() -> bodies.set(made, full(bodies.get(rule))));
        return made;
    }

    private static Expression followed(Expression part, List<Expression> rest) {
        return rest.isEmpty() ? part : Expression.sequence(part, new Expression.Sequence(rest));
    }

    /** The ways in which an expression that is not empty begins. */
    private void addWays(Expression expression, BitSet members, List<Way> ways) {
        CompileWork.spend(4);
        if (!Rules.first(expression, nullable).intersects(members)) {
            ways.add(new Way(-1, expression));
            return;
        }
        switch (expression) {
            case Expression.Call(int rule) -> ways.add(new Way(rule, Expression.empty()));
            case Expression.Either(var parts) -> parts.forEach(part -> addWays(part, members, ways));
            case Expression.Sequence(var parts) -> {
                for (int i = 0; i < parts.size(); i++) {
                    addWays(full(parts.get(i)), parts.subList(i + 1, parts.size()), members, ways);
                    if (!Rules.nullable(parts.get(i), nullable)) {
                        return;
                    }
                }
            }
            case Expression.Repeat(var part, int least, int most) -> {
                int fewer = most == Expression.UNBOUNDED ? most : most - 1;
                addWays(part, List.of(new Expression.Repeat(part, least - 1, fewer)), members, ways);
            }
            case Expression.Chars chars -> {}
            case Expression.Begin() -> {}
            case Expression.End() -> {}
        }
    }

    private void addWays(Expression part, List<Expression> rest, BitSet members, List<Way> ways) {
        List<Way> its = new ArrayList<>();
        addWays(part, members, its);
        its.forEach(way -> ways.add(new Way(way.rule, followed(way.rest, rest))));
    }

    /** What begins otherwise, and then any number of what follows the rule itself. */
    private Expression loop(int rule, List<Way> ways) {
        List<Expression> begins = new ArrayList<>();
        List<Expression> follows = new ArrayList<>();
        for (Way way : ways) {
            if (way.rule == rule) {
                follows.add(way.rest);
            } else {
                begins.add(way.rest);
            }
        }
        return Expression.sequence(
                new Expression.Either(begins),
                new Expression.Repeat(new Expression.Either(follows), 0, Expression.UNBOUNDED));
    }

    private void around(BitSet members, Map<Integer, List<Way>> ways) {
        Map<Around, Integer> rests = new HashMap<>();
        List<Around> todo = new ArrayList<>();
        Map<Integer, BitSet> same = new HashMap<>();
        members.stream().forEach(rule -> same.put(rule, wholly(rule, members, ways)));
        members.stream().forEach(whole -> {
            List<Expression> all = new ArrayList<>();
            members.stream().forEach(written -> {
                for (Way way : at(ways, written)) {
                    if (way.rule < 0) {
                        Expression rest = new Expression.Call(rest(new Around(whole, written), same, rests, todo));
                        all.add(Expression.sequence(way.rest, rest));
                    }
                }
            });
            bodies.set(whole, new Expression.Either(all));
        });
        for (int i = 0; i < todo.size(); i++) {
            Around around = todo.get(i);
            List<Expression> all = new ArrayList<>();
            if (at(same, around.written).get(around.whole)) {
                all.add(Expression.empty());
            }
            members.stream().forEach(rule -> {
                for (Way way : at(ways, rule)) {
                    CompileWork.spend(4);
                    if (way.rule >= 0 && at(same, around.written).get(way.rule)) {
                        Expression rest = new Expression.Call(rest(new Around(around.whole, rule), same, rests, todo));
                        all.add(Expression.sequence(full(way.rest), rest));
                    }
                }
            });
            bodies.set(at(rests, around), new Expression.Either(all));
        }
    }

    private int rest(Around around, Map<Integer, BitSet> same, Map<Around, Integer> rests, List<Around> todo) {
        Integer known = rests.get(around);
        if (known == null) {
            known = add(around.whole, at(same, around.written).get(around.whole));
            rests.put(around, known);
            todo.add(around);
        }
        return known;
    }

    /** Rules of the component that a rule may be the whole of, itself with them. */
    private BitSet wholly(int written, BitSet members, Map<Integer, List<Way>> ways) {
        BitSet whole = new BitSet();
        whole.set(written);
        int before;
        do {
            before = whole.cardinality();
            members.stream().forEach(rule -> {
                CompileWork.spend(1);
                for (Way way : at(ways, rule)) {
                    if (way.rule >= 0 && whole.get(way.rule) && Rules.nullable(way.rest, nullable)) {
                        whole.set(rule);
                    }
                }
            });
        } while (whole.cardinality() > before);
        return whole;
    }
}
