package dev.jeton.models.tools;

import java.util.List;

/**
 * {@code <tool_call>{"name": "f", "arguments": {...}}</tool_call>}, several one after the other: Nous Hermes 2 Pro and
 * 3, Qwen2.5, Qwen3.
 */
public record HermesFormat() implements ToolFormat {

    static final String BEGIN = "<tool_call>";
    static final String END = "</tool_call>";

    @Override
    public String name() {
        return "hermes";
    }

    @Override
    public List<String> marks() {
        return List.of(BEGIN, END);
    }

    @Override
    public List<String> begins() {
        return List.of(BEGIN);
    }

    @Override
    public CallFrame frame() {
        return new CallFrame(
                "", BEGIN + "\n{\"name\": \"", "\", \"arguments\": ", CallFrame.Body.JSON, "}\n" + END, "\n", "");
    }

    /** GLM's templates have the same tags and other insides. */
    @Override
    public boolean writtenBy(String template) {
        return template.contains(BEGIN) && template.contains("arguments") && !template.contains("<arg_key>");
    }
}
