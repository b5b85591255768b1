package dev.jeton.models.grammar;

import dev.jeton.models.tools.CallFrame;
import dev.jeton.models.tools.ToolSignatures;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Arguments of a call that are written one by one, so that a reader makes an object of them that the schema allows.
 * With marks around them, what is a string to that reader is written as it is, anything else as JSON, and no value
 * contains the mark that ends it; as keywords, all is JSON, or that with Python's words. Of what is valid it takes a
 * part, as JSON of a schema does, and of arguments between marks that the schema does not name only texts, where it
 * allows those.
 */
final class ParameterRules {

    /** Names of arguments that the schema does not name, and of all keywords. */
    private static final String NAMES = "[A-Za-z0-9_.-]{1,64}";

    /**
     * How arguments are written: {@code begin}, the name, {@code middle}, the value and {@code end} for each, with
     * {@code between} between two.
     *
     * @param mark what no value contains, where strings are written as they are; empty where all is JSON
     * @param python whether JSON's words are Python's
     */
    record Writing(String begin, String middle, String end, String between, Optional<String> mark, boolean python) {

        /** As keywords of a call in Python. */
        static Writing of(CallFrame.Body.Keywords body) {
            return new Writing("", "=", "", ", ", Optional.empty(), body.python());
        }

        /** Each between marks. */
        static Writing of(CallFrame.Body.Parameters body) {
            return new Writing(body.begin(), body.middle(), body.end(), "", Optional.of(body.mark()), false);
        }
    }

    /** Sees to it that all that a schema says can be enforced, where it must be. */
    interface Check {
        void check(Map<String, Object> schema, String path);
    }

    /** Takes a fixed text. */
    interface Literals {
        /** From a node on, with marks in it as the tokens that they are; the node after it. */
        int take(int from, String text);
    }

    private final NetworkBuilder network;
    private final SchemaMerge merge;
    private final ObjectRules objects;
    private final ObjectRules.Values rules;
    private final Writing body;
    private final Literals literals;
    private final Check check;
    private final Object root;
    /** Any text that ends where its mark comes. */
    private final TextAutomaton free;

    /** @param root the schema of all arguments, within which references are */
    ParameterRules(
            NetworkBuilder network,
            SchemaMerge merge,
            ObjectRules objects,
            ObjectRules.Values rules,
            Writing body,
            Literals literals,
            Check check,
            Object root) {
        this.network = network;
        this.merge = merge;
        this.objects = objects;
        this.rules = rules;
        this.body = body;
        this.literals = literals;
        this.check = check;
        this.root = root;
        free = body.mark()
                .map(mark -> TextAutomaton.all().without(JsonRules.containing(mark)))
                .orElse(TextAutomaton.all());
    }

    /**
     * Takes the arguments between two nodes.
     *
     * @param schema an object's, without references
     * @param depth how many alternatives it is one of
     */
    void write(Map<String, Object> schema, String path, int from, int to, int depth) {
        if (alternatives(schema, path, depth, each -> write(each, path, from, to, depth + 1))) {
            return;
        }
        check.check(schema, path);
        if (schema.containsKey("enum")
                || !SchemaMerge.typeNames(schema.getOrDefault("type", "object"), path)
                        .contains("object")) {
            throw new GrammarException(path + ": arguments are an object, and not one that is spelled out");
        }
        Map<String, Object> named = SchemaMerge.members(schema, path);
        Map<String, TextAutomaton> patterns = ObjectRules.patterns(schema, path);
        List<String> names = new ArrayList<>();
        int none = from;
        int some = network.node();
        for (ObjectRules.Member member : objects.members(schema, named, patterns, path)) {
            checkName(member.name(), path);
            names.add(member.name());
            int after = network.node();
            network.epsilon(argument(begin(none, some), member), after);
            if (member.required()) {
                none = network.node();
            } else {
                network.epsilon(some, after);
            }
            some = after;
        }
        Object additional = schema.getOrDefault("additionalProperties", named.isEmpty() && patterns.isEmpty());
        String place = path + ".additionalProperties";
        boolean text = body.mark().isPresent();
        if (patterns.isEmpty() && (text ? anyText(additional, place) : additional != Boolean.FALSE)) {
            TextAutomaton others = Regex.texts(NAMES, true).without(TextAutomaton.of(names));
            int spelled = network.node();
            TextEncoder.write(network, others, literals.take(begin(none, some), body.begin()), spelled, false);
            int ended = network.node();
            int value = literals.take(spelled, body.middle());
            if (text) {
                TextEncoder.write(network, free, value, ended, false);
            } else {
                network.call(value, rules.rule(additional, place), ended);
            }
            network.epsilon(literals.take(ended, body.end()), some);
        }
        network.epsilon(none, to);
        network.epsilon(some, to);
    }

