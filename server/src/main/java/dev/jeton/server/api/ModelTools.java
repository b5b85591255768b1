package dev.jeton.server.api;

import dev.jeton.models.tools.CallId;
import dev.jeton.models.tools.PastCallStyle;
import dev.jeton.models.tools.ToolDialect;
import java.util.Optional;

/**
 * How a model calls tools, and is shown its calls.
 *
 * @param dialect how it writes calls; empty where calls are not taken out of its answers
 * @param past how its template takes earlier messages that call tools
 */
public record ModelTools(Optional<ToolDialect> dialect, PastCallStyle past) {

    /** Of a model that calls none. */
    public static final ModelTools NONE = new ModelTools(Optional.empty(), PastCallStyle.USUAL);

    /** What ids of its calls look like. */
    CallId ids() {
        return dialect.map(known -> known.format().callId()).orElse(CallId.LONG);
    }
}
