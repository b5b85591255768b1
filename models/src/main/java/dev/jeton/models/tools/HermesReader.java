package dev.jeton.models.tools;

/** Reads {@code {"name": ..., "arguments": {...}}} up to {@code </tool_call>}, which a model may forget. */
final class HermesReader extends CallReader {

    private enum State {
        BEFORE,
        OBJECT,
        /** The call has ended, the frame not. */
        BEHIND,
        /** Whatever comes is an argument, up to the frame's end. */
        MALFORMED
    }

    private final Output out;
    private final JsonCall call;
    private final RawArguments raw;
    private final Literal end;
    private State state = State.BEFORE;

    HermesReader(HermesFormat format, Output out) {
        this.out = out;
        call = new JsonCall(out, name -> true, false);
        end = Literal.mark(format, HermesFormat.END);
        raw = new RawArguments(out, Literal.mark(format, HermesFormat.END));
    }

    @Override
    Step take(int unit) {
        return switch (state) {
            case BEFORE -> {
                if (JsonScanner.space(unit)) {
                    yield Step.MORE;
                }
                state = State.OBJECT;
                yield object(unit);
            }
            case OBJECT -> object(unit);
            case BEHIND -> behind(unit);
            case MALFORMED -> raw.take(unit) ? Step.LAST : Step.MORE;
        };
    }

    private Step object(int unit) {
        return switch (call.take(unit)) {
            case MORE -> Step.MORE;
            case LAST -> {
                state = State.BEHIND;
                yield Step.MORE;
            }
            case NO_CALL -> Step.NOT_MINE;
            case ENDED -> {
                state = State.BEHIND;
                yield behind(unit);
            }
            case MALFORMED -> {
                state = State.MALFORMED;
                yield take(unit);
            }
        };
    }

    private Step behind(int unit) {
        int before = end.matched();
        if (breaksOff(unit, before)) {
            return Step.NOT_MINE;
        }
        if (end.take(unit)) {
            return Step.LAST;
        }
        return end.matched() > before || before == 0 && fills(unit) ? Step.MORE : Step.NOT_MINE;
    }

    @Override
    void finish() {
        switch (state) {
            case BEFORE -> {}
            case BEHIND -> out.frameBefore();
            case OBJECT -> call.finish();
            case MALFORMED -> raw.finish();
        }
    }
}
