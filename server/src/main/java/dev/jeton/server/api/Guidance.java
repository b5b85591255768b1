package dev.jeton.server.api;

import dev.jeton.models.grammar.GrammarSpec;
import dev.jeton.server.config.Configuration.LimitSettings;
import dev.jeton.server.json.Json;
import dev.jeton.server.json.JsonException;
import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * What an answer must be, as a request says it: OpenAI's {@code response_format} and {@code text.format}, or vLLM's
 * {@code structured_outputs} and the older {@code guided_json}, {@code guided_regex}, {@code guided_choice} and
 * {@code guided_grammar}; a grammar under the names of SGLang and llama.cpp, too; and structural tags, in
 * {@code response_format} and {@code structured_outputs}.
 *
 * @param field the parameter that says it, for errors
 * @param spec what the answer must be
 * @param key what is the same only where the specification is
 * @param hold how much of the answer it is about
 */
record Guidance(String field, GrammarSpec spec, String key, Hold hold) {

    /** How much of an answer is held to what is asked for. */
    enum Hold {
        /** All of it. */
        ANSWER,
        /** Calls of functions that are to be held to their schemas, in an answer that is free. */
        CALLS,
        /** The same, where nobody has said so, and what cannot be followed is not. */
        CALLS_UNASKED
    }

    /** About the whole answer. */
    Guidance(String field, GrammarSpec spec, String key) {
        this(field, spec, key, Hold.ANSWER);
    }

    private static final String FORMAT = "response_format";
    private static final String STRUCTURED = "structured_outputs";
    private static final String GRAMMAR = "grammar";
    private static final String SGLANG_GRAMMAR = "ebnf";

    /** What a body asks for, if that is more than text. */
    static Optional<Guidance> read(JsonObject body, LimitSettings limits) {
        List<Guidance> all = new ArrayList<>();
        body.object(FORMAT).flatMap(Guidance::wrapped).ifPresent(all::add);
        body.object(STRUCTURED).ifPresent(outputs -> {
            if (outputs.flag("json_object", false)) {
                all.add(object(outputs.path("json_object")));
            }
            outputs.value(StructuralTags.TYPE)
                    .ifPresent(given -> all.add(structural(outputs, StructuralTags.TYPE, given)));
            named(outputs, "", all);
        });
        named(body, "guided_", all);
        grammar(body, SGLANG_GRAMMAR).ifPresent(all::add);
        grammar(body, GRAMMAR).ifPresent(all::add);
        if (all.size() > 1) {
            throw ApiException.invalid(
                    all.get(1).field,
                    "'%s' and '%s' exclude one another; an answer is one of them"
                            .formatted(all.get(0).field, all.get(1).field));
        }
        all.forEach(guidance -> guidance.check(limits));
        return all.stream().findFirst();
    }

    /** What the {@code text.format} of a body for {@code /v1/responses} asks for, if that is more than text. */
    static Optional<Guidance> ofText(JsonObject body, LimitSettings limits) {
        Optional<Guidance> guidance = body.object("text")
                .flatMap(text -> text.object("format"))
                .flatMap(format -> format(format, () -> {
                    format.text("name");
                    return format;
                }));
        guidance.ifPresent(given -> given.check(limits));
        return guidance;
    }

    /**
     * What a body for {@code /v1/messages} asks for in {@code output_config.format}, or in the older
     * {@code output_format}.
     */
    static Optional<Guidance> ofOutput(JsonObject body, LimitSettings limits) {
        Optional<JsonObject> old = body.object("output_format");
        Optional<JsonObject> current = body.object("output_config").flatMap(config -> config.object("format"));
        if (old.isPresent() && current.isPresent()) {
            throw ApiException.invalid(
                    "output_format", "'output_format' is the older name of 'output_config.format'; send one of them");
        }
        Optional<Guidance> guidance = current.or(() -> old).flatMap(format -> format(format, () -> format));
        guidance.ifPresent(given -> given.check(limits));
        return guidance;
    }

    /** The same of an answer whose text is a channel of several. */
    Guidance inChannels() {
        if (hold != Hold.ANSWER || spec instanceof GrammarSpec.Channels) {
            return this;
        }
        return new Guidance(field, new GrammarSpec.Channels(Optional.of(spec), List.of()), "channels " + key, hold);
    }

    /** The same of a text of the answer's channel that has begun; empty where nothing is said of that. */
    Optional<Guidance> withinAnswer() {
        if (hold != Hold.ANSWER) {
            return Optional.empty();
        }
        return spec instanceof GrammarSpec.Channels(var answer, var functions)
                ? answer.map(text -> new Guidance(field, text, "within " + key, hold))
                : Optional.of(this);
    }

