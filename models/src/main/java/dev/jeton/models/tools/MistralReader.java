package dev.jeton.models.tools;

/**
 * Reads what follows {@code [TOOL_CALLS]}: an array of {@code {"name": ..., "arguments": {...}}}, or, since the
 * tokenizer's eleventh version, {@code name[ARGS]{...}}, where {@code [CALL_ID]...} may stand in front of
 * {@code [ARGS]} and {@code [ARGS]} may be missing.
 */
final class MistralReader extends CallReader {

    private enum State {
        BEFORE,
        NAME,
        /** The model's own id of the call, of which nothing is made. */
        ID,
        /** Behind {@code [ARGS]}. */
        BEFORE_ARGUMENTS,
        ARGUMENTS,
        /** An array's next call must come. */
        BEFORE_OBJECT,
        OBJECT,
        /** A call of the array has ended. */
        BEHIND_OBJECT,
        /** Behind a comma behind a call. */
        BETWEEN,
        /** Whatever comes is an argument. */
        MALFORMED
    }

    private final Output out;
    private final boolean named;
    private final Literal args;
    private final Literal id;
    private final StringBuilder name = new StringBuilder();
    private final JsonScanner arguments = new JsonScanner();
    private JsonCall call;
    private boolean array;
    private State state = State.BEFORE;

    MistralReader(MistralFormat format, Output out) {
        this(format, true, out);
    }

    /** Of Granite's calls, which are objects alone. */
    MistralReader(GraniteFormat format, Output out) {
        this(format, false, out);
    }

    /** @param named whether calls may be names in front of their arguments */
    private MistralReader(ToolFormat format, boolean named, Output out) {
        this.out = out;
        this.named = named;
        args = Literal.mark(format, MistralFormat.ARGS);
        id = Literal.mark(format, MistralFormat.CALL_ID);
        call = call();
    }

    private JsonCall call() {
        return new JsonCall(out, any -> true, false);
    }

    @Override
    Step take(int unit) {
        return switch (state) {
            case BEFORE -> before(unit);
            case NAME -> name(unit);
            case ID -> id(unit);
            case BEFORE_ARGUMENTS ->
                JsonScanner.space(unit) ? Step.MORE : unit == '{' ? beginArguments() : Step.NOT_MINE;
            case ARGUMENTS -> arguments(unit);
            case BEFORE_OBJECT, BETWEEN -> JsonScanner.space(unit) ? Step.MORE : object(unit);
            case OBJECT -> object(unit);
            case BEHIND_OBJECT -> behindObject(unit);
            case MALFORMED -> {
                if (unit >= 0) {
                    out.arguments((char) unit);
                }
                yield Step.MORE;
            }
        };
    }

    private Step before(int unit) {
        if (JsonScanner.space(unit)) {
            return Step.MORE;
        }
        if (unit == '[') {
            array = true;
            state = State.BEFORE_OBJECT;
            return Step.MORE;
        }
        if (unit == '{') {
            return object(unit);
        }
        state = State.NAME;
        return named ? name(unit) : Step.NOT_MINE;
    }

    private Step name(int unit) {
        int before = matched(args, id);
        if (breaksOff(unit, before)) {
            return Step.NOT_MINE;
        }
        if (args.take(unit)) {
            state = State.BEFORE_ARGUMENTS;
            return name(name) ? Step.MORE : Step.NOT_MINE;
        }
        if (id.take(unit)) {
            state = State.ID;
            return name(name) ? Step.MORE : Step.NOT_MINE;
        }
        if (matched(args, id) > before) {
            return Step.MORE;
        }
        if (before > 0) {
            return Step.NOT_MINE;
        }
        if (unit == '{' && name(name)) {
            return beginArguments();
        }
        boolean letter = unit >= 0 && (Character.isLetterOrDigit(unit) || "_-.:/".indexOf(unit) >= 0);
        if (!letter || name.length() == MAX_NAME) {
            return Step.NOT_MINE;
        }
        name.append((char) unit);
        return Step.MORE;
    }

    private Step id(int unit) {
        int before = args.matched();
        if (breaksOff(unit, before)) {
            return Step.NOT_MINE;
        }
        if (args.take(unit)) {
            state = State.BEFORE_ARGUMENTS;
            return Step.MORE;
        }
        boolean letter = before == 0 && unit >= 0 && Character.isLetterOrDigit(unit);
        return args.matched() > before || letter ? Step.MORE : Step.NOT_MINE;
    }

    private Step beginArguments() {
        out.begin(name.toString());
        state = State.ARGUMENTS;
        return arguments('{');
    }

    private Step arguments(int unit) {
        if (unit < 0 || !arguments.take((char) unit)) {
            state = State.MALFORMED;
            return take(unit);
        }
        out.arguments((char) unit);
        if (arguments.depth() > 0) {
            return Step.MORE;
        }
        out.end(CallSink.End.WHOLE);
        return Step.LAST;
    }

    private Step object(int unit) {
        state = State.OBJECT;
        return switch (call.take(unit)) {
            case MORE -> Step.MORE;
            case LAST -> {
                call = call();
                state = State.BEHIND_OBJECT;
                yield array ? Step.MORE : Step.LAST;
            }
            case NO_CALL -> Step.NOT_MINE;
            case ENDED -> {
                call = call();
                state = State.BEHIND_OBJECT;
                yield array ? behindObject(unit) : Step.NOT_MINE;
            }
            case MALFORMED -> {
                state = State.MALFORMED;
                yield take(unit);
            }
        };
    }

    private Step behindObject(int unit) {
        if (unit == ',') {
            state = State.BETWEEN;
            return Step.MORE;
        }
        if (unit == ']') {
            return Step.LAST;
        }
        return JsonScanner.space(unit) ? Step.MORE : Step.NOT_MINE;
    }

    @Override
    void finish() {
        switch (state) {
            case BEFORE, NAME, ID, BEFORE_ARGUMENTS, BEFORE_OBJECT, BEHIND_OBJECT -> {}
            case BETWEEN -> out.frameBefore();
            case OBJECT -> call.finish();
            case ARGUMENTS -> out.end(CallSink.End.CUT);
            case MALFORMED -> out.end(CallSink.End.MALFORMED);
        }
    }
}
