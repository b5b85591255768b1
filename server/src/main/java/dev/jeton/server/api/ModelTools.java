package dev.jeton.server.api;

import dev.jeton.models.ChatTemplate;
import dev.jeton.models.TemplateException;
import dev.jeton.models.tools.CallId;
import dev.jeton.models.tools.PastCallStyle;
import dev.jeton.models.tools.ToolDialect;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * How a model calls tools, and is shown them and its calls.
 *
 * @param dialect how it writes calls; empty where calls are not taken out of its answers
 * @param past how its template takes earlier messages that call tools
 * @param described whether its template takes no function without a description
 */
public record ModelTools(Optional<ToolDialect> dialect, PastCallStyle past, boolean described) {

    /** Of a model that calls none. */
    public static final ModelTools NONE = new ModelTools(Optional.empty(), PastCallStyle.USUAL, false);

    private static final String FUNCTION = "function";
    private static final String DESCRIPTION = "description";

    /** Of a model with a template, which is asked. */
    static ModelTools of(Optional<ToolDialect> dialect, ChatTemplate template) {
        Map<String, Object> bare =
                Map.of("name", "probe", "parameters", Map.of("type", "object", "properties", Map.of()));
        Map<String, Object> described = new LinkedHashMap<>(bare);
        described.put(DESCRIPTION, "");
        return new ModelTools(
                dialect, PastCallStyle.of(template), !takes(template, bare) && takes(template, described));
    }

    private static boolean takes(ChatTemplate template, Map<String, Object> function) {
        try {
            template.render(
                    List.of(Map.of("role", "user", "content", "hello")),
                    List.of(Map.of("type", FUNCTION, FUNCTION, function)),
                    true,
                    Map.of());
            return true;
        } catch (TemplateException e) {
            return false;
        }
    }

    /** What ids of its calls look like. */
    CallId ids() {
        return dialect.map(known -> known.format().callId()).orElse(CallId.LONG);
    }

    /** Tools as its template takes them. */
    List<Map<String, @Nullable Object>> shown(List<Map<String, @Nullable Object>> tools) {
        return described ? tools.stream().map(ModelTools::withDescription).toList() : tools;
    }

    private static Map<String, @Nullable Object> withDescription(Map<String, @Nullable Object> tool) {
        if (!(tool.get(FUNCTION) instanceof Map<?, ?> function) || function.get(DESCRIPTION) != null) {
            return tool;
        }
        Map<Object, @Nullable Object> described = new LinkedHashMap<>(function);
        described.put(DESCRIPTION, "");
        Map<String, @Nullable Object> whole = new LinkedHashMap<>(tool);
        whole.put(FUNCTION, described);
        return whole;
    }
}
