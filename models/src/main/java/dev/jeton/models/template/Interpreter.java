package dev.jeton.models.template;

import dev.jeton.models.TemplateException;
import dev.jeton.models.template.Values.Function;
import dev.jeton.models.template.Values.Namespace;
import dev.jeton.models.template.Values.Undefined;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * Runs a template once. Scopes are Jinja2's: a loop body and a macro see outer names but set only their own; {@code if}
 * opens no scope; a {@code namespace} is how loops pass values out. Steps, output and depth are bounded, so a template
 * cannot keep a server busy.
 */
final class Interpreter {

    private static final int MAX_STEPS = 2_000_000;
    private static final int MAX_DEPTH = 64;

    /** How a statement list ended. */
    private enum Flow {
        ON,
        BREAK,
        CONTINUE
    }

    private final Deque<Map<String, Object>> scopes = new ArrayDeque<>();
    private final int maxOutput;
    private int steps;
    private int depth;
    private int written;

    Interpreter(Map<String, Object> globals, int maxOutput) {
        this.maxOutput = maxOutput;
        scopes.push(globals);
        scopes.push(new HashMap<>());
    }

    String run(List<Node.Statement> body) {
        StringBuilder out = new StringBuilder();
        run(body, out);
        return out.toString();
    }

    private Flow run(List<Node.Statement> body, StringBuilder out) {
        for (Node.Statement statement : body) {
            Flow flow = run(statement, out);
            if (flow != Flow.ON) {
                return flow;
            }
        }
        return Flow.ON;
    }

    private Flow run(Node.Statement statement, StringBuilder out) {
        step();
        switch (statement) {
            case Node.Text text -> write(text.text(), out);
            case Node.Print print -> write(Values.text(value(print.value())), out);
            case Node.If branch -> {
                return runIf(branch, out);
            }
            case Node.For loop -> runFor(loop, out);
            case Node.Set set -> runSet(set);
            case Node.SetBlock set -> assign(set.target(), filtered(set.filters(), set.body()));
            case Node.FilterBlock block -> write(Values.text(filtered(block.filters(), block.body())), out);
            case Node.MacroDefinition macro -> top().put(macro.name(), macro(macro, Optional.empty()));
            case Node.CallBlock block -> write(Values.text(runCall(block)), out);
            case Node.Break ignored -> {
                return Flow.BREAK;
            }
            case Node.Continue ignored -> {
                return Flow.CONTINUE;
            }
        }
        return Flow.ON;
    }

    private void step() {
        if (++steps > MAX_STEPS) {
            throw new TemplateException("chat template: more than " + MAX_STEPS + " steps; it is cut off");
        }
    }

    /** What goes over a whole text or list takes steps by its length: as many as take about as long. */
    private void step(Object operand) {
        steps += switch (operand) {
            case String text -> text.length() >> 8;
            case Collection<?> items -> items.size() >> 6;
            case Map<?, ?> map -> map.size() >> 6;
            default -> 0;
        };
        step();
    }

    private void write(String text, StringBuilder out) {
        written += text.length();
        if (written > maxOutput) {
            throw new TemplateException(
                    "chat template: more than " + maxOutput + " characters of output; it is cut off");
        }
        out.append(text);
    }

    private Flow runIf(Node.If statement, StringBuilder out) {
        for (Node.Branch branch : statement.branches()) {
            if (Values.truth(value(branch.condition()))) {
                return run(branch.body(), out);
            }
        }
        return run(statement.otherwise(), out);
    }

    private void runFor(Node.For loop, StringBuilder out) {
        List<Object> items = Values.items(value(loop.iterable()));
        scopes.push(new HashMap<>());
        if (loop.filter().isPresent()) {
            List<Object> kept = new ArrayList<>();
            for (Object item : items) {
                bind(loop.targets(), item);
                if (Values.truth(value(loop.filter().get()))) {
                    kept.add(item);
                }
            }
            items = kept;
        }
        for (int i = 0; i < items.size(); i++) {
            step();
            top().clear();
            top().put("loop", loopVariable(items, i));
            bind(loop.targets(), items.get(i));
            if (run(loop.body(), out) == Flow.BREAK) {
                break;
            }
        }
        scopes.pop();
        if (items.isEmpty()) {
            run(loop.otherwise(), out);
        }
    }

