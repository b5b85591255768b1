package dev.jeton.models.tools;

import java.util.List;

/**
 * Calls within {@code <｜tool▁calls▁begin｜>} and {@code <｜tool▁calls▁end｜>}: DeepSeek's V3, R1 and models distilled from
 * it, and V3.1. A parser of either reads both.
 *
 * @param version how a call is written
 */
public record DeepSeekFormat(Version version) implements ToolFormat {

    static final String CALLS_BEGIN = "<｜tool▁calls▁begin｜>";
    static final String CALLS_END = "<｜tool▁calls▁end｜>";
    static final String CALL_BEGIN = "<｜tool▁call▁begin｜>";
    static final String CALL_END = "<｜tool▁call▁end｜>";
    static final String SEPARATOR = "<｜tool▁sep｜>";

    /** How a call is written. */
    public enum Version {
        /** {@code function<｜tool▁sep｜>name}, and the arguments in a fence. */
        V3,
        /** {@code name<｜tool▁sep｜>arguments}. */
        V31
    }

    @Override
    public String name() {
        return switch (version) {
            case V3 -> "deepseek_v3";
            case V31 -> "deepseek_v31";
        };
    }

    @Override
    public List<String> marks() {
        return List.of(CALLS_BEGIN, CALLS_END, CALL_BEGIN, CALL_END, SEPARATOR);
    }

    @Override
    public List<String> begins() {
        return List.of(CALLS_BEGIN, CALL_BEGIN);
    }

    @Override
    public CallFrame frame() {
        return switch (version) {
            case V3 ->
                new CallFrame(
                        CALLS_BEGIN,
                        CALL_BEGIN + "function" + SEPARATOR,
                        "\n```json\n",
                        CallFrame.Body.JSON,
                        "\n```" + CALL_END,
                        "\n",
                        CALLS_END);
            case V31 -> new CallFrame(CALLS_BEGIN, CALL_BEGIN, SEPARATOR, CallFrame.Body.JSON, CALL_END, "", CALLS_END);
        };
    }

    @Override
    public boolean writtenBy(String template) {
        return template.contains(CALLS_BEGIN) && template.contains("```json") == (version == Version.V3);
    }
}
