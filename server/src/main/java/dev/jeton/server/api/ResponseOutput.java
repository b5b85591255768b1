package dev.jeton.server.api;

import dev.jeton.models.Tokenizer;
import dev.jeton.models.tools.CallSink;
import dev.jeton.server.json.JsonWriter;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * A response's output: what a choice has to write, as items one after the other. Whether it comes in one piece or in
 * many, the items are the same. A message's content blocks are its items, too. Not thread-safe.
 */
final class ResponseOutput {

    /** One that is whole or was cut. */
    private record Done(OutputItem item, OutputItem.Status status) {}

    private final String response;
    private final Tokenizer tokenizer;
    private final OutputEvents events;
    private final List<Done> done = new ArrayList<>();
    private Optional<OutputItem> open = Optional.empty();
    /** Log-probabilities of tokens whose text was not released yet. */
    private final List<TokenScore> waiting = new ArrayList<>();

    /** How many tokens went before the answer's. */
    private int before;
    /** Of how many tokens the scores wait no more. */
    private int used;
    /** Where the answer's text begins in that of all tokens. */
    private int textAt;
    /** How much of the answer's text, from its beginning on, came from tokens one behind the other. */
    private long scored;
    /** How many have begun. */
    private int calls;

    private int messages;

    /**
     * @param response its id
     * @param events told of what comes
     */
    ResponseOutput(String response, Tokenizer tokenizer, OutputEvents events) {
        this.response = response;
        this.tokenizer = tokenizer;
        this.events = events;
    }

    /** Takes what the choice has that was not written yet; once it has ended, that is the rest. */
    void take(Choice choice) {
        waiting.addAll(choice.scores());
        before = choice.tokensBeforeText();
        scored = choice.contiguousText();
        CharSequence text = choice.text();
        int from = 0;
        List<Thinking.News> thoughts = choice.thoughts();
        int thought = 0;
        List<ToolCalls.News> news = choice.calls().map(ToolCalls::news).orElse(List.of());
        List<CallSink.End> ends = choice.calls().map(ToolCalls::ends).orElse(List.of());
        for (ToolCalls.News piece : news) {
            while (thought < thoughts.size() && goesBefore(thoughts.get(thought), piece)) {
                from = reasoning(thoughts.get(thought++), text, from, ends);
            }
            text(text.subSequence(from, piece.after()), ends);
            from = piece.after();
            call(piece, ends);
        }
        while (thought < thoughts.size()) {
            from = reasoning(thoughts.get(thought++), text, from, ends);
        }
        text(text.subSequence(from, text.length()), ends);
        endCall(ends);
        if (choice.ended()) {
            finish(
                    choice.finishReason().equals("length"),
                    choice.reasoningTokens().orElse(0) > 0);
        }
    }

    private static boolean goesBefore(Thinking.News thought, ToolCalls.News call) {
        return thought.after() < call.after() || thought.after() == call.after() && thought.calls() <= call.index();
    }

    private int next() {
        return done.size();
    }

    private void begin(OutputItem item) {
        open = Optional.of(item);
        events.added(item);
    }

    private void end(OutputItem.Status status) {
        open.ifPresent(item -> {
            done.add(new Done(item, status));
            events.done(item, status);
        });
        open = Optional.empty();
    }

    private void text(CharSequence given, List<CallSink.End> ends) {
        boolean begins = open.filter(OutputItem.Message.class::isInstance).isEmpty();
        CharSequence more = begins ? beginning(given) : given;
        if (more.isEmpty()) {
            return;
        }
        endCall(ends);
        OutputItem.Message message = message();
        message.text().append(more);
        List<TokenScore> scores = scores(message);
        message.scores().addAll(scores);
        events.grown(message, more, scores);
    }

    /** What parts an item from one before it is not told: they are apart. */
    private CharSequence beginning(CharSequence text) {
        int from = 0;
        boolean first = open.isEmpty() && done.isEmpty();
        while (!first && from < text.length() && text.charAt(from) == '\n') {
            from++;
        }
        return text.subSequence(from, text.length());
    }

