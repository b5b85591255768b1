package dev.jeton.models.tools;

import java.util.List;

/**
 * {@code [TOOL_CALLS][{"name": "f", "arguments": {...}}, ...]}, and in models since the tokenizer's eleventh version
 * {@code [TOOL_CALLS]f[ARGS]{...}}: Mistral's models. A parser of either reads both.
 *
 * @param version how a call is written
 */
public record MistralFormat(Version version) implements ToolFormat {

    static final String BEGIN = "[TOOL_CALLS]";
    static final String ARGS = "[ARGS]";
    static final String CALL_ID = "[CALL_ID]";

    /** How a call is written. */
    public enum Version {
        /** All calls in one array. */
        ARRAY,
        /** Each call by itself, its name in front of its arguments. */
        NAMED
    }

    @Override
    public String name() {
        return "mistral";
    }

    @Override
    public List<String> marks() {
        return List.of(BEGIN, ARGS, CALL_ID);
    }

    @Override
    public List<String> begins() {
        return List.of(BEGIN);
    }

    @Override
    public CallFrame frame() {
        return switch (version) {
            case ARRAY ->
                new CallFrame(BEGIN + "[", "{\"name\": \"", "\", \"arguments\": ", CallFrame.Body.JSON, "}", ", ", "]");
            case NAMED -> new CallFrame("", BEGIN, ARGS, CallFrame.Body.JSON, "", "", "");
        };
    }

    @Override
    public boolean writtenBy(String template) {
        return template.contains(BEGIN) && template.contains(ARGS) == (version == Version.NAMED);
    }

    @Override
    public CallId callId() {
        return CallId.NINE;
    }
}
