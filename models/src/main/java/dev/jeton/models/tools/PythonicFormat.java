package dev.jeton.models.tools;

import java.util.List;

/**
 * A list of calls as Python writes them, {@code [f(a=1, b="x"), g()]}, at the beginning of the answer or of a line:
 * Llama 3.2 and models taught like it, and Llama 4, which may write {@code <|python_start|>} and {@code <|python_end|>}
 * around.
 *
 * @param version whose
 */
public record PythonicFormat(Version version) implements ToolFormat {

    static final String START = "<|python_start|>";
    static final String END = "<|python_end|>";

    /** Whose. */
    public enum Version {
        /** Without marks. */
        PLAIN,
        /** Llama 4's. */
        LLAMA4
    }

    @Override
    public String name() {
        return switch (version) {
            case PLAIN -> "pythonic";
            case LLAMA4 -> "llama4_pythonic";
        };
    }

    @Override
    public List<String> marks() {
        return List.of(START, END);
    }

    @Override
    public List<String> begins() {
        return List.of(START);
    }

    @Override
    public int bareBegin() {
        return '[';
    }

    @Override
    public CallFrame frame() {
        return new CallFrame("[", "", "(", new CallFrame.Body.Keywords(), ")", ", ", "]");
    }

    /** By how templates that tell of the format do. */
    @Override
    public boolean writtenBy(String template) {
        boolean llama4 = template.contains("<|header_start|>");
        return template.contains("[func_name1(") && llama4 == (version == Version.LLAMA4);
    }
}
