package dev.jeton.models.grammar;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Writes the rules of a grammar into a network.
 *
 * <p>What recurs nowhere is a regular expression and is written as one, with the rules that it calls in their places:
 * without a choice to follow, and in nodes of which a token needs to know nothing but the node. The rest is written as
 * it stands, a rule of the network for each rule.
 */
final class EbnfRules {

    /** Most places of an expression that is made into an automaton without choices. */
    private static final int MAX_REGULAR = 9_000;
    /** States that such an automaton may have, however few places the expression has. */
    private static final int MIN_STATES = 500;
    /** Most places of a rule that is put in place of its calls where it is repeated beside others that recur. */
    private static final int MAX_INLINE = 32;
    /** Deepest nesting of such an expression: a chain of rules may be long. */
    private static final int MAX_DEPTH = 400;
    /** More than any weight. */
    private static final long RECURRING = 1L << 40;

    private final NetworkBuilder network;
    private final Rules rules;
    /** By rule, its body without calls where that is small enough; otherwise a call of it. */
    private final Expression[] regular;

    private final long[] weights;
    private final int[] depths;
    private final Map<Integer, Integer> written = new HashMap<>();
    private final ArrayDeque<Runnable> later = new ArrayDeque<>();

    private EbnfRules(NetworkBuilder network, Rules rules) {
        this.network = network;
        this.rules = rules;
        regular = new Expression[rules.size()];
        weights = new long[rules.size()];
        depths = new int[rules.size()];
        weigh();
    }

    /**
     * The network's rule of a grammar's root.
     *
     * @param spaced whether the decoder takes a space from the text's beginning
     * @throws GrammarException if it is no grammar, or a rule of it never ends, saying where and which
     */
    static int rule(String grammar, NetworkBuilder network, boolean spaced) {
        Rules rules = RuleParser.parse(grammar);
        BitSet endless = rules.reached();
        endless.andNot(rules.productive());
        if (!endless.isEmpty()) {
            throw new GrammarException("no text of the rule %s ever ends; give it an alternative without itself"
                    .formatted(rules.named(endless)));
        }
        EbnfRules made = new EbnfRules(network, LeftRecursion.without(rules));
        int root = made.called(rules.root());
        while (!made.later.isEmpty()) {
            made.later.remove().run();
        }
        return spaced ? made.afterSpace(root) : root;
    }

    /** A space is taken away from a text that begins with one, too: there it must be written. */
    private int afterSpace(int root) {
        int rule = network.rule();
        int after = network.node();
        network.bytes(network.begin(rule), ' ', ' ', after);
        if (!rules.mayBeginWith(' ')) {
            network.epsilon(network.begin(rule), after);
        }
        network.call(after, root, network.end(rule));
        return rule;
    }

    // ---- what recurs nowhere ----

    private void weigh() {
        List<int[]> order =
                Components.of(rules.size(), rule -> Rules.calls(rules.bodies().get(rule)));
        for (int[] component : order) {
            for (int rule : component) {
                // until its body was weighed: what calls itself is never without calls
                weights[rule] = RECURRING;
                regular[rule] = new Expression.Call(rule);
            }
            if (component.length == 1) {
                int rule = component[0];
                Expression body = rules.bodies().get(rule);
                long weight = weight(body);
                depths[rule] = depth(body);
                if (weight <= MAX_REGULAR && depths[rule] <= MAX_DEPTH) {
                    regular[rule] = inlined(body, MAX_REGULAR);
                    weights[rule] = weight;
                }
            }
        }
    }

    /** How many places an expression has with rules in place of their calls. */
    private long weight(Expression expression) {
        CompileWork.spend(1);
        long weight = switch (expression) {
            case Expression.Call(int rule) -> weights[rule];
            case Expression.Sequence(var parts) ->
                1 + parts.stream().mapToLong(this::weight).reduce(0, EbnfRules::sum);
            case Expression.Either(var parts) ->
                1 + parts.stream().mapToLong(this::weight).reduce(0, EbnfRules::sum);
            case Expression.Repeat(var part, int least, int most) -> {
                long one = weight(part);
                yield one >= RECURRING ? one : 1 + one * Math.max(1, Math.max(least, most));
            }
            case Expression.Chars chars -> 1 + chars.ranges().length / 8;
            case Expression.Begin(), Expression.End() -> 1;
        };
        return Math.min(weight, RECURRING);
    }

    /** How deep parts are within one another, with rules in place of their calls. */
    private int depth(Expression expression) {
        return switch (expression) {
            case Expression.Call(int rule) -> depths[rule];
            case Expression.Sequence(var parts) -> depth(parts);
            case Expression.Either(var parts) -> depth(parts);
            case Expression.Repeat(var part, int least, int most) -> 1 + depth(part);
            case Expression.Chars chars -> 1;
            case Expression.Begin(), Expression.End() -> 1;
        };
    }

    private int depth(List<Expression> parts) {
        int deepest = 0;
        for (Expression part : parts) {
            deepest = Math.max(deepest, depth(part));
        }
        return 1 + deepest;
    }

    private static long sum(long one, long other) {
        return Math.min(one + other, RECURRING);
    }

    /** The same, with rules of such a weight in place of their calls. */
    private Expression inlined(Expression expression, long most) {
        CompileWork.spend(1);
        return expression instanceof Expression.Call(int rule) && weights[rule] <= most
                ? regular[rule]
                : expression.withParts(part -> inlined(part, most));
    }

