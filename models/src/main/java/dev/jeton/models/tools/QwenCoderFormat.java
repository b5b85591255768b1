package dev.jeton.models.tools;

import java.util.List;

/**
 * {@code <tool_call><function=f><parameter=p>value</parameter></function></tool_call>}, with line's ends between:
 * Qwen3-Coder, Qwen3.5 and their kin.
 */
public record QwenCoderFormat() implements ToolFormat {

    static final String BEGIN = "<tool_call>";
    static final String END = "</tool_call>";
    static final String FUNCTION = "<function=";

    private static final CallFrame.Body PARAMETERS =
            new CallFrame.Body.Parameters("<parameter=", ">\n", "\n</parameter>\n");

    @Override
    public String name() {
        return "qwen3_coder";
    }

    @Override
    public List<String> marks() {
        return List.of(BEGIN, END);
    }

    /** Models now and then forget the frame around the function. */
    @Override
    public List<String> begins() {
        return List.of(BEGIN, FUNCTION);
    }

    @Override
    public CallFrame frame() {
        return new CallFrame("", BEGIN + "\n" + FUNCTION, ">\n", PARAMETERS, "</function>\n" + END, "\n", "");
    }

    @Override
    public boolean writtenBy(String template) {
        return template.contains(BEGIN) && template.contains(FUNCTION) && template.contains("<parameter=");
    }
}