    /** Where an argument begins: the first one, or one behind another. */
    private int begin(int none, int some) {
        int begin = network.node();
        network.epsilon(none, begin);
        network.epsilon(literals.take(some, body.between()), begin);
        return begin;
    }

    private void checkName(String name, String path) {
        if (body.mark().isEmpty() ? !name.matches(NAMES) : !ToolSignatures.plain(name)) {
            throw new GrammarException(
                    "%s.properties: '%s' cannot be written as the model writes names; take letters, digits and '_'"
                            .formatted(path, name));
        }
    }

    /** Hands on each of a schema's alternatives with what is beside them; false where it has none. */
    private boolean alternatives(
            Map<String, Object> schema, String path, int depth, Consumer<Map<String, Object>> each) {
        Object alternatives = schema.get("anyOf");
        if (alternatives == null) {
            return false;
        }
        if (depth > SchemaMerge.MAX_DEPTH) {
            throw SchemaMerge.tooDeep(path);
        }
        Map<String, Object> rest = new LinkedHashMap<>(schema);
        rest.remove("anyOf");
        SchemaMerge.list(alternatives, path + ".anyOf").forEach(one -> each.accept(merge.both(rest, one, path)));
        return true;
    }

    /** Whether a schema allows every string. */
    private boolean anyText(Object schema, String path) {
        Map<String, Object> flat = merge.flat(schema, path);
        return flat.isEmpty() || flat.equals(Map.of("type", "string"));
    }

    private int argument(int from, ObjectRules.Member member) {
        int begin = literals.take(network.text(literals.take(from, body.begin()), member.name()), body.middle());
        int end = network.node();
        Object schema = member.schema();
        if (body.mark().isEmpty()) {
            network.call(begin, rules.rule(schema, member.path()), end);
            return literals.take(end, body.end());
        }
        switch (ToolSignatures.kind(schema, root)) {
            case TEXT -> texts(merge.flat(schema, member.path()), member.path(), false, begin, end, 0);
            case TEXT_OR_NULL -> texts(merge.flat(schema, member.path()), member.path(), true, begin, end, 0);
            case VALUE -> {
                if (merge.flat(schema, member.path()).isEmpty()) {
                    TextEncoder.write(network, free, begin, end, false);
                } else {
                    network.call(begin, rules.rule(schema, member.path()), end);
                }
            }
        }
        return literals.take(end, body.end());
    }

    /** @param nullable whether a reader takes {@value JsonRules#NULL} for null */
    private void texts(Map<String, Object> schema, String path, boolean nullable, int from, int to, int depth) {
        if (alternatives(schema, path, depth, each -> texts(each, path, nullable, from, to, depth + 1))) {
            return;
        }
        check.check(schema, path);
        Object type = schema.get("type");
        List<String> types = type == null ? List.of("string", JsonRules.NULL) : SchemaMerge.typeNames(type, path);
        if (schema.containsKey("enum")) {
            SchemaValues values = new SchemaValues(merge, schema, path);
            List<String> listed = new ArrayList<>();
            for (Object value : SchemaMerge.list(schema.get("enum"), path + ".enum")) {
                if (value instanceof String text && values.fits(text)) {
                    listed.add(text);
                } else if (value == null && nullable && values.fits(null)) {
                    listed.add(JsonRules.NULL);
                }
            }
            TextEncoder.write(network, TextAutomaton.of(listed).and(free), from, to, false);
            return;
        }
        if (types.contains("string")) {
            TextEncoder.write(network, strings(schema, path), from, to, false);
        }
        if (nullable && types.contains(JsonRules.NULL)) {
            network.epsilon(network.text(from, JsonRules.NULL), to);
        }
    }

    private TextAutomaton strings(Map<String, Object> schema, String path) {
        if (schema.containsKey("pattern")
                || !SchemaScalars.names(schema, "format", path).isEmpty()) {
            return SchemaScalars.strings(schema, path).and(free);
        }
        int least = SchemaScalars.count(schema, "minLength", path).orElse(0);
        return JsonRules.without(body.mark().orElseThrow(), least, SchemaScalars.most(schema, least, path));
    }
}
