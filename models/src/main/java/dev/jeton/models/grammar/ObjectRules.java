package dev.jeton.models.grammar;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Objects of a schema: their members in order, those that may be left out, and those that are not named. */
final class ObjectRules {

    /** Makes rules of the values of members. */
    interface Values {
        /** The rule of a schema, which may be called at several places. */
        int rule(@Nullable Object schema, String path);
    }

    /** Most members one of which may be next: each is a place of a state. */
    private static final int MAX_OPTIONAL = 2_000;

    private final NetworkBuilder network;
    private final JsonRules json;
    private final SchemaMerge merge;
    private final Values rules;

    ObjectRules(NetworkBuilder network, JsonRules json, SchemaMerge merge, Values rules) {
        this.network = network;
        this.json = json;
        this.merge = merge;
        this.rules = rules;
    }

    /**
     * A member that is named.
     *
     * @param path of its schema
     */
    record Member(String name, @Nullable Object schema, String path, boolean required) {}

    /** Takes an object of a schema between two nodes. */
    void write(Map<String, Object> schema, String path, int from, int to) {
        Map<String, Object> named = SchemaMerge.members(schema, path);
        Map<String, TextAutomaton> patterns = patterns(schema, path);
        Object additional = schema.getOrDefault("additionalProperties", named.isEmpty() && patterns.isEmpty());
        List<Member> members = members(schema, named, patterns, path);
        checkOptional(members, path);
        int closing = network.node();
        network.bytes(closing, '}', '}', to);
        // what may follow from a member on; one comma for all that may, or a comma would be as many places as they are
        int[] choices = new int[members.size() + 1];
        int[] before = new int[members.size() + 1];
        before[0] = network.call(network.text(from, "{"), json.space());
        choices[0] = network.node();
        network.epsilon(before[0], choices[0]);
        for (int i = 0; i < members.size(); i++) {
            Member member = members.get(i);
            before[i + 1] = network.node();
            choices[i + 1] = network.node();
            network.epsilon(network.call(network.text(before[i + 1], ","), json.space()), choices[i + 1]);
            String key = JsonRules.escaped(member.name);
            if (json.allowed(key)) {
                int spelled = network.text(choices[i], '"' + key + '"');
                network.epsilon(valueAfter(spelled, rules.rule(member.schema, member.path)), before[i + 1]);
            }
            if (!member.required) {
                network.epsilon(choices[i], choices[i + 1]);
            }
        }
        for (int i = members.size(); i >= 0; i--) {
            network.epsilon(before[i], closing);
            if (i > 0 && members.get(i - 1).required) {
                break;
            }
        }
        int more = network.node();
        network.epsilon(more, closing);
        network.epsilon(network.call(network.text(more, ","), json.space()), choices[members.size()]);
        others(schema, members, patterns, additional, path, choices[members.size()], more);
    }

    private static void checkOptional(List<Member> members, String path) {
        int row = 0;
        for (Member member : members) {
            row = member.required ? 0 : row + 1;
            if (row > MAX_OPTIONAL) {
                throw new GrammarException(
                        "%s.properties: more than %d in a row may be left out; require some, or make it several objects"
                                .formatted(path, MAX_OPTIONAL));
            }
        }
    }

    private int valueAfter(int key, int rule) {
        int colon = network.text(network.call(key, json.space()), ":");
        return network.call(network.call(network.call(colon, json.space()), rule), json.space());
    }

