package dev.jeton.models.grammar;

import dev.jeton.models.tools.CallFrame;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;

/** The rule of calls of functions: their frames, names and arguments. */
final class CallRules {

    private final GrammarSpec.Calls calls;
    private final NetworkBuilder network;
    private final GrammarVocabulary vocabulary;

    private CallRules(GrammarSpec.Calls calls, NetworkBuilder network, GrammarVocabulary vocabulary) {
        this.calls = calls;
        this.network = network;
        this.vocabulary = vocabulary;
    }

    /**
     * The rule.
     *
     * @param spaced whether a space goes with which the text begins
     */
    static int rule(GrammarSpec.Calls calls, NetworkBuilder network, GrammarVocabulary vocabulary, boolean spaced) {
        return new CallRules(calls, network, vocabulary).rule(spaced);
    }

    private int rule(boolean spaced) {
        CallFrame frame = calls.frame();
        int rule = network.rule();
        int begin = network.node();
        network.epsilon(network.begin(rule), begin);
        if (spaced) {
            network.bytes(network.begin(rule), ' ', ' ', begin);
        }
        int call = network.node();
        network.epsilon(literal(begin, frame.open()), call);
        int name = literal(call, frame.begin());
        int ended = network.node();
        for (GrammarSpec.Function function : calls.functions()) {
            int arguments = literal(network.text(name, function.name()), frame.arguments());
            int schema = JsonSchemaCompiler.compile(network, object(function.parameters()), function.strict());
            network.epsilon(literal(network.call(arguments, schema), frame.end()), ended);
        }
        if (!calls.one()) {
            network.epsilon(literal(ended, frame.between()), call);
        }
        network.epsilon(literal(ended, frame.close()), network.end(rule));
        return rule;
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
