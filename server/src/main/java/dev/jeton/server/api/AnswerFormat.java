package dev.jeton.server.api;

import dev.jeton.server.json.JsonWriter;
import java.util.List;
import java.util.function.Supplier;

/** How an API writes what was generated. One per call; not thread-safe. */
interface AnswerFormat {

    /**
     * Appends the events for what a choice has to write.
     *
     * @param soFar the use until now, asked where the choice ends early
     */
    void chunk(JsonWriter out, Choice choice, Supplier<Usage> soFar);

    /** Appends what ends the stream. */
    void end(JsonWriter out, Usage usage);

    /** The answer is written and booked, and its last byte is sent next. */
    default void booked() {}

    /** Appends what ends the stream where it fails after its beginning. */
    default void failed(JsonWriter out, ApiException error) {
        error.write(out.raw("data: "));
        out.raw("\n\n");
    }

    /** Writes the whole answer. */
    void whole(JsonWriter out, List<Choice> choices, Usage usage);
}
