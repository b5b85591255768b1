package dev.jeton.server.api;

import dev.jeton.models.ChatTemplate;
import dev.jeton.models.TemplateException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * How a decoder that ranks is shown a query and a document: as messages of these roles, to a chat template that was
 * written for them, as sentence-transformers has it. The template is asked at load.
 *
 * @param parted whether it takes a message's content as a list of parts, and not as a text
 */
record PairTemplate(ChatTemplate template, boolean parted) {

    private static final String QUERY = "probe of a query";
    private static final String DOCUMENT = "probe of a document";

    /** A template's; empty where it does not show both. */
    static Optional<PairTemplate> of(ChatTemplate template) {
        for (boolean parted : new boolean[] {false, true}) {
            PairTemplate pairs = new PairTemplate(template, parted);
            try {
                String shown = pairs.render("", QUERY, DOCUMENT);
                if (shown.contains(QUERY) && shown.contains(DOCUMENT)) {
                    return Optional.of(pairs);
                }
            } catch (TemplateException e) {
                // a template that reads contents in one way may raise over the other
            }
        }
        return Optional.empty();
    }

    /**
     * The prompt of a pair.
     *
     * @param instruction by what a document is judged, the system's message; empty for the template's own
     * @throws TemplateException as {@link ChatTemplate#render} does
     */
    String render(String instruction, String query, String document) {
        List<Map<String, Object>> messages = new ArrayList<>();
        if (!instruction.isEmpty()) {
            messages.add(message("system", instruction));
        }
        messages.add(message("query", query));
        messages.add(message("document", document));
        return template.render(messages, List.of(), false, Map.of());
    }

    private Map<String, Object> message(String role, String text) {
        return Map.of("role", role, "content", parted ? List.of(Map.of("type", "text", "text", text)) : text);
    }
}
