package dev.jeton.models.tools;

import dev.jeton.models.harmony.HarmonyMark;
import java.util.List;

/**
 * {@code <|channel|>commentary to=functions.f <|constrain|>json<|message|>{...}<|call|>}: OpenAI's gpt-oss models, in
 * whose harmony format a call is a message among others. Who parts the channels of an answer ({@code models.reasoning})
 * finds the calls, and tells them in frames of {@link #BEGIN}, the function's name, {@link #ARGUMENTS}, the arguments
 * and {@link #END}: those are what a parser reads.
 */
public record HarmonyFormat() implements ToolFormat {

    /** In an answer whose channels were parted, stands before a call. */
    public static final char BEGIN = Character.MIN_LOW_SURROGATE;

    /** Stands between a call's name and its arguments. */
    public static final char ARGUMENTS = BEGIN + 1;

    /** Stands behind a call. */
    public static final char END = BEGIN + 2;

    /** What the characters above are marks of; no vocabulary has special tokens like these. */
    private static final List<String> FRAME = List.of("call", "arguments", "end");

    @Override
    public String name() {
        return "openai";
    }

    @Override
    public List<String> marks() {
        return FRAME;
    }

    @Override
    public List<String> begins() {
        return FRAME.subList(0, 1);
    }

    @Override
    public boolean signed() {
        return true;
    }

    /** As the model writes it behind its role, not as a parser reads it. */
    @Override
    public CallFrame frame() {
        return new CallFrame(
                "",
                HarmonyMark.CHANNEL.text() + "commentary to=functions.",
                " " + HarmonyMark.CONSTRAIN.text() + "json" + HarmonyMark.MESSAGE.text(),
                CallFrame.Body.JSON,
                HarmonyMark.CALL.text(),
                HarmonyMark.START.text() + "assistant",
                "");
    }

    @Override
    public boolean writtenBy(String template) {
        return HarmonyMark.writtenBy(template);
    }
}
