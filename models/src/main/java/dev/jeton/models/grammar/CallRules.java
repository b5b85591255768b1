package dev.jeton.models.grammar;

import dev.jeton.models.tools.CallFrame;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/** The rule of calls of functions: their frames, names and arguments. */
final class CallRules {

    private static final TextAutomaton NUMBERS = Regex.texts("0|[1-9][0-9]{0,3}", true);

    private final GrammarSpec.Calls calls;
    private final CallFrame frame;
    private final NetworkBuilder network;
    private final GrammarVocabulary vocabulary;

    private CallRules(GrammarSpec.Calls calls, NetworkBuilder network, GrammarVocabulary vocabulary) {
        this.calls = calls;
        this.network = network;
        this.vocabulary = vocabulary;
        frame = calls.frame();
    }

    /**
     * The rule.
     *
     * @param spaced whether a space goes with which the text begins
     */
    static int rule(GrammarSpec.Calls calls, NetworkBuilder network, GrammarVocabulary vocabulary, boolean spaced) {
        return new CallRules(calls, network, vocabulary).rule(spaced);
    }

    /** The rule of what is left of calls that have begun. */
    static int rest(GrammarSpec.RestOfCalls rest, NetworkBuilder network, GrammarVocabulary vocabulary) {
        return new CallRules(rest.calls(), network, vocabulary).rest(rest);
    }

    private int rule(boolean spaced) {
        int rule = network.rule();
        int begin = network.node();
        network.epsilon(network.begin(rule), begin);
        if (spaced) {
            network.bytes(network.begin(rule), ' ', ' ', begin);
        }
        int name = network.node();
        network.epsilon(literal(literal(begin, frame.open()), frame.begin()), name);
        int ended = network.node();
        named(name, ended);
        more(ended, name);
        network.epsilon(literal(ended, frame.close()), network.end(rule));
        return rule;
    }

    private int rest(GrammarSpec.RestOfCalls rest) {
        int rule = network.rule();
        int begin = network.begin(rule);
        int name = network.node();
        int ended = network.node();
        if (rest.function().isPresent()) {
            network.epsilon(begin, name);
            network.bytes(begin, ' ', ' ', name);
            arguments(rest.function().get(), name, ended);
            if (!frame.open().isEmpty()) {
                int next = network.node();
                more(ended, next);
                named(next, ended);
            }
        } else {
            network.epsilon(
                    literal(
                            begin,
                            (frame.open() + frame.begin())
                                    .substring(rest.written().length())),
                    name);
            named(name, ended);
            if (!frame.open().isEmpty()) {
                more(ended, name);
            }
        }
        network.epsilon(literal(ended, frame.close()), network.end(rule));
        return rule;
    }

    /** A call may be followed by another. */
    private void more(int ended, int name) {
        if (!calls.one()) {
            network.epsilon(literal(literal(ended, frame.between()), frame.begin()), name);
        }
    }

    /** Any of the functions, from its name to the end of its call. */
    private void named(int name, int ended) {
        for (GrammarSpec.Function function : calls.functions()) {
            arguments(function, counted(network.text(name, function.name()), frame.arguments()), ended);
        }
    }

    private void arguments(GrammarSpec.Function function, int from, int ended) {
        int rule = switch (frame.body()) {
            case CallFrame.Body.Json() -> arguments(function, network);
            case CallFrame.Body.Keywords body -> parameters(function, ParameterRules.Writing.of(body));
            case CallFrame.Body.Parameters body -> parameters(function, ParameterRules.Writing.of(body));
        };
        network.epsilon(literal(network.call(from, rule), frame.end()), ended);
    }

    private int parameters(GrammarSpec.Function function, ParameterRules.Writing writing) {
        try {
            return JsonSchemaCompiler.parameters(
                    network, object(function.parameters()), function.strict(), writing, this::literal);
        } catch (GrammarException e) {
            throw of(function, e);
        }
    }

    /** The rule of a function's arguments. */
    static int arguments(GrammarSpec.Function function, NetworkBuilder network) {
        try {
            // the frame says what goes before arguments, and what reads it may take no more than that
            return JsonSchemaCompiler.compile(network, object(function.parameters()), function.strict(), false);
        } catch (GrammarException e) {
            throw of(function, e);
        }
    }

    private static GrammarException of(GrammarSpec.Function function, GrammarException why) {
        return new GrammarException("the function '%s': %s".formatted(function.name(), why.getMessage()));
    }

    /** Arguments are an object, also where their schema leaves that to be understood. */
    private static Object object(Object parameters) {
        if (!(parameters instanceof Map<?, ?> schema) || schema.containsKey("type") || schema.containsKey("$ref")) {
            return parameters;
        }
        Map<Object, Object> typed = new LinkedHashMap<>(schema);
        typed.put("type", "object");
        return typed;
    }

    /** Takes a literal that may have a number within. */
    private int counted(int from, String text) {
        int at = text.indexOf(CallFrame.COUNT);
        if (at < 0) {
            return literal(from, text);
        }
        int begin = literal(from, text.substring(0, at));
        int end = network.node();
        TextEncoder.write(network, NUMBERS, begin, end, false);
        return literal(end, text.substring(at + CallFrame.COUNT.length()));
    }

    /** Takes a literal from a node on, marks in it as the tokens that they are; the node after it. */
    private int literal(int from, String text) {
        int node = from;
        int at = 0;
        while (at < text.length()) {
            Optional<String> mark = markAt(text, at);
            String part = mark.isPresent() ? mark.get() : plain(text, at);
            if (mark.isPresent() && vocabulary.special(part)) {
                int marked = network.node();
                network.bytes(node, GrammarVocabulary.SPECIAL, GrammarVocabulary.SPECIAL, marked);
                node = marked;
            }
            node = network.text(node, part);
            at += part.length();
        }
        return node;
    }

    private Optional<String> markAt(String text, int at) {
        return calls.marks().stream()
                .filter(mark -> text.startsWith(mark, at))
                .max(Comparator.comparingInt(String::length));
    }

    /** What comes before the next mark. */
    private String plain(String text, int at) {
        int end = at + 1;
        while (end < text.length() && markAt(text, end).isEmpty()) {
            end++;
        }
        return text.substring(at, end);
    }
}
