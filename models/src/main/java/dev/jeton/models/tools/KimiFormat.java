package dev.jeton.models.tools;

import java.util.List;

/**
 * Calls within {@code <|tool_calls_section_begin|>} and {@code <|tool_calls_section_end|>}, each
 * {@code <|tool_call_begin|>functions.f:0<|tool_call_argument_begin|>{...}<|tool_call_end|>}: Moonshot's Kimi K2 and
 * later ones. What names the function is the call's id, too, by which templates show the call again; its number counts
 * a conversation's calls.
 */
public record KimiFormat() implements ToolFormat {

    static final String CALLS_BEGIN = "<|tool_calls_section_begin|>";
    static final String CALLS_END = "<|tool_calls_section_end|>";
    static final String CALL_BEGIN = "<|tool_call_begin|>";
    static final String CALL_END = "<|tool_call_end|>";
    static final String ARGUMENTS = "<|tool_call_argument_begin|>";

    @Override
    public String name() {
        return "kimi_k2";
    }

    @Override
    public List<String> marks() {
        return List.of(CALLS_BEGIN, CALLS_END, CALL_BEGIN, CALL_END, ARGUMENTS);
    }

    @Override
    public List<String> begins() {
        return List.of(CALLS_BEGIN, CALL_BEGIN);
    }

    @Override
    public CallFrame frame() {
        return new CallFrame(
                CALLS_BEGIN,
                CALL_BEGIN + CallId.FUNCTIONS,
                CallId.NUMBER + CallFrame.COUNT + ARGUMENTS,
                CallFrame.Body.JSON,
                CALL_END,
                "",
                CALLS_END);
    }

    @Override
    public boolean writtenBy(String template) {
        return template.contains(CALLS_BEGIN);
    }

    @Override
    public CallId callId() {
        return CallId.NUMBERED;
    }
}
