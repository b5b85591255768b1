package dev.jeton.server.api;

import dev.jeton.models.engine.Capability;
import dev.jeton.models.grammar.CallTags;
import dev.jeton.models.grammar.GrammarSpec;
import dev.jeton.models.tools.ToolFormat;
import dev.jeton.server.api.Guidance.Hold;
import dev.jeton.server.json.JsonObject;
import dev.jeton.server.json.JsonWriter;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Holds a model to calls of tools where {@code tool_choice} wants some, lets it call them where its answer must be
 * something else, and holds what it calls to the schemas of functions that are strict where it is free to call.
 */
final class ToolGuidance {

    private static final String TOOLS = "tools";

    private ToolGuidance() {}

    /**
     * The options of a chat whose answer may call tools.
     *
     * @param use how it does; empty where it may not, or where the model's way is not known
     * @throws ApiException 400 where calls are wanted that the model cannot be held to
     */
    static GenerationOptions guided(
            GenerationOptions options, RequestedTools tools, Optional<ToolUse> use, ServedModel model) {
        if (tools.choice().must()) {
            return options.guided(forced(options, tools, use, model));
        }
        Optional<Guidance> guidance = options.guidance();
        Optional<ToolFormat> format = use.map(known -> known.dialect().format());
        if (format.isEmpty()) {
            return options;
        }
        boolean tagged = guidance.filter(given -> given.spec() instanceof GrammarSpec.Tags)
                .isPresent();
        if (guidance.isEmpty() || tagged && !format.get().signed()) {
            boolean follows = model.dispatcher().engine().supports(Capability.MASKS);
            return follows ? strict(options, tools, format.get()) : options;
        }
        Guidance either = calls(
                guidance.get().field(),
                tools,
                format.get(),
                Optional.of(guidance.get().spec()),
                guidance.get().key());
        return options.guided(either);
    }

    private static Guidance forced(
            GenerationOptions options, RequestedTools tools, Optional<ToolUse> use, ServedModel model) {
        options.guidance().ifPresent(guidance -> {
            throw ApiException.invalid(
                    guidance.field(),
                    "'%s' and a 'tool_choice' that wants calls exclude one another".formatted(guidance.field()));
        });
        ToolFormat format = use.map(known -> known.dialect().format())
                .orElseThrow(() -> ApiException.unsupported(
                        ToolChoice.FIELD,
                        "how '%s' calls tools is not known (engine.tool-call-parser), so that it cannot be held to it"
                                .formatted(model.name())));
        return calls(ToolChoice.FIELD, tools, format, Optional.empty(), "");
    }

    /**
     * Calls of strict functions are valid by their schemas, those of the others any JSON object; the answer is free
     * otherwise, or is free but for the tags that it has already.
     */
    private static GenerationOptions strict(GenerationOptions options, RequestedTools tools, ToolFormat format) {
        List<GrammarSpec.Function> functions = new ArrayList<>();
        List<Object> named = new ArrayList<>();
        boolean asked = false;
        boolean any = false;
        for (Map<String, @Nullable Object> tool : tools.tools()) {
            JsonObject function = JsonObject.of("", tool).object("function").orElseThrow();
            boolean said = function.flag("strict", false);
            boolean held = function.flag("strict", tools.strict());
            asked |= said;
            any |= held;
            functions.add(new GrammarSpec.Function(
                    function.text("name"), held ? function.value("parameters").orElse(Map.of()) : Map.of(), said));
            named.add(function.fields());
        }
        if (!any) {
            return options;
        }
        boolean one = tools.one() && !format.bare() || format.signed();
        List<GrammarSpec.Tag> tags = new ArrayList<>(CallTags.of(format, functions, tools.one()));
        Optional<Guidance> guidance = options.guidance();
        String key = "auto %s %s %s ".formatted(format.name(), tools.one(), tools.strict()) + text(named);
        if (guidance.isPresent() && guidance.get().spec() instanceof GrammarSpec.Tags given) {
            tags.addAll(given.tags());
            return options.guided(new Guidance(
                    guidance.get().field(),
                    new GrammarSpec.Tags(tags, given.first(), given.one()),
                    key + " and " + guidance.get().key()));
        }
        Hold hold = asked ? Hold.CALLS : Hold.CALLS_UNASKED;
        return options.guided(new Guidance(TOOLS, new GrammarSpec.Tags(tags, false, one), key, hold));
    }

    private static Guidance calls(
            String field, RequestedTools tools, ToolFormat format, Optional<GrammarSpec> otherwise, String otherKey) {
        List<GrammarSpec.Function> functions = new ArrayList<>();
        List<Object> named = new ArrayList<>();
        for (Map<String, @Nullable Object> tool : tools.tools()) {
            JsonObject function = JsonObject.of("", tool).object("function").orElseThrow();
            String name = function.text("name");
            if (tools.choice().only().map(name::equals).orElse(true)) {
                functions.add(new GrammarSpec.Function(
                        name, function.value("parameters").orElse(Map.of()), function.flag("strict", false)));
                named.add(function.fields());
            }
        }
        boolean one = tools.one() || tools.choice().only().isPresent();
        String key = "calls " + format.name() + (one ? " one " : " some ") + text(named) + " or " + otherKey;
        GrammarSpec spec = format.signed()
                ? new GrammarSpec.Channels(otherwise, functions)
                : new GrammarSpec.Calls(format.frame(), format.marks(), functions, one, otherwise);
        return new Guidance(field, spec, key);
    }

    private static String text(List<Object> named) {
        return new String(new JsonWriter().tree(named).toBytes(), StandardCharsets.UTF_8);
    }
}
