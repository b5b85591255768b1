package dev.jeton.models.tools;

import java.util.Optional;

/** What a {@link ToolCallParser} finds in an answer's text, in order. One call is open at most. */
public interface CallSink {

    /** How a call ended. */
    enum End {
        /** Its arguments are a whole JSON object. */
        WHOLE,
        /** The model wrote no JSON object: the arguments are what it wrote. */
        MALFORMED,
        /** The text ended within its arguments. */
        CUT
    }

    /** Text that belongs to no call. */
    void content(CharSequence text);

    /**
     * A call of this function begins.
     *
     * @param id that the model gave it, if any
     */
    void begin(String name, Optional<String> id);

    /** More of the open call's arguments, which together are JSON. */
    void arguments(CharSequence piece);

    /** The open call has ended. */
    void end(End how);
}
