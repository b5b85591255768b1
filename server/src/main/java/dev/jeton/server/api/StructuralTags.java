package dev.jeton.server.api;

import dev.jeton.models.grammar.GrammarSpec;
import dev.jeton.server.json.JsonObject;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Structural tags, as vLLM and SGLang take them: text that is free until one of some triggers comes, and then what a
 * tag with that trigger says. There is the older form, with {@code structures} and {@code triggers}, and XGrammar's
 * {@code format}, of which what needs an automaton of another kind is refused.
 */
final class StructuralTags {

    /** The type of a {@code response_format} that says so. */
    static final String TYPE = "structural_tag";

    private static final String FORMATS =
            "'triggered_tags', 'tag', 'json_schema', 'const_string', 'regex', 'grammar', 'sequence' and 'or'";

    private StructuralTags() {}

    /**
     * What the text must be.
     *
     * @throws ApiException 400, naming the parameter, for what is wrong or not supported
     */
    static GrammarSpec read(JsonObject given) {
        if (given.has("format") == given.has("structures")) {
            throw given.wrong(
                    "format",
                    "'%s' is to be given, or 'structures' with 'triggers' in the older form"
                            .formatted(given.path("format")));
        }
        return given.has("format") ? format(required(given, "format"), true) : structures(given);
    }

    private static JsonObject required(JsonObject object, String name) {
        return object.object(name)
                .orElseThrow(() ->
                        object.wrong(name, "'%s' is missing: an object is required".formatted(object.path(name))));
    }

    // ---- the older form ----

    private static GrammarSpec structures(JsonObject given) {
        List<String> triggers = texts(given, "triggers");
        List<GrammarSpec.Tag> tags = new ArrayList<>();
        for (JsonObject structure : given.objects("structures")) {
            tags.add(tag(structure, triggers, schema(structure, "schema"), List.of(structure.text("end"))));
        }
        checkTags(given, "structures", tags);
        return new GrammarSpec.Tags(tags, false, false);
    }

    // ---- XGrammar's ----

    private static GrammarSpec format(JsonObject format, boolean whole) {
        // where only a tag may stand, its type need not be said
        String type = format.has("type") || !format.has("begin") ? format.text("type") : "tag";
        return switch (type) {
            case "triggered_tags" -> {
                if (!whole) {
                    throw unsupported(format, "'triggered_tags' is supported as the whole 'format' only");
                }
                yield triggered(format);
            }
            case "tag" -> {
                only(format, Set.of("type", "begin", "content", "end"));
                yield new GrammarSpec.Sequence(List.of(
                        new GrammarSpec.Text(format.text("begin")),
                        format(required(format, "content"), false),
                        ends(format)));
            }
            case "json_schema" -> {
                String style = format.optionalText("style").orElse("json");
                if (!style.equals("json")) {
                    throw format.wrong(
                            "style",
                            "'%s' is '%s': only 'json' is supported"
                                    .formatted(format.path("style"), ApiException.shown(style)));
                }
                if (format.flag("any_order", false)) {
                    throw format.wrong("any_order", "'%s' is not supported".formatted(format.path("any_order")));
                }
                only(format, Set.of("type", "json_schema", "style", "any_order"));
                yield schema(format, "json_schema");
            }
            case "const_string" -> {
                only(format, Set.of("type", "value"));
                yield new GrammarSpec.Text(format.text("value"));
            }
            case "regex" -> {
                only(format, Set.of("type", "pattern"));
                yield new GrammarSpec.Regex(format.text("pattern"));
            }
            case "grammar" -> {
                only(format, Set.of("type", "grammar"));
                yield new GrammarSpec.Ebnf(format.text("grammar"));
            }
            case "sequence" -> new GrammarSpec.Sequence(elements(format));
            case "or" -> new GrammarSpec.Either(elements(format));
            default ->
                throw unsupported(
                        format,
                        "'%s' is '%s', which is not supported; %s are"
                                .formatted(format.path("type"), ApiException.shown(type), FORMATS));
        };
    }