    /** Takes the text before more of the thinking, and that; how far the text is then. */
    private int reasoning(Thinking.News news, CharSequence text, int from, List<CallSink.End> ends) {
        text(text.subSequence(from, news.after()), ends);
        boolean begins = open.filter(OutputItem.Reasoning.class::isInstance).isEmpty();
        CharSequence more = begins ? beginning(news.text()) : news.text();
        if (more.isEmpty()) {
            return news.after();
        }
        if (begins) {
            endCall(ends);
            end(OutputItem.Status.COMPLETED);
            begin(new OutputItem.Reasoning(
                    ResponseIds.item("rs", response, Integer.toString(next())), next(), new StringBuilder()));
        }
        open.ifPresent(item -> {
            item.text().append(more);
            events.grown(item, more, List.of());
        });
        return news.after();
    }

    private OutputItem.Message message() {
        if (open.isPresent() && open.get() instanceof OutputItem.Message message) {
            return message;
        }
        end(OutputItem.Status.COMPLETED);
        OutputItem.Message message = new OutputItem.Message(
                ResponseIds.item("msg", response, Integer.toString(next())),
                next(),
                new StringBuilder(),
                new ArrayList<>());
        begin(message);
        messages++;
        return message;
    }

    /** Only of the first text, and that no call went before, is it known which tokens it came from. */
    private List<TokenScore> scores(OutputItem.Message message) {
        if (calls > 0 || messages > 1) {
            return List.of();
        }
        skipThinking(message);
        int count = 0;
        long most = Math.min(message.text().length(), scored);
        while (count < waiting.size() && waiting.get(count).offset() - textAt < most) {
            count++;
        }
        return use(count);
    }

    /** Thinking is before the text, and so are the line breaks after it. */
    private void skipThinking(OutputItem.Message message) {
        if (before == 0 || !message.scores().isEmpty()) {
            return;
        }
        use(Math.min(before - used, waiting.size()));
        while (!waiting.isEmpty()
                && TokenText.of(tokenizer, waiting.getFirst().token()).text().isBlank()
                && !Character.isWhitespace(message.text().charAt(0))) {
            use(1);
        }
        textAt = waiting.isEmpty() ? textAt : waiting.getFirst().offset();
    }

    private List<TokenScore> use(int count) {
        List<TokenScore> first = List.copyOf(waiting.subList(0, Math.max(0, count)));
        waiting.subList(0, first.size()).clear();
        used += first.size();
        return first;
    }

    private void call(ToolCalls.News piece, List<CallSink.End> ends) {
        if (piece.first()) {
            endCall(ends);
            end(OutputItem.Status.COMPLETED);
            begin(new OutputItem.Call(
                    ResponseIds.item("fc", response, Integer.toString(next())),
                    next(),
                    new StringBuilder(),
                    piece.id(),
                    piece.name()));
            calls++;
        }
        open.filter(item -> !piece.arguments().isEmpty()).ifPresent(item -> {
            item.text().append(piece.arguments());
            events.grown(item, piece.arguments(), List.of());
        });
    }

    /** Closes the open call, if it has ended: clients carry it out at once. */
    private void endCall(List<CallSink.End> ends) {
        if (open.isPresent() && open.get() instanceof OutputItem.Call && ends.size() >= calls) {
            end(ends.get(calls - 1) == CallSink.End.CUT ? OutputItem.Status.INCOMPLETE : OutputItem.Status.COMPLETED);
        }
    }

    /**
     * @param cut whether a limit ended it
     * @param thought whether there was thinking, shown or not
     */
    private void finish(boolean cut, boolean thought) {
        if (open.isEmpty() && done.isEmpty() && !thought) {
            message();
        }
        end(cut ? OutputItem.Status.INCOMPLETE : OutputItem.Status.COMPLETED);
    }

    /**
     * Writes the items as a conversation goes on from them: without log-probabilities, which are many times the text.
     */
    void writeTurn(JsonWriter out) {
        out.beginArray();
        for (Done part : done) {
            OutputItem item = part.item() instanceof OutputItem.Message message
                    ? new OutputItem.Message(message.id(), message.index(), message.text(), List.of())
                    : part.item();
            OutputItem.write(out, item, part.status(), tokenizer);
        }
        out.endArray();
    }

    /** The items that are done. */
    List<OutputItem> items() {
        return done.stream().map(Done::item).toList();
    }

    /** Writes the items, one that is open as far as it has come. */
    void write(JsonWriter out) {
        out.beginArray();
        done.forEach(item -> OutputItem.write(out, item.item(), item.status(), tokenizer));
        open.ifPresent(item -> OutputItem.write(out, item, OutputItem.Status.INCOMPLETE, tokenizer));
        out.endArray();
    }
}
