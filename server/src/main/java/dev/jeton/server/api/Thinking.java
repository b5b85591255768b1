package dev.jeton.server.api;

import dev.jeton.models.reasoning.ChannelUse;
import dev.jeton.models.reasoning.ReasoningSplitter;
import dev.jeton.server.api.ReasoningOptions.Shown;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Predicate;

/**
 * What the model of one continuation thinks before it answers, or between: takes it out of the text, and keeps what was
 * not written yet. Not thread-safe.
 */
final class Thinking {

    /**
     * More of it.
     *
     * @param text what
     * @param after how much of the continuation's text that is not written yet goes before it
     * @param calls how many of its calls have begun before
     */
    record News(StringBuilder text, int after, int calls) {}

    /** Says how far a continuation is. */
    interface Progress {

        /** Passes on what of the answer is on its way. */
        void pass();

        /** How much text is not written yet. */
        int text();

        /** How many calls have begun. */
        int calls();
    }

    private final ReasoningUse use;
    private final Progress progress;
    private final StringBuilder thoughts;
    private final ReasoningSplitter splitter;
    private final List<News> news = new ArrayList<>();
    private int tokens;
    /** Tokens that belong to what comes next, whatever that is. */
    private int undecidedTokens;

    /** Tokens before the answer. */
    private int before;

    /** Whether the answer has begun. */
    private boolean begun;

    private boolean finished;

    /**
     * Of one continuation.
     *
     * @param functions that may be called; empty where none may
     * @param answer where the answer goes, with what stands for tokens in it
     * @param content where thinking goes that is left in the content
     */
    Thinking(
            ReasoningUse use,
            Optional<Predicate<String>> functions,
            Progress progress,
            StringBuilder answer,
            StringBuilder content) {
        this.use = use;
        this.progress = progress;
        boolean inContent = use.options().shown() == Shown.IN_CONTENT;
        thoughts = inContent ? content : new StringBuilder();
        ChannelUse channels = new ChannelUse(
                !use.marked() || use.dialect().spelled(),
                functions.isPresent(),
                functions.orElse(name -> false),
                this::turn);
        splitter = use.dialect().splitter(use.place(), inContent, channels, thoughts, answer);
    }

    /** What the splitter has to see in place of a token; mostly nothing. */
    String mark(int token) {
        return use.marked() ? use.dialect().mark(token) : "";
    }

    /** Takes the text that is certain now. */
    void add(CharSequence piece) {
        splitter.add(piece);
        collect();
    }

    /** Answer follows thinking, or the other way round: both keep their order. */
    private void turn() {
        collect();
        progress.pass();
    }

    private void collect() {
        if (hidden()) {
            thoughts.setLength(0);
        } else if (apart() && !thoughts.isEmpty()) {
            int after = progress.text();
            int calls = progress.calls();
            if (news.isEmpty()
                    || news.getLast().after() != after
                    || news.getLast().calls() != calls) {
                news.add(new News(new StringBuilder(), after, calls));
            }
            news.getLast().text().append(thoughts);
            thoughts.setLength(0);
        }
    }

    /** Whether what comes next is thinking, as far as is known. */
    boolean goesOn() {
        return splitter.thinking();
    }

    /** Whether what comes next is the header of a message, as far as is known. */
    boolean inHeader() {
        return use.channels() && splitter.beginning();
    }

    private boolean hidden() {
        return use.options().shown() == Shown.NOT;
    }

    /** Whether it is not known yet if what came is to be shown. */
    boolean undecided() {
        return hidden() && !finished && splitter.beginning();
    }

    /** Whether what comes next is shown. */
    boolean answers() {
        return !hidden() || splitter.answering();
    }

    /**
     * A token was taken.
     *
     * @param all how many were
     * @param thought whether it was thinking, as far as was known before
     */
    void count(int all, boolean thought) {
        boolean thinks = thought || goesOn();
        if (!use.channels()) {
            tokens = thinks ? all : tokens;
            before = tokens;
            return;
        }
        undecidedTokens++;
        if (!begun) {
            begun = splitter.answered() > 0;
            // text that is no header after all has begun with the tokens that were held for one
            before = !begun ? all : Math.min(before, all - undecidedTokens);
        }
        if (thinks) {
            tokens += undecidedTokens;
        }
        if (thinks || splitter.answering()) {
            undecidedTokens = 0;
        }
    }

    /** Tokens of thinking, with those of its marks. */
    int tokens() {
        return tokens;
    }

    /** Tokens that are not in the content, since they went before it. */
    int takenOut() {
        return use.options().shown() == Shown.IN_CONTENT ? 0 : before;
    }

    /** How much of the text came from tokens one behind the other. */
    long contiguous() {
        return use.options().shown() == Shown.IN_CONTENT && use.channels() ? 0 : splitter.contiguous();
    }

    /** The text has ended. */
    void finish() {
        splitter.finish();
        finished = true;
        collect();
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
    List<News> news() {
        return waits() ? List.of() : news;
    }

    /** All news were written, and the text with them. */
    void markWritten() {
        if (waits()) {
            news.replaceAll(kept -> new News(kept.text(), 0, kept.calls()));
        } else {
            news.clear();
        }
    }
}