    private static List<GrammarSpec> elements(JsonObject format) {
        only(format, Set.of("type", "elements"));
        List<JsonObject> given = format.objects("elements");
        if (given.isEmpty()) {
            throw format.wrong("elements", "'%s' is empty".formatted(format.path("elements")));
        }
        return given.stream().map(element -> format(element, false)).toList();
    }

    private static GrammarSpec triggered(JsonObject format) {
        only(format, Set.of("type", "triggers", "tags", "at_least_one", "stop_after_first", "excludes"));
        if (format.has("excludes") && !texts(format, "excludes").isEmpty()) {
            throw format.wrong("excludes", "'%s' is not supported".formatted(format.path("excludes")));
        }
        List<String> triggers = texts(format, "triggers");
        List<GrammarSpec.Tag> tags = new ArrayList<>();
        for (JsonObject tag : format.objects("tags")) {
            if (!tag.optionalText("type").orElse("tag").equals("tag")) {
                throw unsupported(tag, "'%s' must be 'tag'".formatted(tag.path("type")));
            }
            only(tag, Set.of("type", "begin", "content", "end"));
            tags.add(tag(tag, triggers, format(required(tag, "content"), false), endTexts(tag)));
        }
        checkTags(format, "tags", tags);
        return new GrammarSpec.Tags(tags, format.flag("at_least_one", false), format.flag("stop_after_first", false));
    }

    private static GrammarSpec.Tag tag(JsonObject tag, List<String> triggers, GrammarSpec content, List<String> ends) {
        String begin = tag.text("begin");
        List<String> its = triggers.stream().filter(begin::startsWith).toList();
        if (its.size() != 1) {
            throw tag.wrong(
                    "begin",
                    "'%s' must begin with one of the 'triggers', and with one alone".formatted(tag.path("begin")));
        }
        String trigger = its.getFirst();
        return new GrammarSpec.Tag(
                List.of(trigger),
                new GrammarSpec.Sequence(
                        List.of(new GrammarSpec.Text(begin.substring(trigger.length())), content, either(ends))));
    }

    private static GrammarSpec ends(JsonObject tag) {
        return either(endTexts(tag));
    }

    private static GrammarSpec either(List<String> ends) {
        return new GrammarSpec.Either(
                ends.stream().<GrammarSpec>map(GrammarSpec.Text::new).toList());
    }

    private static List<String> endTexts(JsonObject tag) {
        boolean several = tag.value("end").filter(List.class::isInstance).isPresent();
        return several ? texts(tag, "end") : List.of(tag.text("end"));
    }

    private static GrammarSpec schema(JsonObject object, String name) {
        Object schema = object.value(name)
                .orElseThrow(() -> object.wrong(name, "'%s' is missing: a JSON Schema".formatted(object.path(name))));
        return new GrammarSpec.JsonSchema(schema, true);
    }

    private static List<String> texts(JsonObject object, String name) {
        List<@Nullable Object> given = object.list(name)
                .orElseThrow(() -> object.wrong(
                        name, "'%s' is missing: an array of strings is required".formatted(object.path(name))));
        List<String> texts = new ArrayList<>();
        for (Object text : given) {
            if (!(text instanceof String string) || string.isEmpty()) {
                throw object.wrong(name, "'%s' must be strings that are not empty".formatted(object.path(name)));
            }
            texts.add(string);
        }
        return texts;
    }

    private static void checkTags(JsonObject object, String name, List<GrammarSpec.Tag> tags) {
        if (tags.isEmpty()) {
            throw object.wrong(name, "'%s' is empty: at least one is required".formatted(object.path(name)));
        }
    }

    /** A field that would mean something is never passed over. */
    private static void only(JsonObject format, Set<String> known) {
        for (Map.Entry<String, @Nullable Object> field : format.fields().entrySet()) {
            if (field.getValue() != null && !known.contains(field.getKey())) {
                throw ApiException.unsupported(
                        format.path(field.getKey()), "'%s' is not supported".formatted(format.path(field.getKey())));
            }
        }
    }

    private static ApiException unsupported(JsonObject format, String message) {
        return ApiException.unsupported(format.path("type"), message);
    }
}
