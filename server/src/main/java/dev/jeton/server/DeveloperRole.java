package dev.jeton.server;

import dev.jeton.models.ChatTemplate;
import dev.jeton.models.TemplateException;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * Finds out whether a chat template knows the role {@code developer}. One that prints any role it is given does not
 * know it: its model was never shown it.
 */
final class DeveloperRole {

    private static final String ROLE = "developer";
    private static final String INVENTED = "nobodysrole";
    private static final String CONTENT = "the content of a message";

    private DeveloperRole() {}

    static boolean known(ChatTemplate template) {
        Optional<String> developer = rendered(template, ROLE);
        return developer.isPresent()
                && !developer.map(text -> text.replace(ROLE, INVENTED)).equals(rendered(template, INVENTED));
    }

    private static Optional<String> rendered(ChatTemplate template, String role) {
        try {
            String text = template.render(
                    List.of(Map.of("role", role, "content", CONTENT), Map.of("role", "user", "content", "hello")),
                    List.of(),
                    true,
                    Map.of());
            return Optional.of(text).filter(prompt -> prompt.contains(CONTENT));
        } catch (TemplateException e) {
            return Optional.empty();
        }
    }
}
