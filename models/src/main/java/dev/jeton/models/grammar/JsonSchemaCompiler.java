package dev.jeton.models.grammar;

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

    /** Most items where a schema allows more: those can be counted, and answers are shorter. */
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
    private final ObjectRules objects;
    private final Map<String, Integer> references = new HashMap<>();
    /** By the very object: one that refers to what it is in, with something beside it, is come to again and again. */
    private final Map<Object, Integer> rules = new IdentityHashMap<>();

    private final Map<List<Object>, Integer> texts = new HashMap<>();
    private final ArrayDeque<Runnable> later = new ArrayDeque<>();

    private JsonSchemaCompiler(NetworkBuilder network, @Nullable Object schema, boolean strict, JsonRules json) {
        this.network = network;
        this.strict = strict;
        this.json = json;
        merge = new SchemaMerge(schema);
        objects = new ObjectRules(network, json, merge, this::rule);
    }

    /**
     * The rule of a schema.
     *
     * @param spaced whether there may be white space before it
     * @throws GrammarException naming the place in the schema and what is wrong with it
     */
    static int compile(NetworkBuilder network, @Nullable Object schema, boolean strict, boolean spaced) {
        JsonSchemaCompiler compiler = new JsonSchemaCompiler(network, schema, strict, new JsonRules(network));
        int rule = network.rule();
        int begin = spaced ? network.call(network.begin(rule), compiler.json.space()) : network.begin(rule);
        compiler.value(schema, "schema", begin, network.end(rule), 0);
        compiler.finish();
        return rule;
    }

    /**
     * The rule of an object whose members are written as parameters of a call.
     *
     * @param writing how they are
     * @param literals takes what stands around them
     * @throws GrammarException as above
     */
    static int parameters(
            NetworkBuilder network,
            Object schema,
            boolean strict,
            ParameterRules.Writing writing,
            ParameterRules.Literals literals) {
        JsonRules json = new JsonRules(network, writing.mark(), writing.python());
        JsonSchemaCompiler compiler = new JsonSchemaCompiler(network, schema, strict, json);
        ParameterRules parameters = new ParameterRules(
                network,
                compiler.merge,
                compiler.objects,
                compiler::rule,
                writing,
                literals,
                compiler::checkEnforced,
                schema);
        int rule = network.rule();
        parameters.write(compiler.merge.flat(schema, "schema"), "schema", network.begin(rule), network.end(rule), 0);
        compiler.finish();
        return rule;
    }

    private void finish() {
        while (!later.isEmpty()) {
            later.remove().run();
        }
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
                case "null" -> network.epsilon(network.text(from, json.word(JsonRules.NULL)), to);
                case "boolean" -> {
                    network.epsilon(network.text(from, json.word(JsonRules.TRUE)), to);
                    network.epsilon(network.text(from, json.word(JsonRules.FALSE)), to);
                }
                case "string" -> string(schema, path, from, to);
                case "number", "integer" -> number(schema, path, type.equals("integer"), from, to);
                case "array" -> array(schema, path, from, to);
                case "object" -> {
                    if (schema.keySet().stream().noneMatch(ABOUT_OBJECTS::contains)) {
                        network.call(from, json.object(), to);
                    } else {
                        objects.write(schema, path, from, to);
                    }
                }
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
            } else if (SchemaLiterals.allowed(json, value)) {
                network.epsilon(SchemaLiterals.write(network, json, value, from), to);
            }
        }
        TextEncoder.write(network, json.allowed(TextAutomaton.of(scalars)), from, to, false);
    }

    // ---- strings ----

    private void string(Map<String, Object> schema, String path, int from, int to) {
        List<Object> key = new ArrayList<>();
        ABOUT_STRINGS.stream().sorted().forEach(name -> key.add(schema.getOrDefault(name, "")));
        if (SchemaScalars.onlyUnknownFormats(schema, path)) {
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
                    || SchemaScalars.names(schema, "format", path).stream().anyMatch(StringTexts::known)) {
                TextEncoder.write(network, json.allowed(SchemaScalars.strings(schema, path)), begin, end, true);
            } else {
                int least = SchemaScalars.count(schema, "minLength", path).orElse(0);
                int most = SchemaScalars.most(schema, least, path);
                Optional<TextAutomaton> some = json.allowed(least, most);
                if (some.isPresent()) {
                    TextEncoder.write(network, some.get(), begin, end, true);
                } else if (most < 0 || most >= least) {
                    TextEncoder.writeCounted(network, least, most, begin, end);
                }
            }
            texts.put(key, rule);
            known = rule;
        }
        network.call(from, known, to);
    }

    // ---- numbers ----

    private void number(Map<String, Object> schema, String path, boolean integer, int from, int to) {
        boolean any = schema.keySet().stream().noneMatch(ABOUT_NUMBERS::contains);
        TextAutomaton numbers = any
                ? ExpressionAutomaton.whole(NumberTexts.any(integer))
                : SchemaScalars.numbers(schema, path, integer);
        TextEncoder.write(network, numbers, from, to, false);
    }

    // ---- arrays ----

    private void array(Map<String, Object> schema, String path, int from, int to) {
        if (schema.keySet().stream().noneMatch(ABOUT_ARRAYS::contains)) {
            network.call(from, json.array(), to);
            return;
        }
        List<?> prefix = SchemaMerge.prefix(schema, path);
        int least = SchemaScalars.count(schema, "minItems", path).orElse(0);
        Optional<Integer> bound =
                SchemaScalars.count(schema, "maxItems", path).map(most -> Math.min(most, Math.max(least, MAX_ITEMS)));
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
}
