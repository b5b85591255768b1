package dev.jeton.server.api;

import dev.jeton.models.Detokenizer;
import dev.jeton.scheduler.GenerationEvent;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Supplier;
import java.util.stream.Collectors;

/**
 * One continuation of one prompt as its reader sees it: text released and not written yet, and how it ended. Not
 * thread-safe.
 */
final class Choice {

    private static final Runnable NOTHING = () -> {};

    private final int index;
    private final Detokenizer detokenizer;
    private final StopStrings stops;
    private final int minTokens;
    private final boolean scored;
    private final StringBuilder text = new StringBuilder();
    private final Optional<Thinking> thinking;
    private final Optional<ToolCalls> calls;
    /** What goes on its way to the text: where the model may think, that is taken out of it first. */
    private final StringBuilder passing;
    /** What of it is no thinking: where tools may be called, calls are taken out of it next. */
    private final StringBuilder answering;

    private final List<TokenScore> scores = new ArrayList<>();
    /** Scores of tokens of which it is not known yet whether they are thinking that is shown nowhere. */
    private final List<TokenScore> unsettled = new ArrayList<>();

    private int tokens;
    private int released;
    private int written;
    private int offset;
    private String finishReason = "";
    private Optional<FinishDetail> detail = Optional.empty();
    private Runnable echo = NOTHING;
    private boolean opened;
    private boolean closed;

    /**
     * @param index place among the answer's choices
     * @param minTokens tokens before which no stop string counts
     * @param scored whether log-probabilities are kept
     * @param reasoning how its model thinks, if that is known
     * @param tools how it calls tools, if it may
     */
    Choice(
            int index,
            Detokenizer detokenizer,
            StopStrings stops,
            int minTokens,
            boolean scored,
            Optional<ReasoningUse> reasoning,
            Optional<ToolUse> tools) {
        this.index = index;
        this.detokenizer = detokenizer;
        this.stops = stops;
        this.minTokens = minTokens;
        this.scored = scored;
        calls = tools.map(use -> new ToolCalls(use, text));
        answering = calls.isPresent() ? new StringBuilder() : text;
        thinking = reasoning.map(
                use -> new Thinking(use, tools.map(known -> known.tools()::has), new Progress(), answering, text));
        passing = thinking.isPresent() ? new StringBuilder() : answering;
    }

    /** For who parts thinking from the answer. */
    private final class Progress implements Thinking.Progress {

        @Override
        public void pass() {
            call();
        }

        @Override
        public int text() {
            return text.length();
        }

        @Override
        public int calls() {
            return calls.map(ToolCalls::count).orElse(0);
        }
    }

    int index() {
        return index;
    }

    /** Tokens taken so far. */
    int tokens() {
        return tokens;
    }

    /** Tokens of which all text was written, at least. */
    int written() {
        return written;
    }

    /**
     * Puts the prompt in front of the text, once the first event comes.
     *
     * @param promptScores asked then, for they are not complete before
     */
    void echo(String prompt, Supplier<List<TokenScore>> promptScores) {
        echo = () -> {
            text.append(prompt);
            offset = prompt.length();
            scores.addAll(promptScores.get());
        };
    }

    private void beginText() {
        echo.run();
        echo = NOTHING;
    }

    /**
     * Takes a token.
     *
     * @return whether a stop string was found with it, or as many calls as may be: the sequence is to be stopped
     */
    boolean take(GenerationEvent event) {
        if (ended()) {
            return false;
        }
        beginText();
        tokens++;
        String piece = detokenizer.add(event.token);
        if (scored) {
            unsettled.add(TokenScore.of(event, offset));
            offset += piece.length();
        }
        String marked = marked(event.token, piece);
        boolean thought = thinks();
        if (!marked.isEmpty()) {
            release(marked);
            // A character that is not complete may have begun in the last token, not before: then this had no text.
            released = holding() ? released : tokens - 1;
        }
        thinking.ifPresent(part -> part.count(tokens, thought));
        settle();
        if (stops.found() || full()) {
            finish("stop", false);
        }
        return ended();
    }

    private String marked(int token, String piece) {
        String called = calls.map(found -> found.marked(token, piece)).orElse(piece);
        return thinking.map(part -> called + part.mark(token)).orElse(called);
    }

    private boolean thinks() {
        return thinking.map(Thinking::goesOn).orElse(false);
    }

    /** What thinking that is shown nowhere was is not told by its tokens' scores, either. */
    private void settle() {
        if (unsettled.isEmpty() || thinking.map(Thinking::undecided).orElse(false)) {
            return;
        }
        if (thinking.map(Thinking::answers).orElse(true)) {
            scores.addAll(unsettled);
        }
        unsettled.clear();
    }