    private static Map<Object, Object> loopVariable(List<Object> items, int i) {
        Map<Object, Object> loop = new LinkedHashMap<>();
        loop.put("index", i + 1L);
        loop.put("index0", (long) i);
        loop.put("revindex", (long) items.size() - i);
        loop.put("revindex0", (long) items.size() - i - 1);
        loop.put("first", i == 0);
        loop.put("last", i == items.size() - 1);
        loop.put("length", (long) items.size());
        loop.put("depth", 1L);
        loop.put("depth0", 0L);
        loop.put("previtem", i == 0 ? new Undefined("loop.previtem") : items.get(i - 1));
        loop.put("nextitem", i == items.size() - 1 ? new Undefined("loop.nextitem") : items.get(i + 1));
        loop.put("cycle", (Function) (values, named) -> values.get(i % values.size()));
        return loop;
    }

    private void bind(List<String> names, Object item) {
        if (names.size() == 1) {
            top().put(names.getFirst(), item);
            return;
        }
        List<Object> parts = Values.items(item);
        if (parts.size() != names.size()) {
            throw new TemplateException("chat template: %d values for %d names".formatted(parts.size(), names.size()));
        }
        for (int i = 0; i < names.size(); i++) {
            top().put(names.get(i), parts.get(i));
        }
    }

    private void runSet(Node.Set set) {
        Object value = value(set.value());
        if (set.targets().size() == 1) {
            assign(set.targets().getFirst(), value);
            return;
        }
        List<Object> parts = Values.items(value);
        if (parts.size() != set.targets().size()) {
            throw new TemplateException("chat template: set of %d names from %d values"
                    .formatted(set.targets().size(), parts.size()));
        }
        for (int i = 0; i < parts.size(); i++) {
            assign(set.targets().get(i), parts.get(i));
        }
    }

    private void assign(Node.Target target, Object value) {
        if (target.attribute().isEmpty()) {
            top().put(target.name(), value);
        } else if (lookUp(target.name()) instanceof Namespace namespace) {
            namespace.attributes().put(target.attribute(), value);
        } else {
            throw new TemplateException("chat template: cannot set attribute '" + target.attribute() + "' of '"
                    + target.name() + "', which is not a namespace");
        }
    }

    private Object filtered(List<Node.FilterCall> filters, List<Node.Statement> body) {
        StringBuilder inner = new StringBuilder();
        scopes.push(new HashMap<>());
        run(body, inner);
        scopes.pop();
        written -= inner.length();
        Object value = inner.toString();
        for (Node.FilterCall filter : filters) {
            value = filter(value, filter);
        }
        return value;
    }

    private Object runCall(Node.CallBlock block) {
        Function caller = macro(new Node.MacroDefinition("caller", block.parameters(), block.body()), Optional.empty());
        Object function = value(block.call().function());
        if (!(function instanceof Macro macro)) {
            throw new TemplateException("chat template: a call block needs a macro");
        }
        return macro(macro.definition(), Optional.of(caller))
                .call(positional(block.call().arguments()), named(block.call().arguments()));
    }

    /** A macro of this run. */
    private record Macro(Node.MacroDefinition definition, Function body) implements Function {
        @Override
        public Object call(List<Object> positional, Map<String, Object> named) {
            return body.call(positional, named);
        }
    }

    private Macro macro(Node.MacroDefinition definition, Optional<Function> caller) {
        return new Macro(definition, (positional, named) -> {
            deeper();
            Map<String, Object> scope = new HashMap<>();
            scopes.push(scope);
            for (int i = 0; i < definition.parameters().size(); i++) {
                Node.Parameter parameter = definition.parameters().get(i);
                Object value;
                if (i < positional.size()) {
                    value = positional.get(i);
                } else if (named.containsKey(parameter.name())) {
                    value = Objects.requireNonNull(named.get(parameter.name()));
                } else {
                    value = parameter.defaultValue().map(this::value).orElseGet(() -> new Undefined(parameter.name()));
                }
                scope.put(parameter.name(), value);
            }
            caller.ifPresent(function -> scope.put("caller", function));
            StringBuilder inner = new StringBuilder();
            run(definition.body(), inner);
            written -= inner.length();
            scopes.pop();
            depth--;
            return inner.toString();
        });
    }

    private void deeper() {
        if (++depth > MAX_DEPTH) {
            throw new TemplateException("chat template: calls nested deeper than " + MAX_DEPTH);
        }
    }

    private Map<String, Object> top() {
        return scopes.element();
    }

    private Object lookUp(String name) {
        for (Map<String, Object> scope : scopes) {
            Object value = scope.get(name);
            if (value != null) {
                return value;
            }
        }
        return new Undefined(name);
    }

    // ---- expressions ----

