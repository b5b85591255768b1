package dev.jeton.models.tools;

import dev.jeton.models.tools.CallSink.End;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Takes tool calls out of one answer's text as it comes. What it tells is the same however the text was cut into
 * pieces, pieces of content and arguments aside, which follow the text's.
 *
 * <p>Text is held back only while it could be a frame's beginning, or a frame whose call is not certain yet. A call is
 * certain as soon as its name is known and its arguments begin; from then on arguments go out as they come. What turns
 * out to be no call is content, to the letter. Arguments that turn out to be no JSON stay arguments, up to what ends
 * the call: they were told already, and who called the model can show it what it wrote. White space between content and
 * calls is the frames', so content that goes with calls neither begins nor ends with any.
 *
 * <p>Every character is looked at once, and what was taken for a frame in vain is not searched again: time is linear in
 * the text. Not thread-safe.
 */
public final class ToolCallParser {

    /** Whether the answer is to end here. */
    public enum Limit {
        /** It may go on. */
        NONE,
        /** It has the one call that was asked for. */
        ENOUGH,
        /** It has more calls than may be, or a longer one: nothing more is told. */
        PASSED
    }

    /**
     * Bounds of one answer.
     *
     * @param calls most calls
     * @param bytes most bytes of one, its frame included
     * @param one whether it is to end with its first call
     */
    public record Bounds(int calls, int bytes, boolean one) {}

    private final ToolFormat format;
    private final ToolSignatures tools;
    private final Bounds bounds;
    private final CallSink sink;
    private final Frame frame = new Frame();
    private final List<Literal> begins;
    private final StringBuilder content = new StringBuilder();
    /** White space in the text whose place is not known: within content, or beside a call. */
    private final StringBuilder space = new StringBuilder();

    private boolean seenText;
    /** Whether the line has had nothing but white space. */
    private boolean blankLine = true;

    private int backticks;
    private boolean fenced;
    private boolean afterHighSurrogate;
    private Limit limit = Limit.NONE;

    /** @param tools that may be called */
    public ToolCallParser(ToolFormat format, ToolSignatures tools, Bounds bounds, CallSink sink) {
        this.format = format;
        this.tools = tools;
        this.bounds = bounds;
        this.sink = sink;
        this.begins =
                format.begins().stream().map(text -> Literal.mark(format, text)).toList();
    }

    /** Whether the answer is to end here. */
    public Limit limit() {
        return limit;
    }

    /** Calls told so far. */
    public int calls() {
        return frame.calls;
    }

    /** Whether a call is open. */
    public boolean open() {
        return frame.open;
    }

    /** Whether something of the text is held back. */
    public boolean holding() {
        return frame.inside() ? !frame.told : !space.isEmpty() || partial() > 0;
    }

    /** Takes the next piece, with {@linkplain ToolDialect#mark marks} where the frames' special tokens stand. */
    public void add(CharSequence piece) {
        for (int i = 0; i < piece.length() && limit == Limit.NONE; i++) {
            char c = piece.charAt(i);
            int unit = Marks.unit(c, afterHighSurrogate);
            afterHighSurrogate = Character.isHighSurrogate(c);
            take(unit);
        }
        flush();
    }

    /** The text has ended: what was held back is content, and a call that is open ends. */
    public void finish() {
        if (limit != Limit.NONE) {
            frame.cut();
            return;
        }
        CallReader reader = frame.reader;
        if (reader != null) {
            frame.finish(reader);
        }
        text(longestPartial());
        if (frame.calls == 0) {
            content.append(space);
        }
        space.setLength(0);
        flush();
    }

    private void take(int unit) {
        CallReader reader = frame.reader;
        if (reader == null || !frame.take(reader, unit)) {
            outside(unit);
        }
    }

    private void outside(int unit) {
        if (unit < 0) {
            text(longestPartial());
            begins.forEach(Literal::reset);
        }
        CharSequence partial = longestPartial();
        int before = partial.length();
        for (int i = 0; i < begins.size(); i++) {
            if (begins.get(i).take(unit)) {
                frame.enter(i, unit < 0 ? "" : format.begins().get(i));
                return;
            }
        }
        int now = partial();
        if (now > before) {
            return;
        }
        text(partial);
        if (now > 0 || unit < 0) {
            return;
        }
        if (unit == format.bareBegin() && blankLine && !fenced) {
            frame.enterUntagged();
            take(unit);
        } else {
            text((char) unit);
        }
    }

    private int partial() {
        int longest = 0;
        for (Literal begin : begins) {
            longest = Math.max(longest, begin.matched());
        }
        return longest;
    }

    private CharSequence longestPartial() {
        CharSequence longest = "";
        for (Literal begin : begins) {
            longest = begin.matched() > longest.length() ? begin.part() : longest;
        }
        return longest;
    }

