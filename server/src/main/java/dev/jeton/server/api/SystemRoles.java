package dev.jeton.server.api;

import dev.jeton.models.ChatTemplate;
import dev.jeton.models.TemplateException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * How a chat template takes what systems and developers say; it is asked at load.
 *
 * @param developer whether it knows the role {@code developer}; otherwise that is given as {@code system}. One that
 *     prints any role it is given does not know it: its model was never shown it
 * @param onlyFirst whether it shows such a message only where it is the first of all, and leaves out others
 */
public record SystemRoles(boolean developer, boolean onlyFirst) {

    /** Of a template that shows systems' messages wherever they are, and knows no developers. */
    public static final SystemRoles USUAL = new SystemRoles(false, false);

    private static final String SYSTEM = "system";
    private static final String DEVELOPER = "developer";
    private static final String USER = "user";
    private static final String INVENTED = "nobodysrole";
    private static final String CONTENT = "the content of a message";

    /** A template's. */
    public static SystemRoles of(ChatTemplate template) {
        Optional<String> shown = rendered(
                template,
                List.of(
                        said(SYSTEM, "probe1"),
                        said(SYSTEM, "probe2"),
                        said(USER, "a"),
                        said(SYSTEM, "probe3"),
                        said(USER, "b")));
        boolean first = shown.filter(
                        text -> text.contains("probe1") && !text.contains("probe2") && !text.contains("probe3"))
                .isPresent();
        Optional<String> known = asRole(template, DEVELOPER);
        return new SystemRoles(
                known.isPresent()
                        && !known.map(text -> text.replace(DEVELOPER, INVENTED)).equals(asRole(template, INVENTED)),
                first);
    }

    private static Map<String, Object> said(String role, String content) {
        return Map.of("role", role, "content", content);
    }

    private static Optional<String> asRole(ChatTemplate template, String role) {
        return rendered(template, List.of(said(role, CONTENT), said(USER, "hello")))
                .filter(prompt -> prompt.contains(CONTENT));
    }

    private static Optional<String> rendered(ChatTemplate template, List<Map<String, Object>> messages) {
        try {
            return Optional.of(template.render(messages, List.of(), true, Map.of()));
        } catch (TemplateException e) {
            return Optional.empty();
        }
    }

    /** A role as the template knows it. */
    String role(String given) {
        return given.equals(DEVELOPER) && !developer ? SYSTEM : given;
    }

    /**
     * Messages of which the template leaves out none: those of systems and developers in front become one, and later
     * ones the user's.
     */
    List<Map<String, @Nullable Object>> fit(List<Map<String, @Nullable Object>> messages) {
        if (!onlyFirst || messages.stream().skip(1).noneMatch(SystemRoles::instructs)) {
            return messages;
        }
        List<Map<String, @Nullable Object>> all = new ArrayList<>();
        for (Map<String, @Nullable Object> message : messages) {
            if (all.isEmpty() || !instructs(message)) {
                all.add(message);
            } else if (all.size() == 1 && instructs(all.getFirst())) {
                Map<String, @Nullable Object> joined = new LinkedHashMap<>(all.getFirst());
                joined.put("content", joined.get("content") + "\n\n" + message.get("content"));
                all.set(0, joined);
            } else {
                Map<String, @Nullable Object> users = new LinkedHashMap<>(message);
                users.put("role", USER);
                all.add(users);
            }
        }
        return all;
    }

    private static boolean instructs(Map<String, @Nullable Object> message) {
        return SYSTEM.equals(message.get("role")) || DEVELOPER.equals(message.get("role"));
    }
}
