package dev.jeton.server.api;

import dev.jeton.server.json.JsonObject;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A {@code tool_choice} of type {@code allowed_tools}: which of the tools may be called. The others are not shown.
 *
 * @param names of those that may be
 * @param choice whether they are called
 */
record AllowedTools(Set<String> names, ToolChoice choice) {

    /**
     * Reads it; empty where the choice is another one.
     *
     * @param known names of the tools that there are
     */
    static Optional<AllowedTools> read(JsonObject body, Set<String> known) {
        if (!(body.value(ToolChoice.FIELD).orElse("") instanceof Map<?, ?> map)) {
            return Optional.empty();
        }
        JsonObject given = JsonObject.of(ToolChoice.FIELD, map);
        if (!given.text("type").equals("allowed_tools")) {
            return Optional.empty();
        }
        Set<String> names = new LinkedHashSet<>();
        for (JsonObject tool : given.objects("tools")) {
            names.add(ToolChoice.named(tool, known));
        }
        if (names.isEmpty()) {
            throw given.wrong("tools", "'%s' is empty; take 'none' for no tools".formatted(given.path("tools")));
        }
        String mode = given.text("mode");
        if (!mode.equals("auto") && !mode.equals("required")) {
            throw given.wrong(
                    "mode",
                    "'%s' must be 'auto' or 'required', but is '%s'"
                            .formatted(given.path("mode"), ApiException.shown(mode)));
        }
        return Optional.of(new AllowedTools(names, new ToolChoice(true, mode.equals("required"), Optional.empty())));
    }

    /** Those of the tools, as templates take them, that may be called. */
    List<Map<String, @Nullable Object>> of(List<Map<String, @Nullable Object>> tools) {
        return tools.stream()
                .filter(tool -> tool.get("function") instanceof Map<?, ?> function
                        && function.get("name") instanceof String name
                        && names.contains(name))
                .toList();
    }
}
