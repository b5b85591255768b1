package dev.jeton.models.tools;

import java.util.Optional;

/**
 * Reads a section of calls, each within marks of its own, with another one behind its name. DeepSeek's calls are up to
 * V3 and R1 {@code function<｜tool▁sep｜>name}, a line's end and the arguments in a fence of {@code json}, since V3.1
 * {@code name<｜tool▁sep｜>arguments}; which of both it is, the text says. Kimi's are
 * {@code functions.name:0<|tool_call_argument_begin|>arguments}.
 */
final class SectionReader extends CallReader {

    private static final int MAX_FENCE = 16;
    /** The one kind of call that there is. */
    private static final String KIND = "function";

    /**
     * What the marks of a section are.
     *
     * @param callsEnd ends the section
     * @param separator behind a call's name
     * @param numbered whether names are ids with a number
     */
    private record Section(String callsEnd, String callBegin, String callEnd, String separator, boolean numbered) {}

    private static final Section DEEPSEEK = new Section(
            DeepSeekFormat.CALLS_END,
            DeepSeekFormat.CALL_BEGIN,
            DeepSeekFormat.CALL_END,
            DeepSeekFormat.SEPARATOR,
            false);
    private static final Section KIMI =
            new Section(KimiFormat.CALLS_END, KimiFormat.CALL_BEGIN, KimiFormat.CALL_END, KimiFormat.ARGUMENTS, true);

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
    private final ToolFormat format;
    private final Section section;
    private final StringBuilder name = new StringBuilder();
    private JsonScanner arguments = new JsonScanner();
    private RawArguments raw;
    private boolean called;
    /** Whether white space came behind the name. */
    private boolean spaced;

    private int fence;
    private State state;

    /** @param within whether a call has begun, and not only the calls */
    SectionReader(DeepSeekFormat format, Output out, boolean within) {
        this(format, DEEPSEEK, out, within);
    }

    /** @param within as above */
    SectionReader(KimiFormat format, Output out, boolean within) {
        this(format, KIMI, out, within);
    }

    private SectionReader(ToolFormat format, Section section, Output out, boolean within) {
        this.format = format;
        this.section = section;
        this.out = out;
        callBegin = Literal.mark(format, section.callBegin);
        callsEnd = Literal.mark(format, section.callsEnd);
        separator = Literal.mark(format, section.separator);
        callEnd = Literal.mark(format, section.callEnd);
        raw = raw();
        state = within ? State.FIRST : State.BETWEEN;
    }

    private RawArguments raw() {
        return new RawArguments(out, Literal.mark(format, section.callEnd));
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

    /** DeepSeek's kind of call up to V3; the name, or Kimi's id. */
    private Step first(int unit) {
        int before = separator.matched();
        if (breaksOff(unit, before)) {
            return Step.NOT_MINE;
        }
        if (separator.take(unit)) {
            state = State.BEHIND_SEPARATOR;
            return Step.MORE;
        }
        if (separator.matched() > before) {
            return Step.MORE;
        }
        if (section.numbered && JsonScanner.space(unit)) {
            spaced = !name.isEmpty();
            return before > 0 ? Step.NOT_MINE : Step.MORE;
        }
        return before > 0 || spaced ? Step.NOT_MINE : named(unit);
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
        if (section.numbered || !KIND.contentEquals(name)) {
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
        String function = section.numbered ? CallId.function(name.toString()) : name.toString();
        if (!name(function)) {
            return Step.NOT_MINE;
        }
        out.begin(function, Optional.of(name.toString()).filter(CallId.NUMBERED::made));
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
        spaced = false;
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
