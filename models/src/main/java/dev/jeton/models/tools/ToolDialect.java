package dev.jeton.models.tools;

import dev.jeton.models.Tokenizer;

/**
 * How one model calls tools: its format, and which of its tokens are of that format's frames. Immutable; thread-safe.
 */
public final class ToolDialect {

    private final ToolFormat format;
    private final Marks marks;

    /** @param tokenizer the model's */
    public ToolDialect(ToolFormat format, Tokenizer tokenizer) {
        this.format = format;
        this.marks = new Marks(format.marks(), tokenizer);
    }

    /** How calls are written. */
    public ToolFormat format() {
        return format;
    }

    /**
     * What a {@link ToolCallParser} has to see in place of a token that the detokenizer leaves out; empty for any that
     * is of no frame. Never to be shown to anybody.
     */
    public String mark(int token) {
        return marks.of(token);
    }
}
