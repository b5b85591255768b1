package dev.jeton.models.tools;

import java.util.HashSet;
import java.util.Set;

/**
 * Reads a function's tag, any number of parameters, each a value between tags, and the ends of the function and of the
 * frame, of which either may be missing, and makes a JSON object of the parameters. Values are text, without the line's
 * ends around them where those are the tags'; what a value is in JSON, the function's schema says
 * ({@link ToolSignatures}).
 */
final class TaggedReader extends CallReader {

    private enum State {
        /** Within the call's frame, before the function. */
        BEFORE,
        NAME,
        /** Before a parameter, or behind one. */
        BETWEEN,
        PARAMETER,
        VALUE,
        /** The call has ended, its frame not. */
        BEHIND
    }

    private final Output out;
    private final ToolSignatures tools;
    private final boolean framed;
    private final Literal function;
    private final Literal parameter;
    private final Literal named;
    private final Literal functionEnd;
    private final Literal parameterEnd = new Literal(TaggedFormat.PARAMETER_END, -1);
    private final Literal frameEnd;
    private final StringBuilder name = new StringBuilder();
    private final Set<String> given = new HashSet<>();
    private String functionName = "";
    private ParameterText value;
    private boolean doubled;
    private State state;

    /** @param within whether the function's tag has begun, without a frame around it */
    TaggedReader(TaggedFormat format, Output out, ToolSignatures tools, boolean within) {
        this.out = out;
        this.tools = tools;
        TaggedFormat.Family family = format.family();
        framed = family.framed();
        function = new Literal(family.function(), -1);
        parameter = new Literal(family.parameter(), -1);
        named = new Literal(family.named(), -1);
        functionEnd = new Literal(family.functionEnd(), -1);
        frameEnd = Literal.mark(format, family.end());
        value = new ParameterText(ToolSignatures.Kind.VALUE, framed, out);
        state = within ? State.NAME : State.BEFORE;
    }

    @Override
    Step take(int unit) {
        return switch (state) {
            case BEFORE -> before(unit);
            case NAME -> name(unit);
            case BETWEEN -> between(unit);
            case PARAMETER -> parameter(unit);
            case VALUE -> value(unit);
            case BEHIND -> behind(unit);
        };
    }

    private Step before(int unit) {
        int before = function.matched();
        if (function.take(unit)) {
            state = State.NAME;
            return Step.MORE;
        }
        return function.matched() > before || before == 0 && JsonScanner.space(unit) ? Step.MORE : Step.NOT_MINE;
    }

    private Step name(int unit) {
        return switch (named(unit)) {
            case MORE -> Step.MORE;
            case NOT_MINE -> Step.NOT_MINE;
            case LAST -> {
                functionName = name.toString();
                out.begin(functionName);
                out.arguments("{");
                state = State.BETWEEN;
                yield Step.MORE;
            }
        };
    }

    /** A function's or a parameter's name, up to what goes behind it. */
    private Step named(int unit) {
        int before = named.matched();
        if (breaksOff(unit, before)) {
            return Step.NOT_MINE;
        }
        if (named.take(unit)) {
            return name.isEmpty() ? Step.NOT_MINE : Step.LAST;
        }
        if (named.matched() > before) {
            return Step.MORE;
        }
        if (before > 0 || !plain(unit) || name.length() == MAX_NAME) {
            return Step.NOT_MINE;
        }
        name.append((char) unit);
        return Step.MORE;
    }

    private Step between(int unit) {
        int before = Math.max(parameter.matched(), matched(functionEnd, frameEnd));
        if (breaksOff(unit, before)) {
            end(CallSink.End.MALFORMED);
            return Step.NOT_MINE;
        }
        if (parameter.take(unit)) {
            name.setLength(0);
            state = State.PARAMETER;
            return Step.MORE;
        }
        if (functionEnd.take(unit)) {
            end(doubled ? CallSink.End.MALFORMED : CallSink.End.WHOLE);
            out.frame();
            state = State.BEHIND;
            return Step.MORE;
        }
        if (frameEnd.take(unit)) {
            end(doubled ? CallSink.End.MALFORMED : CallSink.End.WHOLE);
            return Step.LAST;
        }
        int after = Math.max(parameter.matched(), matched(functionEnd, frameEnd));
        if (after > before || before == 0 && JsonScanner.space(unit)) {
            return Step.MORE;
        }
        // Whatever this is, it is no parameter: it is given back as text.
        end(CallSink.End.MALFORMED);
        return Step.NOT_MINE;
    }

    private void end(CallSink.End how) {
        out.arguments("}");
        out.end(how);
    }

    private Step parameter(int unit) {
        return switch (named(unit)) {
            case MORE -> Step.MORE;
            case NOT_MINE -> {
                end(CallSink.End.MALFORMED);
                yield Step.NOT_MINE;
            }
            case LAST -> {
                String parameterName = name.toString();
                out.arguments((given.isEmpty() ? "" : ", ") + JsonText.quoted(parameterName) + ": ");
                out.frame();
                doubled |= !given.add(parameterName);
                value = new ParameterText(tools.kind(functionName, parameterName), framed, out);
                state = State.VALUE;
                yield Step.MORE;
            }
        };
    }

    private Step value(int unit) {
        if (unit < 0) {
            return frameEnd.take(unit) ? brokenOff() : Step.MORE;
        }
        CharSequence held = parameterEnd.part();
        if (parameterEnd.take(unit)) {
            value.end();
            out.frame();
            state = State.BETWEEN;
            return Step.MORE;
        }
        if (parameterEnd.matched() <= held.length()) {
            value.add(held);
            if (parameterEnd.matched() == 0) {
                value.add((char) unit);
            }
        }
        return Step.MORE;
    }

    /** The frame's end as a token of its own: no value has that. */
    private Step brokenOff() {
        value.add(parameterEnd.part());
        value.end();
        end(CallSink.End.MALFORMED);
        return Step.LAST;
    }

    private Step behind(int unit) {
        int before = frameEnd.matched();
        if (breaksOff(unit, before)) {
            return Step.NOT_MINE;
        }
        if (frameEnd.take(unit)) {
            return Step.LAST;
        }
        return frameEnd.matched() > before || before == 0 && JsonScanner.space(unit) ? Step.MORE : Step.NOT_MINE;
    }

    @Override
    void finish() {
        switch (state) {
            case BEFORE, NAME -> {}
            case BEHIND -> out.frameBefore();
            case BETWEEN, PARAMETER -> out.end(CallSink.End.CUT);
            case VALUE -> {
                value.add(parameterEnd.part());
                value.cut();
                out.end(CallSink.End.CUT);
            }
        }
    }
}
