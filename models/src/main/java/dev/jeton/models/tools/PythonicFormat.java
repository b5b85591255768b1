package dev.jeton.models.tools;

import java.util.List;

/**
 * Calls as Python writes them: a list of them, {@code [f(a=1, b="x"), g()]}, at the beginning of the answer or of a
 * line (Llama 3.2 and models taught like it, and Llama 4, which may write {@code <|python_start|>} and
 * {@code <|python_end|>} around), or one in a line, always between {@code <function_calls>} and
 * {@code </function_calls>} (OLMo 3).
 *
 * @param version whose
 */
public record PythonicFormat(Version version) implements ToolFormat {

    static final String START = "<|python_start|>";
    static final String END = "<|python_end|>";
    static final String CALLS_BEGIN = "<function_calls>";
    static final String CALLS_END = "</function_calls>";

    /** Whose. */
    public enum Version {
        /** A list without marks. */
        PLAIN,
        /** Llama 4's. */
        LLAMA4,
        /** OLMo 3's. */
        OLMO3
    }

    @Override
    public String name() {
        return switch (version) {
            case PLAIN -> "pythonic";
            case LLAMA4 -> "llama4_pythonic";
            case OLMO3 -> "olmo3";
        };
    }

    /** Whether calls stand in lines between marks, and in no list. */
    boolean lines() {
        return version == Version.OLMO3;
    }

    /** What ends a frame that began with a mark. */
    String end() {
        return lines() ? CALLS_END : END;
    }

    @Override
    public List<String> marks() {
        return List.of(lines() ? CALLS_BEGIN : START, end());
    }

    @Override
    public List<String> begins() {
        return List.of(lines() ? CALLS_BEGIN : START);
    }

    @Override
    public int bareBegin() {
        return lines() ? -1 : '[';
    }

    @Override
    public CallFrame frame() {
        return lines()
                ? new CallFrame(CALLS_BEGIN, "", "(", new CallFrame.Body.Keywords(false), ")", "\n", CALLS_END)
                : new CallFrame("[", "", "(", new CallFrame.Body.Keywords(true), ")", ", ", "]");
    }

    /** By how templates that tell of the format do. */
    @Override
    public boolean writtenBy(String template) {
        boolean list = template.contains("[func_name1(");
        boolean llama4 = template.contains("<|header_start|>");
        return switch (version) {
            case PLAIN -> list && !llama4;
            case LLAMA4 -> list && llama4;
            case OLMO3 -> template.contains(CALLS_BEGIN);
        };
    }
}
