package dev.jeton.server.api;

import dev.jeton.server.json.JsonWriter;
import java.util.List;

/** How an API writes what came of prompts' vectors. */
@FunctionalInterface
interface VectorFormat {

    /**
     * Writes the whole answer.
     *
     * @param vectors one for each prompt, in their order
     */
    void write(JsonWriter out, List<float[]> vectors, Usage usage);
}
