package dev.jeton.models.tools;

import java.util.List;

/**
 * {@code <|tool_call|>[{"name": "f", "arguments": {...}}, ...]}: IBM's Granite 3, which may write {@code <tool_call>}
 * in place of the mark. Granite 4 calls as {@link HermesFormat} does.
 */
public record GraniteFormat() implements ToolFormat {

    static final String BEGIN = "<|tool_call|>";
    static final String SPELLED = "<tool_call>";

    @Override
    public String name() {
        return "granite";
    }

    @Override
    public List<String> marks() {
        return List.of(BEGIN, SPELLED);
    }

    @Override
    public List<String> begins() {
        return List.of(BEGIN, SPELLED);
    }

    @Override
    public CallFrame frame() {
        return new CallFrame(BEGIN + "[", "{\"name\": \"", "\", \"arguments\": ", CallFrame.Body.JSON, "}", ", ", "]");
    }

    /** Where a template shows earlier calls, which not all of Granite's own do. */
    @Override
    public boolean writtenBy(String template) {
        return template.contains(BEGIN) && template.contains("<|start_of_role|>") && template.contains("tool_calls");
    }
}
