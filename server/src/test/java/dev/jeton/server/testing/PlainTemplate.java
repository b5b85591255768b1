package dev.jeton.server.testing;

import dev.jeton.models.ChatTemplate;
import dev.jeton.models.TemplateException;
import java.util.List;
import java.util.Map;

/** A template that prints {@code role: content} lines, and raises or blows up when the first message asks it to. */
public final class PlainTemplate implements ChatTemplate {

    /** Content that makes it raise. */
    public static final String RAISE = "please raise";

    /** Content that makes it pass its bounds. */
    public static final String BOMB = "please explode";

    @Override
    public String render(
            List<Map<String, Object>> messages,
            List<Map<String, Object>> tools,
            boolean addGenerationPrompt,
            Map<String, Object> variables) {
        StringBuilder out = new StringBuilder();
        tools.forEach(tool -> out.append("tool: ").append(tool.get("function")).append('\n'));
        for (Map<String, Object> message : messages) {
            Object content = message.get("content");
            if (RAISE.equals(content)) {
                throw new TemplateException("roles must alternate");
            }
            if (BOMB.equals(content)) {
                throw new TemplateException("the output has more than 1000000 characters");
            }
            out.append(message.get("role")).append(": ").append(content).append('\n');
        }
        variables.forEach(
                (name, value) -> out.append(name).append('=').append(value).append('\n'));
        return addGenerationPrompt ? out.append("assistant: ").toString() : out.toString();
    }
}
