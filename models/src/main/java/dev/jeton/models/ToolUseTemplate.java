package dev.jeton.models;

import java.util.List;
import java.util.Map;

/**
 * Two templates of one model: one for chats with tools, which a model's files name {@code tool_use}, and the usual one.
 *
 * @param usual without tools
 * @param withTools with tools
 */
record ToolUseTemplate(ChatTemplate usual, ChatTemplate withTools) implements ChatTemplate {

    @Override
    public String render(
            List<Map<String, Object>> messages,
            List<Map<String, Object>> tools,
            boolean addGenerationPrompt,
            Map<String, Object> variables) {
        ChatTemplate template = tools.isEmpty() ? usual : withTools;
        return template.render(messages, tools, addGenerationPrompt, variables);
    }

    /** Of the one that tells how tools are called. */
    @Override
    public String source() {
        return withTools.source();
    }
}
