package dev.jeton.server.api;

import dev.jeton.server.json.JsonWriter;
import java.util.List;

/** How an API writes what was generated. One per call; not thread-safe. */
interface AnswerFormat {

    /** Appends the events for what a choice has to write. */
    void chunk(JsonWriter out, Choice choice);

    /** Appends the event with the usage. */
    void usage(JsonWriter out, Usage usage);

    /** Writes the whole answer. */
    void whole(JsonWriter out, List<Choice> choices, Usage usage);
}