    /** Members of a schema that are named, in the order of its text. */
    List<Member> members(
            Map<String, Object> schema, Map<String, Object> named, Map<String, TextAutomaton> patterns, String path) {
        Set<String> required = new LinkedHashSet<>();
        Object given = schema.get("required");
        for (Object name : given == null ? List.of() : SchemaMerge.list(given, path + ".required")) {
            if (!(name instanceof String text)) {
                throw new GrammarException(path + ".required: must be an array of strings");
            }
            required.add(text);
        }
        List<Member> members = new ArrayList<>();
        Set<String> all = new LinkedHashSet<>(named.keySet());
        all.addAll(required);
        Optional<TextAutomaton> allowed = names(merge, schema, path);
        for (String name : all) {
            List<@Nullable Object> schemas = new ArrayList<>();
            if (named.containsKey(name)) {
                schemas.add(SchemaMerge.unwrap(named.get(name)));
            }
            patterns.forEach((pattern, keys) -> {
                if (keys.accepts(name)) {
                    schemas.add(patternSchema(schema, pattern));
                }
            });
            if (schemas.isEmpty()) {
                schemas.add(schema.getOrDefault("additionalProperties", true));
            }
            if (allowed.isPresent() && !allowed.get().accepts(name)) {
                schemas.add(false);
            }
            Object value = schemas.size() == 1 ? schemas.getFirst() : Map.of("allOf", schemas);
            members.add(new Member(name, value, path + ".properties." + name, required.contains(name)));
        }
        return members;
    }

    /** The names that members may have, where not all may. */
    static Optional<TextAutomaton> names(SchemaMerge merge, Map<String, Object> schema, String path) {
        if (!schema.containsKey("propertyNames")) {
            return Optional.empty();
        }
        String place = path + ".propertyNames";
        Map<String, Object> names = merge.flat(SchemaMerge.unwrap(schema.get("propertyNames")), place);
        if (names.containsKey("anyOf")) {
            throw new GrammarException(place + ": alternatives are not supported; write them as one pattern");
        }
        Object type = names.get("type");
        if (type != null && !SchemaMerge.typeNames(type, place).contains("string")) {
            return Optional.of(TextAutomaton.of(List.of()));
        }
        if (!names.containsKey("enum")) {
            return Optional.of(SchemaScalars.strings(names, place));
        }
        SchemaValues values = new SchemaValues(merge, names, place);
        List<String> listed = new ArrayList<>();
        for (Object name : SchemaMerge.list(names.get("enum"), place + ".enum")) {
            if (name instanceof String text && values.fits(text)) {
                listed.add(text);
            }
        }
        return Optional.of(TextAutomaton.of(listed));
    }

    static Map<String, TextAutomaton> patterns(Map<String, Object> schema, String path) {
        Map<String, TextAutomaton> patterns = new LinkedHashMap<>();
        if (schema.get("patternProperties") instanceof Map<?, ?> map) {
            for (Object pattern : map.keySet()) {
                patterns.put(String.valueOf(pattern), Regex.texts(String.valueOf(pattern), false));
            }
        } else if (schema.containsKey("patternProperties")) {
            throw new GrammarException(path + ".patternProperties: must be an object");
        }
        return patterns;
    }

    static @Nullable Object patternSchema(Map<String, Object> schema, String pattern) {
        return schema.get("patternProperties") instanceof Map<?, ?> map ? map.get(pattern) : null;
    }

    /** Members that are not named: those whose keys match a pattern, and additional ones. */
    private void others(
            Map<String, Object> schema,
            List<Member> members,
            Map<String, TextAutomaton> patterns,
            Object additional,
            String path,
            int key,
            int after) {
        TextAutomaton names =
                TextAutomaton.of(members.stream().map(Member::name).toList());
        TextAutomaton free =
                names(merge, schema, path).orElse(TextAutomaton.all()).without(names);
        TextAutomaton rest = free;
        List<TextAutomaton> before = new ArrayList<>();
        for (Map.Entry<String, TextAutomaton> pattern : patterns.entrySet()) {
            TextAutomaton keys = pattern.getValue().and(free);
            for (TextAutomaton other : before) {
                if (!keys.and(other).isEmpty()) {
                    throw new GrammarException(
                            path + ".patternProperties: a key may match two of the patterns; tell them apart");
                }
            }
            before.add(keys);
            rest = rest.without(keys);
            other(keys, rules.rule(patternSchema(schema, pattern.getKey()), path + ".patternProperties"), key, after);
        }
        if (additional != Boolean.FALSE) {
            other(rest, rules.rule(additional, path + ".additionalProperties"), key, after);
        }
    }

    private void other(TextAutomaton keys, int rule, int key, int after) {
        int end = network.node();
        TextEncoder.write(network, json.allowed(keys), network.text(key, "\""), end, true);
        network.epsilon(valueAfter(network.text(end, "\""), rule), after);
    }
}