    private Object value(Node.Expression expression) {
        step();
        return switch (expression) {
            case Node.Constant constant -> constant.value();
            case Node.Name name -> lookUp(name.name());
            case Node.ListOf list -> values(list.items());
            case Node.TupleOf tuple -> new Values.Tuple(values(tuple.items()));
            case Node.DictOf dict -> {
                Map<Object, Object> map = new LinkedHashMap<>();
                dict.entries().forEach((k, v) -> map.put(value(k), value(v)));
                yield map;
            }
            case Node.Attribute attribute -> {
                Object object = value(attribute.object());
                if (object instanceof String) {
                    // all it has are methods
                    step(object);
                }
                yield Members.attribute(object, attribute.name());
            }
            case Node.Item item -> Members.item(value(item.object()), value(item.key()));
            case Node.Slice slice -> slice(slice);
            case Node.Call call -> call(call);
            case Node.Filter filter -> filter(value(filter.value()), filter.call());
            case Node.Test test ->
                Filters.test(test.name(), value(test.value()), values(test.arguments())) != test.negated();
            case Node.Unary unary -> Operators.unary(unary.operator(), value(unary.value()));
            case Node.Binary binary -> binary(binary);
            case Node.Choice choice -> {
                if (Values.truth(value(choice.condition()))) {
                    yield value(choice.then());
                }
                yield choice.otherwise().map(this::value).orElseGet(() -> new Undefined("else"));
            }
        };
    }

    private List<Object> values(List<Node.Expression> expressions) {
        List<Object> values = new ArrayList<>(expressions.size());
        for (Node.Expression expression : expressions) {
            values.add(value(expression));
        }
        return values;
    }

    private List<Object> positional(Node.Arguments arguments) {
        List<Object> values = values(arguments.positional());
        arguments.rest().map(this::value).ifPresent(rest -> {
            step(rest);
            values.addAll(Values.items(rest));
        });
        return values;
    }

    private Map<String, Object> named(Node.Arguments arguments) {
        Map<String, Object> values = new LinkedHashMap<>();
        arguments.named().forEach((name, expression) -> values.put(name, value(expression)));
        arguments.namedRest().map(this::value).ifPresent(rest -> {
            step(rest);
            if (!(rest instanceof Map<?, ?> mapping)) {
                throw new TemplateException("chat template: ** needs a mapping, not " + Values.type(rest));
            }
            mapping.forEach((name, value) -> {
                if (values.put(Values.text(name), value) != null) {
                    throw new TemplateException("chat template: the argument '" + name + "' is given twice");
                }
            });
        });
        return values;
    }

    private Object filter(Object value, Node.FilterCall call) {
        step(value);
        return Filters.apply(call.name(), value, positional(call.arguments()), named(call.arguments()));
    }

    private Object binary(Node.Binary binary) {
        Object left = value(binary.left());
        return switch (binary.operator()) {
            case "and" -> Values.truth(left) ? value(binary.right()) : left;
            case "or" -> Values.truth(left) ? left : value(binary.right());
            default -> {
                Object right = value(binary.right());
                step(left);
                step(right);
                yield Operators.apply(binary.operator(), left, right);
            }
        };
    }

    private Object slice(Node.Slice slice) {
        Object object = value(slice.object());
        if (object instanceof Undefined undefined) {
            throw Values.undefined(undefined);
        }
        step(object);
        List<Object> items = Values.items(object);
        long step = slice.step().map(this::value).map(Values::toLong).orElse(1L);
        if (step == 0) {
            throw new TemplateException("chat template: a slice with step 0");
        }
        int size = items.size();
        long from = bound(slice.from(), step > 0 ? 0 : size - 1, size, step);
        long to = bound(slice.to(), step > 0 ? size : -1, size, step);
        List<Object> picked = new ArrayList<>();
        // a step past either end is the end, and adding a greater one to a place might come round to the front
        step = Math.clamp(step, -size - 1L, size + 1L);
        for (long i = from; step > 0 ? i < to : i > to; i += step) {
            picked.add(items.get((int) i));
        }
        if (object instanceof String) {
            StringBuilder text = new StringBuilder();
            picked.forEach(text::append);
            return text.toString();
        }
        return picked;
    }

    private long bound(Optional<Node.Expression> expression, long otherwise, int size, long step) {
        Object value = expression.map(this::value).orElse(Values.NONE);
        if (value == Values.NONE) {
            return otherwise;
        }
        long index = Values.toLong(value);
        index = index < 0 ? index + size : index;
        return step > 0 ? Math.clamp(index, 0, size) : Math.clamp(index, -1, size - 1);
    }

    private Object call(Node.Call call) {
        Object function = value(call.function());
        if (function instanceof Undefined undefined) {
            throw Values.undefined(undefined);
        }
        if (!(function instanceof Function callable)) {
            throw new TemplateException("chat template: " + Values.type(function) + " cannot be called");
        }
        return callable.call(positional(call.arguments()), named(call.arguments()));
    }
}
