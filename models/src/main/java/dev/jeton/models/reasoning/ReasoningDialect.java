package dev.jeton.models.reasoning;

import dev.jeton.models.Tokenizer;
import dev.jeton.models.reasoning.ReasoningFormat.Opening;
import java.util.Arrays;

/**
 * How one model thinks: its format, and which of its tokens are that format's marks. A detokenizer leaves special
 * tokens out of the text, so marks that are some go to the splitter as a character that no text has, a low surrogate on
 * its own. Immutable; thread-safe.
 */
public final class ReasoningDialect {

    /** Stands for the token that begins thinking; the last ones, for those of tool calls count from the first. */
    static final char BEGIN = Character.MAX_LOW_SURROGATE;

    /** Stands for the token that ends it. */
    static final char END = BEGIN - 1;

    /** A prompt's last tokens, in which its last mark is found: more than any mark has characters, with some space. */
    private static final int TAIL = 32;

    private final ReasoningFormat format;
    private final Tokenizer tokenizer;
    private final int begin;
    private final int end;

    /** @param tokenizer the model's */
    public ReasoningDialect(ReasoningFormat format, Tokenizer tokenizer) {
        this.format = format;
        this.tokenizer = tokenizer;
        begin = special(format.begin());
        end = special(format.end());
    }

    private int special(String mark) {
        int id = tokenizer.id(mark);
        return id >= 0 && tokenizer.special(id) ? id : -1;
    }

    /** How thinking is marked. */
    public ReasoningFormat format() {
        return format;
    }

    /**
     * What a {@link ReasoningSplitter} has to see in place of a token that the detokenizer leaves out; empty for any
     * that is no mark. Never to be shown to anybody.
     */
    public String mark(int token) {
        return token < 0 ? "" : token == begin ? String.valueOf(BEGIN) : token == end ? String.valueOf(END) : "";
    }

    /** How a prompt leaves the model. */
    public Opening opening(int[] prompt) {
        int[] tail = Arrays.copyOfRange(prompt, Math.max(0, prompt.length - TAIL), prompt.length);
        return format.opening(tokenizer.decode(tail, false));
    }
}