    /** What of the answer is behind what this says of its message; empty where this says all. */
    Optional<Guidance> behind() {
        return spec instanceof GrammarSpec.Channels channels
                ? channels.behind().map(text -> new Guidance(field, text, "within " + key, hold))
                : Optional.empty();
    }

    private void check(LimitSettings limits) {
        int bytes = key.getBytes(StandardCharsets.UTF_8).length;
        if (bytes > limits.maxSchema()) {
            throw ApiException.invalid(
                    field,
                    "'%s' has %d bytes; at most %d are accepted (limits.max-schema)"
                            .formatted(field, bytes, limits.maxSchema()));
        }
    }

    /** vLLM takes it as text. */
    private static Guidance structural(JsonObject object, String name, Object given) {
        String field = object.path(name);
        Object parsed = given instanceof String text ? parsed(field, text) : given;
        if (!(parsed instanceof Map<?, ?> map)) {
            throw object.wrongType(name, "an object", given);
        }
        return structural(JsonObject.of(field, map));
    }

    private static Guidance structural(JsonObject given) {
        return new Guidance(given.path(), StructuralTags.read(given), "structural " + text(given.fields()));
    }

    /** Chats have name and schema in an object of their own. */
    private static Optional<Guidance> wrapped(JsonObject format) {
        if (format.text("type").equals(StructuralTags.TYPE)) {
            return Optional.of(structural(format));
        }
        return format(
                format,
                () -> format.object("json_schema")
                        .orElseThrow(() -> format.wrong(
                                "json_schema",
                                "'%s' is missing: an object is required".formatted(format.path("json_schema")))));
    }

    /** @param definition the object that has the schema */
    private static Optional<Guidance> format(JsonObject format, Supplier<JsonObject> definition) {
        String type = format.text("type");
        return switch (type) {
            case "text" -> Optional.empty();
            case "json_object" -> Optional.of(object(format.path()));
            case "json_schema" -> {
                JsonObject named = definition.get();
                Object schema = named.value("schema")
                        .orElseThrow(() -> named.wrong(
                                "schema", "'%s' is missing: a JSON Schema".formatted(named.path("schema"))));
                yield Optional.of(schema(named.path("schema"), schema, named.flag("strict", false)));
            }
            default ->
                throw ApiException.unsupported(
                        format.path("type"),
                        "'%s' is 'text', 'json_object' or 'json_schema', but is '%s'"
                                .formatted(format.path("type"), ApiException.shown(type)));
        };
    }

    private static void named(JsonObject object, String prefix, List<Guidance> all) {
        object.value(prefix + "json").ifPresent(given -> {
            String field = object.path(prefix + "json");
            // clients send it as text, too
            Object schema = given instanceof String text ? parsed(field, text) : given;
            all.add(schema(field, schema, true));
        });
        object.optionalText(prefix + "regex")
                .ifPresent(pattern -> all.add(new Guidance(
                        object.path(prefix + "regex"), new GrammarSpec.Regex(pattern), "regex " + pattern)));
        grammar(object, prefix + GRAMMAR).ifPresent(all::add);
        object.list(prefix + "choice").ifPresent(list -> all.add(choice(object.path(prefix + "choice"), list)));
    }

    private static Optional<Guidance> grammar(JsonObject object, String name) {
        return object.optionalText(name)
                .map(rules -> new Guidance(object.path(name), new GrammarSpec.Ebnf(rules), "grammar " + rules));
    }

    private static @Nullable Object parsed(String field, String text) {
        try {
            return Json.parse(text);
        } catch (JsonException e) {
            throw ApiException.invalid(field, "'%s' is no JSON: %s".formatted(field, e.getMessage()));
        }
    }

    private static Guidance object(String field) {
        return new Guidance(field, new GrammarSpec.JsonObject(), "object");
    }

    private static Guidance schema(String field, @Nullable Object schema, boolean strict) {
        String key = text(schema);
        return new Guidance(field, new GrammarSpec.JsonSchema(schema, strict), (strict ? "strict " : "schema ") + key);
    }

    private static Guidance choice(String field, List<@Nullable Object> list) {
        List<String> choices = new ArrayList<>();
        for (int i = 0; i < list.size(); i++) {
            if (!(list.get(i) instanceof String choice) || choice.isEmpty()) {
                String item = field + "[" + i + "]";
                throw ApiException.invalid(item, "'%s' must be a string that is not empty".formatted(item));
            }
            choices.add(choice);
        }
        if (choices.isEmpty()) {
            throw ApiException.invalid(field, "'%s' must have at least one string".formatted(field));
        }
        return new Guidance(field, new GrammarSpec.Choice(choices), "choice " + text(list));
    }

    private static String text(@Nullable Object value) {
        return new String(new JsonWriter().tree(value).toBytes(), StandardCharsets.UTF_8);
    }
}
