package dev.jeton.models.tools;

import dev.jeton.models.Tokenizer;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Literals of a format's frames that a vocabulary has as special tokens: a detokenizer leaves those out of the text, so
 * they go to the parser as a character that no text has, a low surrogate on its own. What is no frame's is dropped
 * again, and never seen by a client.
 */
final class Marks {

    private static final char FIRST = Character.MIN_LOW_SURROGATE;

    private final Map<Integer, String> byToken = new HashMap<>();

    Marks(List<String> literals, Tokenizer tokenizer) {
        for (int i = 0; i < literals.size(); i++) {
            int id = tokenizer.id(literals.get(i));
            if (id >= 0 && tokenizer.special(id)) {
                byToken.put(id, String.valueOf((char) (FIRST + i)));
            }
        }
    }

    /** What stands for a token in the parser's text: empty for one that is no mark. */
    String of(int token) {
        return byToken.getOrDefault(token, "");
    }

    /** What a parser makes of a character: itself, or for a mark a negative number. */
    static int unit(char c, boolean afterHighSurrogate) {
        return Character.isLowSurrogate(c) && !afterHighSurrogate ? FIRST - c - 1 : c;
    }

    /** Which of the format's marks a negative unit is. */
    static int index(int unit) {
        return -1 - unit;
    }
}
