package dev.jeton.models.tools;

/**
 * Reads {@code {"name": ..., "parameters": {...}}}, several with semicolons or white space between. Where no
 * {@code <|python_tag|>} goes before, an object is a call only if it begins a line outside of fenced code, names a
 * function that there is, and has arguments: an answer may be JSON.
 */
final class LlamaReader extends CallReader {

    private enum State {
        BEFORE,
        OBJECT,
        /** A call has ended; another may follow. */
        BEHIND,
        /** Behind a semicolon behind a call. */
        BETWEEN,
        /** Whatever comes is an argument. */
        MALFORMED
    }

    private final Output out;
    private final ToolSignatures tools;
    private final boolean tagged;
    private JsonCall call;
    private State state = State.BEFORE;

    /** @param tagged whether {@code <|python_tag|>} went before */
    LlamaReader(Output out, ToolSignatures tools, boolean tagged) {
        this.out = out;
        this.tools = tools;
        this.tagged = tagged;
        call = call();
    }

    private JsonCall call() {
        return new JsonCall(out, name -> tagged || tools.has(name), !tagged);
    }

    @Override
    Step take(int unit) {
        return switch (state) {
            case BEFORE, BETWEEN -> {
                if (JsonScanner.space(unit)) {
                    yield Step.MORE;
                }
                state = State.OBJECT;
                yield object(unit);
            }
            case OBJECT -> object(unit);
            case BEHIND -> behind(unit);
            case MALFORMED -> {
                if (unit >= 0) {
                    out.arguments((char) unit);
                }
                yield Step.MORE;
            }
        };
    }

    private Step object(int unit) {
        return switch (call.take(unit)) {
            case MORE -> Step.MORE;
            case LAST -> {
                ended();
                yield Step.MORE;
            }
            case NO_CALL -> Step.NOT_MINE;
            case ENDED -> {
                ended();
                yield behind(unit);
            }
            case MALFORMED -> {
                state = State.MALFORMED;
                yield take(unit);
            }
        };
    }

    private void ended() {
        state = State.BEHIND;
        call = call();
    }

    private Step behind(int unit) {
        if (unit == ';') {
            state = State.BETWEEN;
            return Step.MORE;
        }
        if (unit == '{') {
            state = State.OBJECT;
            return object(unit);
        }
        return fills(unit) ? Step.MORE : Step.NOT_MINE;
    }

    @Override
    void finish() {
        switch (state) {
            case BEFORE -> {}
            case BETWEEN, BEHIND -> out.frameBefore();
            case OBJECT -> call.finish();
            case MALFORMED -> out.end(CallSink.End.MALFORMED);
        }
    }
}
