package dev.jeton.models.tools;

import java.util.List;

/**
 * {@code <tool_call>f<arg_key>k</arg_key><arg_value>v</arg_value></tool_call>}: GLM-4.5 and 4.6, which write line's
 * ends between, and 4.7 and later ones, which write none. A parser of either reads both.
 *
 * @param version how a call is written
 */
public record GlmFormat(Version version) implements ToolFormat {

    static final String BEGIN = "<tool_call>";
    static final String END = "</tool_call>";
    static final String KEY = "<arg_key>";
    static final String KEY_END = "</arg_key>";
    static final String VALUE = "<arg_value>";
    static final String VALUE_END = "</arg_value>";

    /** How a call is written. */
    public enum Version {
        /** Each of its parts on a line of its own. */
        LINES,
        /** Without line's ends. */
        DENSE
    }

    @Override
    public String name() {
        return switch (version) {
            case LINES -> "glm45";
            case DENSE -> "glm47";
        };
    }

    @Override
    public List<String> marks() {
        return List.of(BEGIN, END, KEY, KEY_END, VALUE, VALUE_END);
    }

    @Override
    public List<String> begins() {
        return List.of(BEGIN);
    }

    @Override
    public CallFrame frame() {
        String line = switch (version) {
            case LINES -> "\n";
            case DENSE -> "";
        };
        CallFrame.Body body = new CallFrame.Body.Parameters(KEY, KEY_END + line + VALUE, VALUE_END + line);
        return new CallFrame("", BEGIN, line, body, END, line, "");
    }

    @Override
    public boolean writtenBy(String template) {
        return template.contains(BEGIN)
                && template.contains(KEY)
                && template.contains(KEY_END + VALUE) == (version == Version.DENSE);
    }
}