    /**
     * The same, with small rules in place of their calls where they are repeated, so that a token of several of them is
     * one of the node. Elsewhere that would only be another node of which all tokens are to be found.
     */
    private Expression repeatedInlined(Expression expression) {
        CompileWork.spend(1);
        return expression.withParts(
                part -> expression instanceof Expression.Repeat repeat && repeat.most() == Expression.UNBOUNDED
                        ? inlined(part, MAX_INLINE)
                        : repeatedInlined(part));
    }

    private static boolean calls(Expression expression) {
        return !Rules.calls(expression).isEmpty();
    }

    // ---- writing ----

    /** The network's rule of a rule, which is written later: chains of them may be long. */
    private int called(int rule) {
        return written.computeIfAbsent(rule, added -> {
            int made = network.rule();
            Expression body = weights[rule] <= MAX_REGULAR
                    ? regular[rule]
                    : repeatedInlined(rules.bodies().get(rule));
            later.add(() -> write(body, network.begin(made), network.end(made)));
            return made;
        });
    }

    /** Takes an expression between two nodes. */
    private void write(Expression expression, int from, int to) {
        CompileWork.spend(4);
        if (!(expression instanceof Expression.Call) && !calls(expression) && regular(expression, from, to)) {
            return;
        }
        switch (expression) {
            case Expression.Call(int rule) -> network.call(from, called(rule), to);
            case Expression.Sequence(var parts) -> sequence(merged(parts, true), from, to);
            case Expression.Either(var parts) -> merged(parts, false).forEach(part -> write(part, from, to));
            case Expression.Repeat repeat -> repeat(repeat, from, to);
            case Expression.Chars chars ->
                TextEncoder.write(network, ExpressionAutomaton.whole(chars), from, to, false);
            case Expression.Begin(), Expression.End() -> throw new IllegalStateException("rules have no anchors");
        }
    }

    private boolean regular(Expression expression, int from, int to) {
        long weight = weight(expression);
        if (weight > MAX_REGULAR) {
            return false;
        }
        // what becomes much larger would become very much larger
        Optional<TextAutomaton> texts = ExpressionAutomaton.whole(expression, (int) (MIN_STATES + 2 * weight));
        texts.ifPresent(made -> TextEncoder.write(network, made.reduced(), from, to, false));
        return texts.isPresent();
    }

    /** Parts, those without calls put together: of a sequence where they follow one another, of others all. */
    private List<Expression> merged(List<Expression> parts, boolean sequence) {
        List<Expression> out = new ArrayList<>();
        List<Expression> run = new ArrayList<>();
        long weight = 0;
        for (Expression part : parts) {
            boolean calls = calls(part);
            long its = calls ? 0 : weight(part);
            if (calls && sequence || weight + its >= MAX_REGULAR) {
                put(run, sequence, out);
                weight = 0;
            }
            if (calls) {
                out.add(part);
            } else {
                run.add(part);
                weight += its;
            }
        }
        put(run, sequence, out);
        // all of them in one is what has been tried
        return out.size() == 1 ? parts : out;
    }

    private static void put(List<Expression> run, boolean sequence, List<Expression> out) {
        if (run.size() == 1) {
            out.add(run.getFirst());
        } else if (!run.isEmpty()) {
            List<Expression> parts = List.copyOf(run);
            out.add(sequence ? new Expression.Sequence(parts) : new Expression.Either(parts));
        }
        run.clear();
    }

    private void sequence(List<Expression> parts, int from, int to) {
        if (parts.isEmpty()) {
            network.epsilon(from, to);
            return;
        }
        int at = from;
        for (Expression part : parts.subList(0, parts.size() - 1)) {
            int next = network.node();
            write(part, at, next);
            at = next;
        }
        // directly to the end, so that nothing waits for a rule that is called last
        write(parts.getLast(), at, to);
    }

    private void repeat(Expression.Repeat repeat, int from, int to) {
        boolean unbounded = repeat.most() == Expression.UNBOUNDED;
        int copies = unbounded ? Math.max(0, repeat.least() - 1) : repeat.most();
        Expression part = repeat.part();
        int rule = copies > 1 || copies == 1 && unbounded ? ruleOf(part) : -1;
        int at = from;
        for (int i = 0; i < copies; i++) {
            if (i >= repeat.least()) {
                network.epsilon(at, to);
            }
            int next = network.node();
            one(part, rule, at, next);
            at = next;
        }
        if (!unbounded) {
            network.epsilon(at, to);
            return;
        }
        int begin = network.node();
        int after = repeat.least() == 0 ? begin : network.node();
        network.epsilon(at, begin);
        one(part, rule, begin, after);
        if (after != begin) {
            network.epsilon(after, begin);
        }
        network.epsilon(after, to);
    }

    private void one(Expression part, int rule, int from, int to) {
        if (rule < 0) {
            write(part, from, to);
        } else {
            network.call(from, rule, to);
        }
    }

    /** A rule of its own for what is taken several times. */
    private int ruleOf(Expression part) {
        if (part instanceof Expression.Call(int rule)) {
            return called(rule);
        }
        int made = network.rule();
        later.add(() -> write(part, network.begin(made), network.end(made)));
        return made;
    }
}
