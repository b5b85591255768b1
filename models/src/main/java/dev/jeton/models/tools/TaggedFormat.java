package dev.jeton.models.tools;

import java.util.List;

/**
 * A function's tag within a call's frame, and a tag for each of its parameters around the value. Families differ in
 * their tags and in where line's ends are.
 *
 * @param family whose tags
 */
public record TaggedFormat(Family family) implements ToolFormat {

    static final String PARAMETER_END = "</parameter>";

    /** Whose tags. */
    public enum Family {
        /**
         * {@code <tool_call><function=f><parameter=p>value</parameter></function></tool_call>}, with line's ends
         * between, also around values: Qwen3-Coder, Qwen3.5 and their kin.
         */
        QWEN3_CODER("qwen3_coder", "<tool_call>", "</tool_call>", "<function=", "<parameter=", ">", "</function>"),
        /** The same with another frame, and values right between their tags: ByteDance's Seed-OSS. */
        SEED_OSS("seed_oss", "<seed:tool_call>", "</seed:tool_call>", "<function=", "<parameter=", ">", "</function>"),
        /**
         * {@code <invoke name="f"><parameter name="p">value</parameter></invoke>}, several in one frame: MiniMax's M2
         * and later ones.
         */
        MINIMAX_M2(
                "minimax_m2",
                "<minimax:tool_call>",
                "</minimax:tool_call>",
                "<invoke name=\"",
                "<parameter name=\"",
                "\">",
                "</invoke>");

        private final String text;
        private final String begin;
        private final String end;
        private final String function;
        private final String parameter;
        private final String named;
        private final String functionEnd;

        Family(
                String text,
                String begin,
                String end,
                String function,
                String parameter,
                String named,
                String functionEnd) {
            this.text = text;
            this.begin = begin;
            this.end = end;
            this.function = function;
            this.parameter = parameter;
            this.named = named;
            this.functionEnd = functionEnd;
        }

        /** What a frame ends with. */
        String end() {
            return end;
        }

        /** What goes before a function's name. */
        String function() {
            return function;
        }

        /** What goes before a parameter's name. */
        String parameter() {
            return parameter;
        }

        /** What goes behind either name. */
        String named() {
            return named;
        }

        /** What a function ends with. */
        String functionEnd() {
            return functionEnd;
        }

        /** Whether line's ends around a value are the tags'. */
        boolean framed() {
            return this == QWEN3_CODER;
        }

        /** Whether a frame is of one function. */
        private boolean single() {
            return this != MINIMAX_M2;
        }
    }

    @Override
    public String name() {
        return family.text;
    }

    @Override
    public List<String> marks() {
        return List.of(family.begin, family.end);
    }

    /** Models now and then forget the frame around the function. */
    @Override
    public List<String> begins() {
        return List.of(family.begin, family.function);
    }

    @Override
    public CallFrame frame() {
        String around = family.framed() ? "\n" : "";
        CallFrame.Body body =
                new CallFrame.Body.Parameters(family.parameter, family.named + around, around + PARAMETER_END + "\n");
        String begin = family.begin + "\n";
        String named = family.named + "\n";
        String ended = family.functionEnd + "\n";
        return family.single()
                ? new CallFrame("", begin + family.function, named, body, ended + family.end, "\n", "")
                : new CallFrame(begin, family.function, named, body, ended, "", family.end);
    }

    @Override
    public boolean writtenBy(String template) {
        String quoted = family.function.replace("\"", "");
        return template.contains(family.begin) && template.contains(quoted) && template.contains("<parameter");
    }
}
