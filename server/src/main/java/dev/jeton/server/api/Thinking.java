package dev.jeton.server.api;

import dev.jeton.models.reasoning.ReasoningSplitter;
import dev.jeton.server.api.ReasoningOptions.Shown;

/**
 * What the model of one continuation thinks before it answers: takes it out of the text, and keeps what was not written
 * yet. Not thread-safe.
 */
final class Thinking {

    private final ReasoningUse use;
    private final StringBuilder thoughts;
    private final ReasoningSplitter splitter;
    private int tokens;
    private boolean finished;

    /**
     * Of one continuation.
     *
     * @param answer where the answer goes, with what stands for tokens in it
     * @param content where thinking goes that is left in the content
     */
    Thinking(ReasoningUse use, StringBuilder answer, StringBuilder content) {
        this.use = use;
        boolean inContent = use.options().shown() == Shown.IN_CONTENT;
        thoughts = inContent ? content : new StringBuilder();
        splitter = new ReasoningSplitter(use.dialect().format(), use.opening(), inContent, thoughts, answer);
    }

    /** What the splitter has to see in place of a token; mostly nothing. */
    String mark(int token) {
        return use.marked() ? use.dialect().mark(token) : "";
    }

    /** Takes the text that is certain now. */
    void add(CharSequence piece) {
        splitter.add(piece);
        if (hidden()) {
            thoughts.setLength(0);
        }
    }

    /** Whether what comes next is thinking, as far as is known. */
    boolean goesOn() {
        return splitter.thinking();
    }

    private boolean hidden() {
        return use.options().shown() == Shown.NOT;
    }

    /** Whether it is not known yet if what came is to be shown. */
    boolean undecided() {
        return hidden() && splitter.beginning();
    }

    /** Whether what comes next is shown. */
    boolean answers() {
        return !hidden() || splitter.answering();
    }

    /** So many tokens were thinking. */
    void count(int all) {
        tokens = all;
    }

    /** Tokens of thinking, with those of its marks. */
    int tokens() {
        return tokens;
    }

    /** Tokens that are not in the content for it. */
    int takenOut() {
        return use.options().shown() == Shown.IN_CONTENT ? 0 : tokens;
    }

    /** The text has ended. */
    void finish() {
        splitter.finish();
        finished = true;
        if (hidden()) {
            thoughts.setLength(0);
        }
    }

    /** Whether text is held back. */
    boolean holding() {
        return splitter.holding() || waits();
    }

    private boolean waits() {
        return apart() && !use.options().streamed() && !finished && splitter.thinking();
    }

    /** Whether answers have a place for it beside the content. */
    boolean apart() {
        return use.options().shown() == Shown.APART;
    }

    /** Thinking that is to be written beside the content, and was not yet. */
    CharSequence news() {
        return apart() && !waits() ? thoughts : "";
    }

    /** All news were written. */
    void markWritten() {
        if (apart() && !waits()) {
            thoughts.setLength(0);
        }
    }
}
