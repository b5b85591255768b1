package dev.jeton.models.tools;

/** Reads a call's name and arguments between the marks of {@link HarmonyFormat}. */
final class HarmonyReader extends CallReader {

    private enum State {
        NAME,
        BEFORE_ARGUMENTS,
        ARGUMENTS,
        /** The arguments are whole, the frame is not. */
        BEHIND,
        /** Whatever comes is an argument, up to the frame's end. */
        MALFORMED
    }

    private final Output out;
    private final Literal argumentsMark;
    private final Literal end;
    private final RawArguments raw;
    private final StringBuilder name = new StringBuilder();
    private final JsonScanner arguments = new JsonScanner();
    private State state = State.NAME;

    HarmonyReader(HarmonyFormat format, Output out) {
        this.out = out;
        argumentsMark = Literal.mark(format, format.marks().get(1));
        end = Literal.mark(format, format.marks().get(2));
        raw = new RawArguments(out, end);
    }

    @Override
    Step take(int unit) {
        return switch (state) {
            case NAME -> name(unit);
            case BEFORE_ARGUMENTS -> before(unit);
            case ARGUMENTS -> arguments(unit);
            case BEHIND -> end.take(unit) ? Step.LAST : fills(unit) ? Step.MORE : Step.NOT_MINE;
            case MALFORMED -> raw.take(unit) ? Step.LAST : Step.MORE;
        };
    }

    private Step name(int unit) {
        if (argumentsMark.take(unit)) {
            if (!name(name)) {
                return Step.NOT_MINE;
            }
            out.begin(name.toString());
            state = State.BEFORE_ARGUMENTS;
            return Step.MORE;
        }
        if (unit < 0 || name.length() == MAX_NAME) {
            return Step.NOT_MINE;
        }
        name.append((char) unit);
        return Step.MORE;
    }

    private Step before(int unit) {
        if (JsonScanner.space(unit)) {
            out.frame();
            return Step.MORE;
        }
        if (end.take(unit)) {
            none();
            return Step.LAST;
        }
        state = State.ARGUMENTS;
        return unit == '{' ? arguments(unit) : malformed(unit);
    }

    /** It takes none. */
    private void none() {
        out.arguments("{}");
        out.end(CallSink.End.WHOLE);
    }

    private Step arguments(int unit) {
        if (unit < 0 || !arguments.take((char) unit)) {
            return malformed(unit);
        }
        out.arguments((char) unit);
        if (arguments.depth() == 0) {
            out.end(CallSink.End.WHOLE);
            state = State.BEHIND;
        }
        return Step.MORE;
    }

    private Step malformed(int unit) {
        state = State.MALFORMED;
        return take(unit);
    }

    @Override
    void finish() {
        switch (state) {
            case NAME -> {}
            case BEFORE_ARGUMENTS -> none();
            case ARGUMENTS -> out.end(CallSink.End.CUT);
            case BEHIND -> out.frameBefore();
            case MALFORMED -> raw.finish();
        }
    }
}
