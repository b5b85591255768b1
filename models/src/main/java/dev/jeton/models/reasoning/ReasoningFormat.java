package dev.jeton.models.reasoning;

import dev.jeton.models.harmony.HarmonyMark;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * How a family of models marks what it thinks before its answer. Names are those of vLLM's {@code --reasoning-parser}.
 * A mark is ASCII, and its first character stands nowhere else in it, so that a match that fails can begin anew only
 * with the character at hand.
 */
public enum ReasoningFormat {
    /**
     * OpenAI's gpt-oss models, where thinking is a channel among others (the harmony format). What is said here of
     * marks is not of this one: see {@link #channels}.
     */
    HARMONY("openai_gptoss", "<|channel|>analysis<|message|>", "<|end|>", false),
    /** Mistral's Magistral models. */
    MISTRAL("mistral", "[THINK]", "[/THINK]", false),
    /** ByteDance's Seed-OSS models. */
    SEED_OSS("seed_oss", "<seed:think>", "</seed:think>", false),
    /** DeepSeek's V3.1 and later ones, whose prompts begin or end the thinking, or go on in an answer. */
    DEEPSEEK_V3("deepseek_v3", "<think>", "</think>", false),
    /** DeepSeek's R1, and what was distilled from it: thinking whose beginning the model may leave out. */
    DEEPSEEK_R1("deepseek_r1", "<think>", "</think>", true),
    /** MiniMax's M2 and later ones: thinking whose beginning the prompt has. */
    MINIMAX_M2("minimax_m2", "<think>", "</think>", true),
    /** Moonshot's Kimi K2 that thinks, and later ones: as {@link #QWEN3}. */
    KIMI_K2("kimi_k2", "<think>", "</think>", false),
    /** GLM-4.5 and later ones: as {@link #QWEN3}. */
    GLM45("glm45", "<think>", "</think>", false),
    /** Qwen3, QwQ and many others: thinking that the model begins itself, where the prompt does not. */
    QWEN3("qwen3", "<think>", "</think>", false);

    /** Setting of a model whose chat template tells its format. */
    public static final String AUTO = "auto";

    /** Setting of a model whose thinking is left in its answers. */
    public static final String OFF = "none";

    private static final String DEEPSEEK = "<｜Assistant｜>";

    /** By what templates of V3.1 and later are asked to have the model think. */
    private static final String SWITCH = "thinking";

    private static final String MINIMAX = "]~b]";
    private static final String KIMI = "<|im_middle|>";
    private static final String GLM = "[gMASK]";

    private final String text;
    private final String begin;
    private final String end;
    private final boolean untold;

    ReasoningFormat(String text, String begin, String end, boolean untold) {
        this.text = text;
        this.begin = begin;
        this.end = end;
        this.untold = untold;
    }

    /** As in configuration. */
    public String text() {
        return text;
    }

    /** Whether thinking is a channel of several, rather than what stands between two marks before the answer. */
    public boolean channels() {
        return this == HARMONY;
    }

    /** What thinking begins with. */
    public String begin() {
        return begin;
    }

    /** What thinking ends with. */
    public String end() {
        return end;
    }

    /** All settings: {@link #AUTO}, {@link #OFF} and the formats' names. */
    public static List<String> choices() {
        return Stream.concat(Stream.of(AUTO, OFF), Arrays.stream(values()).map(ReasoningFormat::text))
                .toList();
    }

    /**
     * The format that a setting names, or leaves to a chat template to tell.
     *
     * @param setting one of {@link #choices}
     * @param template the template's source
     */
    public static Optional<ReasoningFormat> chosen(String setting, String template) {
        return switch (setting) {
            case AUTO -> of(template);
            case OFF -> Optional.empty();
            default ->
                Arrays.stream(values())
                        .filter(format -> format.text.equals(setting))
                        .findFirst();
        };
    }

    /** The format whose marks a chat template puts into prompts or takes out of earlier answers, if it does. */
    public static Optional<ReasoningFormat> of(String template) {
        return Arrays.stream(values()).filter(format -> format.in(template)).findFirst();
    }

    private boolean in(String template) {
        boolean marked = template.contains(begin) || template.contains(end);
        return switch (this) {
            case HARMONY -> HarmonyMark.writtenBy(template);
            case DEEPSEEK_V3 -> marked && template.contains(DEEPSEEK) && template.contains(SWITCH);
            case DEEPSEEK_R1 -> marked && template.contains(DEEPSEEK);
            case MINIMAX_M2 -> marked && template.contains(MINIMAX);
            case KIMI_K2 -> marked && template.contains(KIMI);
            case GLM45 -> marked && template.contains(GLM);
            case MISTRAL, SEED_OSS, QWEN3 -> marked;
        };
    }

    /**
     * How a prompt leaves its model: by what it ends with, for marks further up are of earlier turns.
     *
     * @param prompt its text, or the last part of that
     */
    public Opening opening(String prompt) {
        String tail = prompt.stripTrailing();
        if (tail.endsWith(begin)) {
            return Opening.THINKING;
        }
        if (tail.endsWith(end)) {
            return Opening.ANSWERING;
        }
        return untold ? Opening.THINKING : Opening.EITHER;
    }

    /** What an answer begins with. */
    public enum Opening {
        /** It thinks: all is thinking until its end is marked. */
        THINKING,
        /** It answers: the prompt has ended the thinking already. */
        ANSWERING,
        /** It thinks if it begins with the mark, and else answers. */
        EITHER
    }
}
