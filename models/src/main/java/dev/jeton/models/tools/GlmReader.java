package dev.jeton.models.tools;

import java.util.HashSet;
import java.util.Set;

/**
 * Reads a function's name, any number of {@code <arg_key>name</arg_key><arg_value>value</arg_value>} and
 * {@code </tool_call>}, with white space between or not, and makes a JSON object of the arguments. What a value is in
 * JSON, the function's schema says ({@link ToolSignatures}); a string is the text between its marks, to the letter. A
 * name without arguments is a call only of a function that there is.
 */
final class GlmReader extends CallReader {

    private enum State {
        NAME,
        /** Behind the name, or behind a value. */
        BETWEEN,
        KEY,
        /** Behind an argument's name. */
        BEFORE_VALUE,
        VALUE
    }

    private final Output out;
    private final ToolSignatures tools;
    private final Literal keyBegin;
    private final Literal keyEnd;
    private final Literal valueBegin;
    private final Literal valueEnd;
    private final Literal frameEnd;
    private final StringBuilder name = new StringBuilder();
    private final StringBuilder key = new StringBuilder();
    private final Set<String> given = new HashSet<>();
    private ParameterText value;
    private boolean begun;
    private boolean doubled;
    private State state = State.NAME;

    GlmReader(GlmFormat format, Output out, ToolSignatures tools) {
        this.out = out;
        this.tools = tools;
        keyBegin = Literal.mark(format, GlmFormat.KEY);
        keyEnd = Literal.mark(format, GlmFormat.KEY_END);
        valueBegin = Literal.mark(format, GlmFormat.VALUE);
        valueEnd = Literal.mark(format, GlmFormat.VALUE_END);
        frameEnd = Literal.mark(format, GlmFormat.END);
        value = new ParameterText(ToolSignatures.Kind.VALUE, false, out);
    }

    @Override
    Step take(int unit) {
        return switch (state) {
            case NAME -> name(unit);
            case BETWEEN -> between(unit);
            case KEY -> key(unit);
            case BEFORE_VALUE -> beforeValue(unit);
            case VALUE -> value(unit);
        };
    }

    private Step name(int unit) {
        if (plain(unit) && name.length() < MAX_NAME) {
            name.append((char) unit);
            return Step.MORE;
        }
        if (name.isEmpty()) {
            return JsonScanner.space(unit) ? Step.MORE : Step.NOT_MINE;
        }
        state = State.BETWEEN;
        return between(unit);
    }

    private Step between(int unit) {
        int before = matched(keyBegin, frameEnd);
        if (breaksOff(unit, before)) {
            return broken();
        }
        if (keyBegin.take(unit)) {
            begin();
            key.setLength(0);
            state = State.KEY;
            return Step.MORE;
        }
        if (frameEnd.take(unit)) {
            if (!begun && !tools.has(name.toString())) {
                return Step.NOT_MINE;
            }
            begin();
            end(doubled ? CallSink.End.MALFORMED : CallSink.End.WHOLE);
            return Step.LAST;
        }
        boolean goesOn = matched(keyBegin, frameEnd) > before || before == 0 && JsonScanner.space(unit);
        return goesOn ? Step.MORE : broken();
    }

    private void begin() {
        if (!begun) {
            begun = true;
            out.begin(name.toString());
            out.arguments("{");
        }
    }

    private void end(CallSink.End how) {
        out.arguments("}");
        out.end(how);
    }

    /** Whatever this is, it is no argument: it is given back as text. */
    private Step broken() {
        if (begun) {
            end(CallSink.End.MALFORMED);
        }
        return Step.NOT_MINE;
    }

    private Step key(int unit) {
        int before = keyEnd.matched();
        if (breaksOff(unit, before)) {
            return broken();
        }
        if (keyEnd.take(unit)) {
            state = State.BEFORE_VALUE;
            return key.isEmpty() ? broken() : Step.MORE;
        }
        if (keyEnd.matched() > before) {
            return Step.MORE;
        }
        if (before > 0 || !plain(unit) || key.length() == MAX_NAME) {
            return broken();
        }
        key.append((char) unit);
        return Step.MORE;
    }

    private Step beforeValue(int unit) {
        int before = valueBegin.matched();
        if (breaksOff(unit, before)) {
            return broken();
        }
        if (valueBegin.take(unit)) {
            String named = key.toString();
            out.arguments(separator() + JsonText.quoted(named) + ": ");
            out.frame();
            doubled |= !given.add(named);
            value = new ParameterText(tools.kind(name.toString(), named), false, out);
            state = State.VALUE;
            return Step.MORE;
        }
        boolean goesOn = valueBegin.matched() > before || before == 0 && JsonScanner.space(unit);
        return goesOn ? Step.MORE : broken();
    }

    private String separator() {
        return given.isEmpty() ? "" : ", ";
    }

    private Step value(int unit) {
        CharSequence held = valueEnd.part();
        boolean ended = valueEnd.take(unit);
        if (unit < 0 || valueEnd.matched() <= held.length()) {
            value.add(unit >= 0 && ended ? "" : held);
        }
        if (ended) {
            value.end();
            out.frame();
            state = State.BETWEEN;
            return Step.MORE;
        }
        if (unit < 0) {
            // no value has the frame's end as a token of its own; what else is one is dropped
            return frameEnd.take(unit) ? brokenOff() : Step.MORE;
        }
        if (valueEnd.matched() == 0) {
            value.add((char) unit);
        }
        return Step.MORE;
    }

    private Step brokenOff() {
        value.end();
        end(CallSink.End.MALFORMED);
        return Step.LAST;
    }

    @Override
    void finish() {
        switch (state) {
            case NAME, BETWEEN -> {
                if (begun || tools.has(name.toString())) {
                    begin();
                    out.end(CallSink.End.CUT);
                }
            }
            case KEY, BEFORE_VALUE -> {
                out.arguments(separator() + JsonText.quoted(key));
                out.end(CallSink.End.CUT);
            }
            case VALUE -> {
                value.add(valueEnd.part());
                value.cut();
                out.end(CallSink.End.CUT);
            }
        }
    }
}