    private boolean holding() {
        return stops.holding()
                || thinking.map(Thinking::holding).orElse(false)
                || calls.map(ToolCalls::holding).orElse(false);
    }

    private boolean full() {
        return calls.map(ToolCalls::full).orElse(false);
    }

    /** @param byItself whether the model ended it */
    private void finish(String reason, boolean byItself) {
        thinking.ifPresent(Thinking::finish);
        settle();
        call();
        calls.ifPresent(ToolCalls::finish);
        finishReason = calls.map(found -> found.finishReason(reason, byItself)).orElse(reason);
    }

    private void release(String piece) {
        // what a format writes around texts is nobody's to stop at
        boolean inHeader = thinking.map(Thinking::inHeader).orElse(false) && !stops.holding();
        if (tokens < minTokens || inHeader) {
            passing.append(piece);
        } else {
            stops.add(piece, passing);
        }
        pass();
    }

    private void pass() {
        thinking.ifPresent(part -> {
            part.add(passing);
            passing.setLength(0);
        });
        call();
    }

    private void call() {
        calls.ifPresent(found -> {
            found.add(answering);
            answering.setLength(0);
        });
    }

    /**
     * The sequence has ended by itself.
     *
     * @param reason OpenAI's word
     */
    void end(String reason) {
        if (ended()) {
            return;
        }
        beginText();
        String rest = detokenizer.finish();
        if (!rest.isEmpty()) {
            release(rest);
        }
        boolean stopped = stops.found();
        stops.finish(passing);
        pass();
        finish(stopped ? "stop" : reason, !stopped);
    }

    /** Says why it has ended before the tokens that it might have had. */
    void explain(FinishDetail why) {
        detail = Optional.of(why);
    }

    /** Why it has ended before the tokens that it might have had. */
    Optional<FinishDetail> detail() {
        return detail;
    }

    /** Whether nothing more will be released. */
    boolean ended() {
        return !finishReason.isEmpty();
    }

    /** The stop string that ended it; empty where none did. */
    String stopString() {
        return stops.foundText();
    }

    /** OpenAI's word for why it ended; empty before. */
    String finishReason() {
        return finishReason;
    }

    /** Whether there is something to write that was not written. */
    boolean hasNews() {
        return !closed && (!text.isEmpty() || !thoughts().isEmpty() || !scores.isEmpty() || ended() || called());
    }

    private boolean called() {
        return calls.map(found -> !found.news().isEmpty()).orElse(false);
    }

    /** Its tool calls, if it may call tools. */
    Optional<ToolCalls> calls() {
        return calls;
    }

    /** What its model thought, released and not written yet; not part of the text. */
    CharSequence reasoning() {
        List<Thinking.News> news = thoughts();
        return news.size() == 1
                ? news.getFirst().text()
                : news.stream().map(Thinking.News::text).collect(Collectors.joining());
    }

    /** The same in parts, where text or calls are between. */
    List<Thinking.News> thoughts() {
        return thinking.map(Thinking::news).orElse(List.of());
    }

    /** How many characters of all of its text came from tokens one behind the other. */
    long contiguousText() {
        return thinking.map(Thinking::contiguous).orElse(Long.MAX_VALUE);
    }

    /** Whether answers have a place for thinking beside the content, be there any or not. */
    boolean mayReason() {
        return thinking.map(Thinking::apart).orElse(false);
    }

    /** Tokens taken so far that were thinking, with those of its marks; empty where it is not known what is. */
    OptionalInt reasoningTokens() {
        return thinking.stream().mapToInt(Thinking::tokens).findFirst();
    }

    /** Tokens taken so far that went before the text, being thinking that is not in it. */
    int tokensBeforeText() {
        return thinking.map(Thinking::takenOut).orElse(0);
    }

    /** Text released and not written yet. */
    CharSequence text() {
        return text;
    }

    /** Scores taken and not written yet. */
    List<TokenScore> scores() {
        return scores;
    }

    /** Whether a chunk of it was written before. */
    boolean opened() {
        return opened;
    }

    /** What it thought is now written, and the scores, but not the text. */
    void markReasoningWritten() {
        opened = true;
        thinking.ifPresent(Thinking::markWritten);
        scores.clear();
    }

    /** What was released is now written. */
    void markWritten() {
        written = released;
        opened = true;
        closed = ended();
        text.setLength(0);
        thinking.ifPresent(Thinking::markWritten);
        calls.ifPresent(ToolCalls::markWritten);
        scores.clear();
    }
}
