package dev.jeton.server.api;

import dev.jeton.models.tools.CallId;
import dev.jeton.models.tools.CallSink;
import dev.jeton.models.tools.ToolCallParser;
import dev.jeton.models.tools.ToolCallParser.Limit;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ThreadLocalRandom;

/**
 * Tool calls of one continuation: takes them out of its text, and keeps what was not written yet. What belongs to no
 * call goes to the continuation's text. Not thread-safe.
 */
final class ToolCalls implements CallSink {

    /**
     * More of a call.
     *
     * @param index place among the continuation's calls
     * @param first whether the call begins with it: only then it has an id and a name
     * @param id the call's
     * @param name of the function
     * @param arguments more of them
     * @param after how much of the continuation's text that is not written yet goes before it
     */
    record News(int index, boolean first, String id, String name, StringBuilder arguments, int after) {}

    private final ToolUse use;
    private final CallId ids;
    private final StringBuilder text;
    private final ToolCallParser parser;
    private final List<News> news = new ArrayList<>();
    private final List<End> ends = new ArrayList<>();
    private final Set<String> known = new HashSet<>();
    private boolean cut;

    /** @param text where content goes */
    ToolCalls(ToolUse use, StringBuilder text) {
        this.use = use;
        this.text = text;
        ids = use.dialect().format().callId();
        parser = new ToolCallParser(use.dialect().format(), use.tools(), use.bounds(), this);
    }

    /** A token's piece of text as {@link #add} needs it: with what stands for the token, if it is part of a frame. */
    String marked(int token, String piece) {
        return use.marked() ? piece + use.dialect().mark(token) : piece;
    }

    /** Takes the text that is certain now. */
    void add(CharSequence piece) {
        parser.add(piece);
    }

    /** The text has ended. */
    void finish() {
        cut = parser.open();
        parser.finish();
    }

    /** Whether the sequence is to be stopped. */
    boolean full() {
        return parser.limit() != Limit.NONE;
    }

    /** Whether text is held back that may be part of a call. */
    boolean holding() {
        return parser.holding();
    }

    /** How many there were. */
    int count() {
        return parser.calls();
    }

    /**
     * OpenAI's word for why the continuation ended, which has {@linkplain #finish finished}. Calls that a limit or a
     * stop string of the request cut are not to be carried out.
     *
     * @param reason {@code stop} or {@code length}
     * @param byItself whether the model ended it
     */
    String finishReason(String reason, boolean byItself) {
        return switch (parser.limit()) {
            case ENOUGH -> "tool_calls";
            case PASSED -> "length";
            case NONE -> reason.equals("stop") && count() > 0 && (byItself || !cut) ? "tool_calls" : reason;
        };
    }

    /** What is to be written. */
    List<News> news() {
        return news;
    }

    /** All news were written. */
    void markWritten() {
        news.clear();
    }

    /** How many calls ended how. */
    Map<End, Integer> ended() {
        Map<End, Integer> counts = new EnumMap<>(End.class);
        ends.forEach(how -> counts.merge(how, 1, Integer::sum));
        return counts;
    }

    /** How calls ended, those that did, in their order. */
    List<End> ends() {
        return ends;
    }

    @Override
    public void content(CharSequence more) {
        text.append(more);
    }

    @Override
    public void begin(String name, Optional<String> id) {
        news.add(new News(
                count() - 1,
                true,
                id.filter(known::add).orElseGet(() -> next(name)),
                name,
                new StringBuilder(),
                text.length()));
    }

    /** An id that no call of this continuation has. */
    private String next(String name) {
        int number = count() - 1;
        String id = ids.next(ThreadLocalRandom.current(), name, number);
        while (!known.add(id)) {
            id = ids.next(ThreadLocalRandom.current(), name, ++number);
        }
        return id;
    }

    @Override
    public void arguments(CharSequence piece) {
        int index = count() - 1;
        if (news.isEmpty() || news.getLast().index() != index) {
            news.add(new News(index, false, "", "", new StringBuilder(), text.length()));
        }
        news.getLast().arguments().append(piece);
    }

    @Override
    public void end(End how) {
        ends.add(how);
    }
}
