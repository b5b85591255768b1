package dev.jeton.models.tools;

/**
 * Reads DeepSeek's calls, each within {@code <｜tool▁call▁begin｜>} and {@code <｜tool▁call▁end｜>}: up to V3 and R1
 * {@code function<｜tool▁sep｜>name}, a line's end and the arguments in a fence of {@code json}, since V3.1
 * {@code name<｜tool▁sep｜>arguments}. Which of both it is, the text says.
 */
final class DeepSeekReader extends CallReader {

    private static final int MAX_FENCE = 16;
    /** The one kind of call that there is. */
    private static final String KIND = "function";

    private enum State {
        /** Before a call, or behind one. */
        BETWEEN,
        FIRST,
        BEHIND_SEPARATOR,
        NAME,
        FENCE,
        ARGUMENTS,
        /** The call has ended, its frame not. */
        BEHIND,
        /** Whatever comes is an argument, up to the call's end. */
        MALFORMED
    }

    private final Output out;
    private final Literal callBegin;
    private final Literal callsEnd;
    private final Literal separator;
    private final Literal callEnd;
    private final DeepSeekFormat format;
    private final StringBuilder name = new StringBuilder();
    private JsonScanner arguments = new JsonScanner();
    private RawArguments raw;
    private boolean called;
    private int fence;
    private State state;

    /** @param within whether a call has begun, and not only the calls */
    DeepSeekReader(DeepSeekFormat format, Output out, boolean within) {
        this.format = format;
        this.out = out;
        callBegin = Literal.mark(format, DeepSeekFormat.CALL_BEGIN);
        callsEnd = Literal.mark(format, DeepSeekFormat.CALLS_END);
        separator = Literal.mark(format, DeepSeekFormat.SEPARATOR);
        callEnd = Literal.mark(format, DeepSeekFormat.CALL_END);
        raw = raw();
        state = within ? State.FIRST : State.BETWEEN;
    }

    private RawArguments raw() {
        return new RawArguments(out, Literal.mark(format, DeepSeekFormat.CALL_END));
    }

    @Override
    Step take(int unit) {
        return switch (state) {
            case BETWEEN -> between(unit);
            case FIRST -> first(unit);
            case BEHIND_SEPARATOR -> behindSeparator(unit);
            case NAME -> name(unit);
            case FENCE -> fence(unit);
            case ARGUMENTS -> arguments(unit);
            case BEHIND -> behind(unit);
            case MALFORMED -> {
                if (raw.take(unit)) {
                    nextCall();
                }
                yield Step.MORE;
            }
        };
    }

    private Step between(int unit) {
        int before = matched(callBegin, callsEnd);
        if (breaksOff(unit, before)) {
            return Step.NOT_MINE;
        }
        if (callBegin.take(unit)) {
            state = State.FIRST;
            return Step.MORE;
        }
        if (callsEnd.take(unit)) {
            return Step.LAST;
        }
        boolean goesOn = matched(callBegin, callsEnd) > before || before == 0 && JsonScanner.space(unit);
        return goesOn ? Step.MORE : Step.NOT_MINE;
    }

    /** The kind of call up to V3, the name since V3.1. */
    private Step first(int unit) {
        int before = separator.matched();
        if (breaksOff(unit, before)) {
            return Step.NOT_MINE;
        }
        if (separator.take(unit)) {
            state = State.BEHIND_SEPARATOR;
            return Step.MORE;
        }
        return separator.matched() > before ? Step.MORE : before > 0 ? Step.NOT_MINE : named(unit);
    }

    private Step named(int unit) {
        if (unit <= ' ' || unit == '<' || name.length() == MAX_NAME) {
            return Step.NOT_MINE;
        }
        name.append((char) unit);
        return Step.MORE;
    }

    private Step behindSeparator(int unit) {
        if (JsonScanner.space(unit)) {
            return Step.MORE;
        }
        if (unit == '{') {
            return beginArguments();
        }
        if (!KIND.contentEquals(name)) {
            return Step.NOT_MINE;
        }
        name.setLength(0);
        state = State.NAME;
        return named(unit);
    }

    private Step name(int unit) {
        if (unit == '\n' || unit == '\r') {
            state = State.FENCE;
            return Step.MORE;
        }
        return named(unit);
    }

    private Step fence(int unit) {
        if (unit == '{') {
            return beginArguments();
        }
        return unit >= 0 && "`json \n\r".indexOf(unit) >= 0 && ++fence <= MAX_FENCE ? Step.MORE : Step.NOT_MINE;
    }

    private Step beginArguments() {
        if (!name(name)) {
            return Step.NOT_MINE;
        }
        out.begin(name.toString());
        called = true;
        state = State.ARGUMENTS;
        return arguments('{');
    }

    private Step arguments(int unit) {
        if (unit < 0 || !arguments.take((char) unit)) {
            state = State.MALFORMED;
            return take(unit);
        }
        out.arguments((char) unit);
        if (arguments.depth() == 0) {
            out.end(CallSink.End.WHOLE);
            fence = 0;
            state = State.BEHIND;
        }
        return Step.MORE;
    }

    /** Models now and then forget a call's end. */
    private Step behind(int unit) {
        int before = Math.max(callEnd.matched(), matched(callBegin, callsEnd));
        if (breaksOff(unit, before)) {
            return Step.NOT_MINE;
        }
        if (callEnd.take(unit)) {
            out.frame();
            nextCall();
            return Step.MORE;
        }
        if (callBegin.take(unit)) {
            out.frame();
            nextCall();
            state = State.FIRST;
            return Step.MORE;
        }
        if (callsEnd.take(unit)) {
            return Step.LAST;
        }
        boolean fenced = unit == '`' && ++fence <= MAX_FENCE;
        boolean goesOn = Math.max(callEnd.matched(), matched(callBegin, callsEnd)) > before
                || before == 0 && (fenced || JsonScanner.space(unit));
        return goesOn ? Step.MORE : Step.NOT_MINE;
    }

    private void nextCall() {
        name.setLength(0);
        arguments = new JsonScanner();
        raw = raw();
        fence = 0;
        state = State.BETWEEN;
    }

    @Override
    void finish() {
        switch (state) {
            case FIRST, BEHIND_SEPARATOR, NAME, FENCE -> {}
            case BETWEEN -> {
                if (called) {
                    out.frameBefore();
                }
            }
            case BEHIND -> out.frameBefore();
            case ARGUMENTS -> out.end(CallSink.End.CUT);
            case MALFORMED -> raw.finish();
        }
    }
}
