package dev.jeton.models.harmony;

import java.util.Arrays;
import java.util.Optional;

/** A token of the format's own. Its text has its first character nowhere else. */
public enum HarmonyMark {
    /** A message begins, with its header. */
    START("<|start|>"),
    /** In a header, the channel follows. */
    CHANNEL("<|channel|>"),
    /** In a header, what the message is made of follows. */
    CONSTRAIN("<|constrain|>"),
    /** The header has ended, the message's text follows. */
    MESSAGE("<|message|>"),
    /** The message has ended. */
    END("<|end|>"),
    /** It has ended, and the answer with it. */
    RETURN("<|return|>"),
    /** It was a call, and the answer has ended with it. */
    CALL("<|call|>");

    private static final HarmonyMark[] ALL = values();

    private final String text;

    HarmonyMark(String text) {
        this.text = text;
    }

    /** How vocabularies write it. */
    public String text() {
        return text;
    }

    /** Stands for it in a text: a low surrogate on its own, which no text has. */
    public char sign() {
        return (char) (Character.MAX_LOW_SURROGATE - ordinal());
    }

    /** The mark for which a character stands. */
    public static Optional<HarmonyMark> of(char sign) {
        int ordinal = Character.MAX_LOW_SURROGATE - sign;
        return ordinal >= 0 && ordinal < ALL.length ? Optional.of(ALL[ordinal]) : Optional.empty();
    }

    /** The mark of that text. */
    public static Optional<HarmonyMark> of(CharSequence text) {
        return Arrays.stream(ALL).filter(mark -> mark.text.contentEquals(text)).findFirst();
    }

    /** Whether a mark is written so, or further. */
    public static boolean begins(CharSequence text) {
        return Arrays.stream(ALL).anyMatch(mark -> mark.text.startsWith(text.toString()));
    }

    /** Whether a chat template is one of a model that writes these. */
    public static boolean writtenBy(String template) {
        return template.contains(CHANNEL.text) && template.contains(MESSAGE.text);
    }
}
