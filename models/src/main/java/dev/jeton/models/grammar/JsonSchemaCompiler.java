package dev.jeton.models.grammar;

import dev.jeton.models.grammar.NumberTexts.Bound;
import java.math.BigDecimal;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Makes a network of a JSON Schema (2020-12, and what earlier drafts wrote otherwise). Everything that the network
 * takes is valid under the schema; of what is valid it takes a part:
 *
 * <ul>
 *   <li>members come in the order of {@code properties}, then those of {@code required} that are named nowhere else,
 *       then additional ones;
 *   <li>where {@code properties} are given, there are additional members only if {@code additionalProperties} says so,
 *       and after {@code prefixItems} further items only if {@code items} does;
 *   <li>without a {@code type}, keywords that are about one type mean that type;
 *   <li>white space, numbers and escapes are as {@link JsonRules} and {@link NumberTexts} have them.
 * </ul>
 *
 * <p>{@code oneOf} is taken as {@code anyOf}: that no two alternatives match is not seen to. What cannot be enforced
 * ({@link #UNENFORCED}) is refused where the schema is to be followed strictly, and left out otherwise.
 */
final class JsonSchemaCompiler {

    /** Keywords whose meaning an automaton of this size cannot have. */
    static final Set<String> UNENFORCED = Set.of(
            "not",
            "if",
            "then",
            "else",
            "uniqueItems",
            "contains",
            "minContains",
            "maxContains",
            "minProperties",
            "maxProperties",
            "dependentRequired",
            "dependentSchemas",
            "dependencies",
            "$dynamicRef",
            "$recursiveRef");

    /** Most members one of which may be next: each is a place of a state. */
    private static final int MAX_OPTIONAL = 2_000;

    /** Most code points, and most items, where a schema allows more: those can be counted, and answers are shorter. */
    private static final int MAX_LENGTH = 4_000;

    private static final int MAX_ITEMS = 4_000;

    private static final Set<String> ABOUT_NUMBERS =
            Set.of("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf");
    private static final Set<String> ABOUT_STRINGS = Set.of("minLength", "maxLength", "pattern", "format");
    private static final Set<String> ABOUT_ARRAYS = Set.of("items", "prefixItems", "minItems", "maxItems");
    private static final Set<String> ABOUT_OBJECTS =
            Set.of("properties", "required", "additionalProperties", "patternProperties", "propertyNames");

    private final NetworkBuilder network;
    private final JsonRules json;
    private final boolean strict;
    private final SchemaMerge merge;
    private final Map<String, Integer> references = new HashMap<>();
    /** By the very object: one that refers to what it is in, with something beside it, is come to again and again. */
    private final Map<Object, Integer> rules = new IdentityHashMap<>();

    private final Map<List<Object>, Integer> texts = new HashMap<>();
    private final ArrayDeque<Runnable> later = new ArrayDeque<>();

    private JsonSchemaCompiler(NetworkBuilder network, @Nullable Object schema, boolean strict) {
        this.network = network;
        this.strict = strict;
        json = new JsonRules(network);
        merge = new SchemaMerge(schema);
    }

    /**
     * The rule of a schema, white space before it included.
     *
     * @throws GrammarException naming the place in the schema and what is wrong with it
     */
    static int compile(NetworkBuilder network, @Nullable Object schema, boolean strict) {
        JsonSchemaCompiler compiler = new JsonSchemaCompiler(network, schema, strict);
        int rule = network.rule();
        int begin = network.call(network.begin(rule), compiler.json.space());
        compiler.value(schema, "schema", begin, network.end(rule), 0);
        while (!compiler.later.isEmpty()) {
            compiler.later.remove().run();
        }
        return rule;
    }

    /** A rule of its own for a schema: what it is put into may call it at several places. */
    private int rule(@Nullable Object schema, String path) {
        Optional<String> reference = merge.onlyReference(schema);
        if (reference.isPresent()) {
            return referenced(reference.get(), path);
        }
        Integer known = schema == null ? null : rules.get(schema);
        if (known != null) {
            return known;
        }
        int rule = network.rule();
        if (schema != null) {
            rules.put(schema, rule);
        }
        later.add(() -> value(schema, path, network.begin(rule), network.end(rule), 0));
        return rule;
    }

    private int referenced(String reference, String path) {
        Integer known = references.get(reference);
        if (known != null) {
            return known;
        }
        Object schema = merge.resolve(reference, path);
        int rule = network.rule();
        references.put(reference, rule);
        later.add(() -> value(schema, reference, network.begin(rule), network.end(rule), 0));
        return rule;
    }

    /**
     * Takes a value of a schema.
     *
     * @param depth how many alternatives it is one of; they may be without end, since what is beside them is put into
     *     each
     */
    private void value(@Nullable Object schema, String path, int from, int to, int depth) {
        Optional<String> reference = merge.onlyReference(schema);
        if (reference.isPresent()) {
            network.call(from, referenced(reference.get(), path), to);
            return;
        }
        flat(merge.flat(schema, path), path, from, to, depth);
    }

    private void flat(Map<String, Object> schema, String path, int from, int to, int depth) {
        Object alternatives = schema.get("anyOf");
        if (alternatives != null) {
            if (depth > SchemaMerge.MAX_DEPTH) {
                throw SchemaMerge.tooDeep(path);
            }
            List<?> list = SchemaMerge.list(alternatives, path + ".anyOf");
            Map<String, Object> rest = new LinkedHashMap<>(schema);
            rest.remove("anyOf");
            for (int i = 0; i < list.size(); i++) {
                String place = path + ".anyOf[" + i + "]";
                if (rest.isEmpty()) {
                    value(list.get(i), place, from, to, depth + 1);
                } else {
                    flat(merge.both(rest, list.get(i), place), place, from, to, depth + 1);
                }
            }
            return;
        }
        checkEnforced(schema, path);
        if (schema.containsKey("enum")) {
            literals(schema, path, from, to);
            return;
        }
        Set<String> types = types(schema, path);
        if (types.isEmpty() && !schema.containsKey("type")) {
            network.call(from, json.value(), to);
            return;
        }
        for (String type : types) {
            switch (type) {
                case "null" -> network.epsilon(network.text(from, "null"), to);
                case "boolean" -> {
                    network.epsilon(network.text(from, "true"), to);
                    network.epsilon(network.text(from, "false"), to);
                }
                case "string" -> string(schema, path, from, to);
                case "number", "integer" -> number(schema, path, type.equals("integer"), from, to);
                case "array" -> array(schema, path, from, to);
                case "object" -> object(schema, path, from, to);
                default ->
                    throw new GrammarException(
                            "%s.type: '%s' is no type; null, boolean, string, number, integer, array and object are"
                                    .formatted(path, type));
            }
        }
    }

    private void checkEnforced(Map<String, Object> schema, String path) {
        if (!strict) {
            return;
        }
        for (String key : schema.keySet()) {
            boolean harmless = key.equals("uniqueItems") && schema.get(key) == Boolean.FALSE;
            if (UNENFORCED.contains(key) && !harmless) {
                throw new GrammarException(
                        "%s: '%s' cannot be enforced; leave it out, or set 'strict' to false to have it ignored"
                                .formatted(path, key));
            }
        }
    }

    /** The types that a value may have; none where it may have any. */
    private static Set<String> types(Map<String, Object> schema, String path) {
        Object given = schema.get("type");
        Set<String> types = new LinkedHashSet<>();
        if (given != null) {
            types.addAll(SchemaMerge.typeNames(given, path));
            if (types.contains("number")) {
                types.remove("integer");
            }
            return types;
        }
        for (String key : schema.keySet()) {
            if (ABOUT_OBJECTS.contains(key)) {
                types.add("object");
            } else if (ABOUT_ARRAYS.contains(key)) {
                types.add("array");
            } else if (ABOUT_STRINGS.contains(key)) {
                types.add("string");
            } else if (ABOUT_NUMBERS.contains(key)) {
                types.add("number");
            }
        }
        return types;
    }

    // ---- values that are spelled out ----

    private void literals(Map<String, Object> schema, String path, int from, int to) {
        List<String> scalars = new ArrayList<>();
        SchemaValues values = new SchemaValues(merge, schema, path);
        for (Object value : SchemaMerge.list(schema.get("enum"), path + ".enum")) {
            if (!values.fits(value)) {
                continue;
            }
            if (SchemaLiterals.scalar(value)) {
                scalars.add(SchemaLiterals.text(value));
            } else {
                network.epsilon(SchemaLiterals.write(network, json, value, from), to);
            }
        }
        TextEncoder.write(network, TextAutomaton.of(scalars), from, to, false);
    }

    // ---- strings ----

    private void string(Map<String, Object> schema, String path, int from, int to) {
        List<Object> key = new ArrayList<>();
        ABOUT_STRINGS.stream().sorted().forEach(name -> key.add(schema.getOrDefault(name, "")));
        if (onlyUnknownFormats(schema, path)) {
            network.call(from, json.string(), to);
            return;
        }
        Integer known = texts.get(key);
        if (known == null) {
            int rule = network.rule();
            int begin = network.text(network.begin(rule), "\"");
            int end = network.node();
            network.bytes(end, '"', '"', network.end(rule));
            if (schema.containsKey("pattern")
                    || names(schema, "format", path).stream().anyMatch(StringTexts::known)) {
                TextEncoder.write(network, strings(schema, path), begin, end, true);
            } else {
                int least = count(schema, "minLength", path).orElse(0);
                int most = most(schema, least, path);
                if (most < 0 || most >= least) {
                    TextEncoder.writeCounted(network, least, most, begin, end);
                }
            }
            texts.put(key, rule);
            known = rule;
        }
        network.call(from, known, to);
    }

    private static boolean onlyUnknownFormats(Map<String, Object> schema, String path) {
        return !schema.containsKey("minLength")
                && !schema.containsKey("maxLength")
                && !schema.containsKey("pattern")
                && names(schema, "format", path).stream().noneMatch(StringTexts::known);
    }

    private static List<String> names(Map<String, Object> schema, String key, String path) {
        List<String> names = new ArrayList<>();
        Object given = schema.get(key);
        for (Object value : given == null ? List.of() : SchemaMerge.list(given, path)) {
            if (!(value instanceof String name)) {
                throw new GrammarException("%s.%s: must be a string".formatted(path, key));
            }
            names.add(name);
        }
        return names;
    }

    /** Most code points; negative where they are not bounded. */
    private static int most(Map<String, Object> schema, int least, String path) {
        return count(schema, "maxLength", path)
                .map(given -> Math.min(given, Math.max(least, MAX_LENGTH)))
                .orElse(-1);
    }

    static TextAutomaton strings(Map<String, Object> schema, String path) {
        int least = count(schema, "minLength", path).orElse(0);
        int most = most(schema, least, path);
        List<String> formats = names(schema, "format", path).stream()
                .filter(StringTexts::known)
                .toList();
        try {
            return StringTexts.of(least, most, names(schema, "pattern", path), formats);
        } catch (GrammarException e) {
            throw new GrammarException("%s: %s".formatted(path, e.getMessage()));
        }
    }

    static Optional<Integer> count(Map<String, Object> schema, String key, String path) {
        Object given = schema.get(key);
        if (given == null) {
            return Optional.empty();
        }
        BigDecimal value = SchemaMerge.number(given, path + "." + key);
        if (value.signum() < 0 || value.stripTrailingZeros().scale() > 0) {
            throw new GrammarException("%s.%s: must be a whole number of at least 0".formatted(path, key));
        }
        return Optional.of(value.min(BigDecimal.valueOf(Integer.MAX_VALUE)).intValue());
    }

    // ---- numbers ----

    private void number(Map<String, Object> schema, String path, boolean integer, int from, int to) {
        boolean any = schema.keySet().stream().noneMatch(ABOUT_NUMBERS::contains);
        TextAutomaton numbers =
                any ? ExpressionAutomaton.whole(NumberTexts.any(integer)) : numbers(schema, path, integer);
        TextEncoder.write(network, numbers, from, to, false);
    }

    private static TextAutomaton numbers(Map<String, Object> schema, String path, boolean integer) {
        try {
            TextAutomaton numbers = NumberTexts.between(
                    tighter(bound(schema, "minimum", false, path), bound(schema, "exclusiveMinimum", true, path), 1),
                    tighter(bound(schema, "maximum", false, path), bound(schema, "exclusiveMaximum", true, path), -1),
                    integer);
            Object multiples = schema.get("multipleOf");
            for (Object of : multiples == null ? List.of() : SchemaMerge.list(multiples, path)) {
                numbers = numbers.and(NumberTexts.multiples(SchemaMerge.number(of, path + ".multipleOf"), integer));
            }
            return numbers;
        } catch (GrammarException e) {
            throw new GrammarException("%s: %s".formatted(path, e.getMessage()));
        }
    }

    private static Optional<Bound> bound(Map<String, Object> schema, String key, boolean open, String path) {
        Object given = schema.get(key);
        return given == null
                ? Optional.empty()
                : Optional.of(new Bound(SchemaMerge.number(given, path + "." + key), open));
    }

    private static Optional<Bound> tighter(Optional<Bound> closed, Optional<Bound> open, int sign) {
        if (closed.isEmpty() || open.isEmpty()) {
            return closed.or(() -> open);
        }
        int order = sign * closed.get().value().compareTo(open.get().value());
        return order > 0 ? closed : open;
    }

    // ---- arrays ----

    private void array(Map<String, Object> schema, String path, int from, int to) {
        if (schema.keySet().stream().noneMatch(ABOUT_ARRAYS::contains)) {
            network.call(from, json.array(), to);
            return;
        }
        List<?> prefix = SchemaMerge.prefix(schema, path);
        int least = count(schema, "minItems", path).orElse(0);
        Optional<Integer> bound =
                count(schema, "maxItems", path).map(most -> Math.min(most, Math.max(least, MAX_ITEMS)));
        Object rest = schema.getOrDefault("items", prefix.isEmpty());
        int most = rest == Boolean.FALSE
                ? Math.min(prefix.size(), bound.orElse(prefix.size()))
                : bound.orElse(Expression.UNBOUNDED);
        int chain = most == Expression.UNBOUNDED ? Math.max(Math.max(least, prefix.size()), 1) : most;
        int more = rest == Boolean.FALSE ? -1 : rule(rest, path + ".items");
        int closing = network.node();
        network.bytes(closing, ']', ']', to);
        int at = network.call(network.text(from, "["), json.space());
        for (int i = 0; i < chain; i++) {
            if (i >= least) {
                network.epsilon(at, closing);
            }
            int begin = i == 0 ? at : network.call(network.text(at, ","), json.space());
            int item = i < prefix.size() ? rule(prefix.get(i), path + ".prefixItems[" + i + "]") : more;
            at = network.call(network.call(begin, item), json.space());
        }
        if (chain >= least) {
            network.epsilon(at, closing);
        }
        if (most == Expression.UNBOUNDED) {
            int again = network.call(network.text(at, ","), json.space());
            network.epsilon(network.call(network.call(again, more), json.space()), at);
        }
    }

    // ---- objects ----

    /** A member: how its key is spelled, and the rule of its value. */
    private record Member(String name, int rule, boolean required) {}

    private void object(Map<String, Object> schema, String path, int from, int to) {
        if (schema.keySet().stream().noneMatch(ABOUT_OBJECTS::contains)) {
            network.call(from, json.object(), to);
            return;
        }
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
            int spelled = network.text(choices[i], '"' + JsonRules.escaped(member.name) + '"');
            network.epsilon(valueAfter(spelled, member.rule), before[i + 1]);
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

    private List<Member> members(
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
            String place = path + ".properties." + name;
            Object value = schemas.size() == 1 ? schemas.getFirst() : Map.of("allOf", schemas);
            members.add(new Member(name, rule(value, place), required.contains(name)));
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
            return Optional.of(strings(names, place));
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
            other(keys, rule(patternSchema(schema, pattern.getKey()), path + ".patternProperties"), key, after);
        }
        if (additional != Boolean.FALSE) {
            other(rest, rule(additional, path + ".additionalProperties"), key, after);
        }
    }

    private void other(TextAutomaton keys, int rule, int key, int after) {
        int end = network.node();
        TextEncoder.write(network, keys, network.text(key, "\""), end, true);
        network.epsilon(valueAfter(network.text(end, "\""), rule), after);
    }
}
