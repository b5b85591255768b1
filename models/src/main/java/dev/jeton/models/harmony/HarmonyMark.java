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

    /** The mark that stands at a place of a text: a low surrogate behind a high one is a character's. */
    public static Optional<HarmonyMark> at(CharSequence text, int index) {
        boolean paired = index > 0 && Character.isHighSurrogate(text.charAt(index - 1));
        return paired ? Optional.empty() : of(text.charAt(index));
    }

    /** Where it stands first in a text, from a place on; -1 where it does not. */
    int in(CharSequence text, int from) {
        int at = from;
        while (at < text.length() && at(text, at).filter(this::equals).isEmpty()) {
            at++;
        }
        return at < text.length() ? at : -1;
    }

    /** Where it stands last in a text; -1 where it does not. */
    int lastIn(CharSequence text) {
        int at = text.length() - 1;
        while (at >= 0 && at(text, at).filter(this::equals).isEmpty()) {
            at--;
        }
        return at;
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
