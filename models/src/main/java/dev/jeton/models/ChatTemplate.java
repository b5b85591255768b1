package dev.jeton.models;

import java.util.List;
import java.util.Map;

/** A model's chat template, compiled once; thread-safe. */
public interface ChatTemplate {

    /**
     * Renders messages to the prompt text.
     *
     * @param messages as in the request: maps of role, content (text), and whatever else the template may read
     * @param tools as in the request, empty for none
     * @param addGenerationPrompt whether the assistant's turn is opened at the end
     * @param variables further names the template sees ({@code chat_template_kwargs})
     * @throws TemplateException if the template raises, uses what is not supported, or passes its bounds
     */
    String render(
            List<Map<String, Object>> messages,
            List<Map<String, Object>> tools,
            boolean addGenerationPrompt,
            Map<String, Object> variables);

    /** The template's own text, by which a model's ways are recognised; empty where it has none. */
    default String source() {
        return "";
    }
}
