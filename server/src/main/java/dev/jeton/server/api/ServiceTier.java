package dev.jeton.server.api;

import dev.jeton.accounting.Work;
import dev.jeton.server.json.JsonObject;
import java.util.Optional;

/** How soon a request wants to be served, as {@code service_tier} says it; what it says of the price goes with that. */
enum ServiceTier {
    /** At once. */
    DEFAULT("default", Work.GENERATION, 0),
    /** When nobody else waits, and stopped for who does: batch work, with the batch discount. */
    FLEX("flex", Work.BATCH, 1);

    private final String text;
    private final Work work;
    private final int priority;

    ServiceTier(String text, Work work, int priority) {
        this.text = text;
        this.work = work;
        this.priority = priority;
    }

    /** As the API says it. */
    String text() {
        return text;
    }

    /** As the books say it. */
    Work work() {
        return work;
    }

    /** As the scheduler says it. */
    int priority() {
        return priority;
    }

    /** What a request asks for; empty where it does not say, which is the default. */
    static Optional<ServiceTier> read(JsonObject body) {
        return body.optionalText("service_tier").map(text -> switch (text) {
            case "auto", "default" -> DEFAULT;
            case "flex" -> FLEX;
            default ->
                throw ApiException.invalid(
                        "service_tier",
                        "'service_tier' must be 'auto', 'default' or 'flex', but is '%s'"
                                .formatted(ApiException.shown(text)));
        });
    }
}
