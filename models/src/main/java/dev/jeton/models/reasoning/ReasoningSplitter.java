package dev.jeton.models.reasoning;

import dev.jeton.models.reasoning.ReasoningFormat.Opening;

/**
 * Parts what a model thinks from what it answers, as its text comes in pieces: what goes where is the same however the
 * text was cut. Characters that stand for special tokens (see {@link ReasoningDialect}) are in the text. Not
 * thread-safe.
 */
public sealed interface ReasoningSplitter permits MarkSplitter, ChannelSplitter {

    /**
     * Parts one answer whose thinking stands between two marks.
     *
     * @param opening what it begins with
     * @param verbatim whether the marks stay, and the newlines around them
     * @param thinking where thinking goes
     * @param answer where the answer goes
     */
    static ReasoningSplitter byMarks(
            ReasoningFormat format, Opening opening, boolean verbatim, StringBuilder thinking, StringBuilder answer) {
        return new MarkSplitter(format, opening, verbatim, thinking, answer);
    }

    /**
     * Parts one answer whose thinking is a channel of several.
     *
     * @param place where the prompt leaves the model
     * @param together whether thinking and answer are told as one text
     * @param thinking where thinking goes
     * @param answer where the answer goes, with calls in frames
     */
    static ReasoningSplitter ofChannels(
            ReasoningPlace place, ChannelUse use, boolean together, StringBuilder thinking, StringBuilder answer) {
        return new ChannelSplitter(place, use, together, thinking, answer);
    }

    /** Whether what comes next is thinking, as far as is known. */
    boolean thinking();

    /** Whether it is not known yet whether what comes next, or has come last, is thinking. */
    boolean beginning();

    /** Whether something of the answer came, and what comes next is of it, too. */
    boolean answering();

    /** Whether text is held back. */
    boolean holding();

    /** Takes the next piece, and writes what is certain now. */
    void add(CharSequence piece);

    /** The text has ended: writes what was held back. */
    void finish();

    /** How many characters of the answer were written, where there are channels. */
    default long answered() {
        return 0;
    }

    /** How many characters of the answer came in one piece, with nothing of the model's between them. */
    default long contiguous() {
        return Long.MAX_VALUE;
    }
}
