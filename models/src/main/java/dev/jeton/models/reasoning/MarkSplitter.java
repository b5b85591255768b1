package dev.jeton.models.reasoning;

import dev.jeton.models.reasoning.ReasoningFormat.Opening;

/**
 * Parts thinking from the answer by the two marks around it: what could be part of one is held back. Looks at each
 * character once, but for the few that could have begun the first mark.
 *
 * <p>Marks are taken out, and with them the newlines that models write around them: thinking neither begins nor ends
 * with one, and the answer after it does not begin with one. Thinking comes first and once; a mark in the answer is
 * answer. Characters that stand for other tokens (see {@link ReasoningDialect}) stay in the answer and are dropped from
 * the thinking. Not thread-safe.
 */
final class MarkSplitter implements ReasoningSplitter {

    private enum State {
        /** At the beginning, where the mark may be, after spaces. */
        BEGINNING,
        THINKING,
        /** The thinking has ended, and nothing of the answer was seen but newlines. */
        BETWEEN,
        ANSWERING
    }

    private final String begin;
    private final String end;
    private final boolean thinksUnlessTold;
    private final boolean verbatim;
    private final StringBuilder thinking;
    private final StringBuilder answer;
    private final StringBuilder held = new StringBuilder();
    private State state;
    private int matched;
    private int newlines;
    private boolean anyThought;
    private boolean afterHigh;

    /**
     * Splits one answer.
     *
     * @param opening what it begins with
     * @param verbatim whether the marks stay, and the newlines around them
     * @param thinking where thinking goes
     * @param answer where the answer goes
     */
    MarkSplitter(
            ReasoningFormat format, Opening opening, boolean verbatim, StringBuilder thinking, StringBuilder answer) {
        begin = format.begin();
        end = format.end();
        thinksUnlessTold = opening == Opening.THINKING;
        this.verbatim = verbatim;
        this.thinking = thinking;
        this.answer = answer;
        state = opening == Opening.ANSWERING ? State.BETWEEN : State.BEGINNING;
    }

    @Override
    public boolean thinking() {
        return state == State.THINKING || state == State.BEGINNING && thinksUnlessTold;
    }

    @Override
    public boolean beginning() {
        return state == State.BEGINNING;
    }

    @Override
    public boolean answering() {
        return state == State.ANSWERING;
    }

    @Override
    public boolean holding() {
        return !held.isEmpty() || matched > 0 || newlines > 0;
    }

    @Override
    public void add(CharSequence piece) {
        for (int i = 0; i < piece.length(); i++) {
            char next = piece.charAt(i);
            boolean mark = Character.isLowSurrogate(next) && !afterHigh;
            afterHigh = Character.isHighSurrogate(next);
            if (mark) {
                mark(next);
            } else {
                take(next);
            }
        }
    }

    @Override
    public void finish() {
        if (state == State.BEGINNING) {
            settle();
        }
        if (state == State.THINKING) {
            unmatched();
            if (verbatim) {
                breaks();
            }
            newlines = 0;
        }
    }

    private void take(char next) {
        switch (state) {
            case BEGINNING -> begin(next);
            case THINKING -> think(next);
            case BETWEEN -> {
                if (next != '\n' || verbatim) {
                    state = State.ANSWERING;
                    answer.append(next);
                }
            }
            case ANSWERING -> answer.append(next);
        }
    }

    private void mark(char mark) {
        switch (mark) {
            case ReasoningDialect.BEGIN -> {
                if (state == State.BEGINNING) {
                    begun();
                }
            }
            case ReasoningDialect.END -> {
                if (state == State.BEGINNING) {
                    settle();
                }
                if (state == State.THINKING) {
                    unmatched();
                    ended();
                }
            }
            default -> {
                if (state == State.BEGINNING && !thinksUnlessTold) {
                    settle();
                }
                if (state == State.BETWEEN || state == State.ANSWERING) {
                    state = State.ANSWERING;
                    answer.append(mark);
                }
            }
        }
    }

    private void begin(char next) {
        held.append(next);
        if (next == begin.charAt(matched)) {
            if (++matched == begin.length()) {
                held.setLength(held.length() - matched);
                begun();
            }
        } else if (matched > 0 || !Character.isWhitespace(next)) {
            settle();
        }
    }

    private void begun() {
        state = State.THINKING;
        matched = 0;
        if (verbatim) {
            thinking.append(held).append(begin);
        }
        held.setLength(0);
    }

    /** There is no mark at the beginning. */
    private void settle() {
        state = thinksUnlessTold ? State.THINKING : State.ANSWERING;
        matched = 0;
        for (int i = 0; i < held.length(); i++) {
            take(held.charAt(i));
        }
        held.setLength(0);
    }

    private void think(char next) {
        if (next == end.charAt(matched)) {
            if (++matched == end.length()) {
                ended();
            }
            return;
        }
        unmatched();
        if (next == end.charAt(0)) {
            matched = 1;
        } else if (next == '\n') {
            newlines++;
        } else {
            thought(next);
        }
    }

    /** What could have been the beginning of the mark is thinking. */
    private void unmatched() {
        for (int i = 0; i < matched; i++) {
            thought(end.charAt(i));
        }
        matched = 0;
    }

    private void thought(char next) {
        breaks();
        thinking.append(next);
        anyThought = true;
    }

    private void breaks() {
        if (anyThought || verbatim) {
            thinking.repeat('\n', newlines);
        }
        newlines = 0;
    }

    private void ended() {
        state = State.BETWEEN;
        matched = 0;
        if (verbatim) {
            breaks();
            thinking.append(end);
        }
        newlines = 0;
    }
}
