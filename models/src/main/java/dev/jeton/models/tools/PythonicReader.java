package dev.jeton.models.tools;

import java.util.HashSet;
import java.util.Set;

/**
 * Reads {@code [f(a=1, b="x"), g()]}, or the same in lines without brackets, where arguments are keywords with
 * literals, and makes JSON objects of those. Where no mark goes before, a list is one of calls only if its first is of
 * a function that there is and has keywords or no arguments: an answer may begin a line with a bracket.
 */
final class PythonicReader extends CallReader {

    private enum State {
        /** Before the list. */
        BEFORE,
        /** Before a call. */
        FIRST,
        NAME,
        /** Behind a call's parenthesis or an argument's comma. */
        OPENED,
        KEY,
        /** Behind an argument's name and white space. */
        NAMED,
        VALUE,
        /** Behind a call. */
        BEHIND,
        /** Behind the list, before the mark that ends its frame. */
        CLOSED,
        /** Whatever comes is an argument, up to the mark that ends the frame. */
        MALFORMED
    }

    private final Output out;
    private final ToolSignatures tools;
    private final boolean tagged;
    private final boolean lines;
    private final Literal end;
    private final RawArguments raw;
    private final StringBuilder name = new StringBuilder();
    private final StringBuilder key = new StringBuilder();
    private final Set<String> given = new HashSet<>();
    private PythonLiteral value;
    private boolean begun;
    private boolean doubled;
    private boolean called;
    private State state;

    /** @param tagged whether the mark went before */
    PythonicReader(PythonicFormat format, Output out, ToolSignatures tools, boolean tagged) {
        this.out = out;
        this.tools = tools;
        this.tagged = tagged;
        lines = format.lines();
        state = lines ? State.FIRST : State.BEFORE;
        end = Literal.mark(format, format.end());
        raw = new RawArguments(out, Literal.mark(format, format.end()));
        value = new PythonLiteral(out);
    }

    @Override
    Step take(int unit) {
        return switch (state) {
            case BEFORE -> {
                state = unit == '[' ? State.FIRST : state;
                yield unit == '[' || JsonScanner.space(unit) ? Step.MORE : Step.NOT_MINE;
            }
            case FIRST, NAME -> name(unit);
            case OPENED, KEY, NAMED -> key(unit);
            case VALUE -> value(unit);
            case BEHIND -> behind(unit);
            case CLOSED -> closed(unit);
            case MALFORMED -> raw.take(unit) ? Step.LAST : Step.MORE;
        };
    }

    private static boolean letter(int unit) {
        return unit >= 0 && (Character.isLetterOrDigit(unit) || unit == '_' || unit == '-' || unit == '.');
    }

    private Step name(int unit) {
        if (state == State.FIRST && JsonScanner.space(unit)) {
            return Step.MORE;
        }
        if (state == State.FIRST && called && !letter(unit) && unit != ',') {
            return behind(unit);
        }
        if (letter(unit) && name.length() < MAX_NAME) {
            state = State.NAME;
            name.append((char) unit);
            return Step.MORE;
        }
        boolean callable = unit == '(' && name(name) && (tagged || called || tools.has(name.toString()));
        state = State.OPENED;
        return callable ? Step.MORE : Step.NOT_MINE;
    }

    private Step key(int unit) {
        if (letter(unit) && key.length() < MAX_NAME && state != State.NAMED) {
            state = State.KEY;
            key.append((char) unit);
            return Step.MORE;
        }
        if (JsonScanner.space(unit)) {
            state = state == State.KEY ? State.NAMED : state;
            return Step.MORE;
        }
        if (state == State.OPENED && unit == ')') {
            begin();
            return ended();
        }
        if (state != State.OPENED && unit == '=') {
            begin();
            String named = key.toString();
            out.arguments((given.isEmpty() ? "" : ", ") + JsonText.quoted(named) + ": ");
            doubled |= !given.add(named);
            value = new PythonLiteral(out);
            key.setLength(0);
            state = State.VALUE;
            return Step.MORE;
        }
        if (!begun) {
            return Step.NOT_MINE;
        }
        out.arguments((given.isEmpty() ? "" : ", ") + key);
        state = State.MALFORMED;
        return take(unit);
    }

    private void begin() {
        if (!begun) {
            begun = true;
            called = true;
            out.begin(name.toString());
            out.arguments("{");
        }
    }

    private Step ended() {
        out.arguments("}");
        out.end(doubled ? CallSink.End.MALFORMED : CallSink.End.WHOLE);
        out.frame();
        begun = false;
        doubled = false;
        given.clear();
        name.setLength(0);
        state = State.BEHIND;
        return Step.MORE;
    }

    private Step value(int unit) {
        if (lines && unit < 0) {
            // its end comes as a token, so a string that was left open ends here
            out.arguments(value.pending());
            state = State.MALFORMED;
            return take(unit);
        }
        return switch (value.take(unit)) {
            case MORE -> {
                out.frame();
                yield Step.MORE;
            }
            case ENDED -> {
                if (unit == ')') {
                    yield ended();
                }
                state = unit == ',' ? State.OPENED : State.MALFORMED;
                if (unit != ',') {
                    yield take(unit);
                }
                out.frame();
                yield Step.MORE;
            }
            case BROKEN -> {
                out.arguments(value.pending());
                state = State.MALFORMED;
                yield take(unit);
            }
        };
    }

    private Step behind(int unit) {
        if (unit == ',') {
            state = State.FIRST;
            return Step.MORE;
        }
        if (JsonScanner.space(unit)) {
            return Step.MORE;
        }
        if (lines) {
            state = letter(unit) ? State.FIRST : State.CLOSED;
            return take(unit);
        }
        if (unit == ']') {
            out.frame();
            state = State.CLOSED;
            return tagged ? Step.MORE : Step.LAST;
        }
        return Step.NOT_MINE;
    }

    private Step closed(int unit) {
        int before = end.matched();
        if (breaksOff(unit, before)) {
            return Step.NOT_MINE;
        }
        if (end.take(unit)) {
            return Step.LAST;
        }
        return end.matched() > before || before == 0 && JsonScanner.space(unit) ? Step.MORE : Step.NOT_MINE;
    }

    @Override
    void finish() {
        switch (state) {
            case BEFORE -> {}
            case FIRST, BEHIND, CLOSED -> {
                if (called) {
                    out.frameBefore();
                }
            }
            case NAME -> {}
            case OPENED, KEY, NAMED -> {
                if (begun || key.isEmpty()) {
                    begin();
                    out.arguments(key);
                    out.end(CallSink.End.CUT);
                }
            }
            case VALUE -> {
                out.arguments(value.pending());
                out.end(CallSink.End.CUT);
            }
            case MALFORMED -> raw.finish();
        }
    }
}
