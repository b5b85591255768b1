package dev.jeton.models.tools;

/**
 * Arguments that are no JSON, let through as they are up to what ends the call: whoever called the model can show it
 * what it wrote, and nothing of it is lost. White space in front of the end is the frame's. Not thread-safe.
 */
final class RawArguments {

    private final CallReader.Output out;
    private final Literal end;
    private final StringBuilder space = new StringBuilder();

    RawArguments(CallReader.Output out, Literal end) {
        this.out = out;
        this.end = end;
    }

    /**
     * Takes the next unit.
     *
     * @return whether it was the end's last; the call has ended then
     */
    boolean take(int unit) {
        CharSequence held = end.part();
        if (end.take(unit)) {
            if (unit < 0 && !held.isEmpty()) {
                flush();
                out.arguments(held);
            }
            out.end(CallSink.End.MALFORMED);
            out.frame();
            return true;
        }
        if (end.matched() > held.length()) {
            return false;
        }
        if (!held.isEmpty()) {
            flush();
            out.arguments(held);
        }
        if (end.matched() == 0 && unit >= 0) {
            if (JsonScanner.space(unit)) {
                space.append((char) unit);
            } else {
                flush();
                out.arguments((char) unit);
            }
        }
        return false;
    }

    /** The text has ended. */
    void finish() {
        flush();
        out.arguments(end.part());
        out.end(CallSink.End.MALFORMED);
    }

    private void flush() {
        out.arguments(space);
        space.setLength(0);
    }
}