    private void text(CharSequence text) {
        for (int i = 0; i < text.length(); i++) {
            text(text.charAt(i));
        }
    }

    private void text(char c) {
        place(c);
        if (JsonScanner.space(c)) {
            if (seenText || frame.calls == 0) {
                space.append(c);
            }
            return;
        }
        content.append(space).append(c);
        space.setLength(0);
        seenText = true;
    }

    /** Keeps track of lines and of code in fences. */
    private void place(char c) {
        blankLine = c == '\n' || blankLine && JsonScanner.space(c);
        backticks = c == '`' ? backticks + 1 : 0;
        fenced ^= backticks == 3;
    }

    private void flush() {
        frame.flush();
        if (!content.isEmpty()) {
            sink.content(content);
            content.setLength(0);
        }
    }

    /** The frame that is being read, if any, and the call that is open in it. */
    private final class Frame implements CallReader.Output {

        private @Nullable CallReader reader;
        private final StringBuilder held = new StringBuilder();
        private final StringBuilder arguments = new StringBuilder();
        private int calls;
        private int callsBefore;
        private boolean open;
        private long bytes;
        /** Whether the unit at hand is no text, whatever becomes of the frame. */
        private boolean settled;
        /** Whether the last unit went straight into arguments. */
        private boolean told;

        boolean inside() {
            return reader != null;
        }

        /**
         * A frame has begun.
         *
         * @param which of the format's beginnings
         * @param text of it that is content if it is none
         */
        void enter(int which, String text) {
            begin(CallReader.of(format, which, this, tools), text);
        }

        void enterUntagged() {
            begin(CallReader.of(format, CallReader.BARE, this, tools), "");
        }

        private void begin(CallReader next, String text) {
            reader = next;
            held.setLength(0);
            held.append(text);
            bytes = 0;
            callsBefore = calls;
            told = false;
        }

        /** Takes a unit; false where it is none of the frame's, which has ended. */
        boolean take(CallReader current, int unit) {
            settled = false;
            told = false;
            bytes += unit < 0 ? 0 : unit < 0x80 ? 1 : unit < 0x800 || Character.isSurrogate((char) unit) ? 2 : 3;
            if (bytes > bounds.bytes()) {
                return tooLong();
            }
            switch (current.take(unit)) {
                case MORE -> {
                    if (!settled && unit >= 0) {
                        held.append((char) unit);
                    }
                }
                case LAST -> {
                    reader = null;
                    if (calls == callsBefore) {
                        text(held);
                        text(unit < 0 ? "" : String.valueOf((char) unit));
                    }
                }
                case NOT_MINE -> {
                    giveBack();
                    return false;
                }
            }
            return true;
        }

        /** What is certain to be a call ends the answer; anything else is content. */
        private boolean tooLong() {
            if (open) {
                limit = Limit.PASSED;
                return true;
            }
            giveBack();
            return false;
        }

        /** The frame is over, or was none. What it took for its own end may be another frame's beginning. */
        private void giveBack() {
            reader = null;
            int from = held.length();
            for (Literal begin : begins) {
                from = Math.min(from, held.length() - begin.begunAtEndOf(held));
            }
            text(held.subSequence(0, from));
            for (int i = from; i < held.length(); i++) {
                outside(held.charAt(i));
            }
        }

        /** The text has ended. */
        void finish(CallReader current) {
            boolean wasOpen = open;
            current.finish();
            reader = null;
            if (!wasOpen) {
                text(held);
            }
        }

        /** Nothing more is told. */
        void cut() {
            reader = null;
            if (open) {
                told(End.CUT);
            }
        }

        @Override
        public void begin(String name, Optional<String> id) {
            if (limit != Limit.NONE) {
                return;
            }
            if (calls == bounds.calls()) {
                limit = Limit.PASSED;
                return;
            }
            calls++;
            if (!seenText) {
                space.setLength(0);
            }
            ToolCallParser.this.flush();
            sink.begin(name, id);
            open = true;
            frame();
        }

        @Override
        public void arguments(CharSequence piece) {
            if (open) {
                arguments.append(piece);
                settled = true;
                told = true;
            }
        }

        @Override
        public void arguments(char c) {
            if (open) {
                arguments.append(c);
                settled = true;
                told = true;
            }
        }

        @Override
        public void end(End how) {
            if (open && limit == Limit.NONE) {
                told(how);
                bytes = 0;
                limit = bounds.one() ? Limit.ENOUGH : Limit.NONE;
            }
        }

        private void told(End how) {
            flush();
            open = false;
            told = false;
            sink.end(how);
        }

        void flush() {
            if (!arguments.isEmpty()) {
                sink.arguments(arguments);
                arguments.setLength(0);
            }
        }

        @Override
        public void frameBefore() {
            held.setLength(0);
        }

        @Override
        public void frame() {
            held.setLength(0);
            settled = true;
        }
    }
}
