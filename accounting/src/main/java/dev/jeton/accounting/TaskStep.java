package dev.jeton.accounting;

import java.util.Locale;
import java.util.Optional;

/**
 * Work for a task that is done outside of the server, as its caller reports it.
 *
 * @param id its name in the task
 * @param kind what kind of work
 * @param list what it costs, in nano-units of the price book's currency, never negative; as reported, or as the price
 *     book prices its quantity
 * @param quantity how much of it there was; 0 where that is not said
 * @param unit of the quantity; may be empty
 * @param durationNanos how long it took; 0 where that is not said
 * @param hit whether a retrieval found something
 * @param retryOf id of the step that it repeats; empty for none
 */
public record TaskStep(
        String id, Kind kind, long list, Rate quantity, String unit, long durationNanos, Hit hit, String retryOf) {

    /** Kinds of work. */
    public enum Kind {
        /** Looking something up. */
        RETRIEVAL,
        /** Calling a tool. */
        TOOL,
        /** Sending bytes out. */
        EGRESS,
        /** Keeping logs. */
        LOG_STORAGE,
        /** A person looks at it. */
        HUMAN_REVIEW,
        /** Anything else. */
        OTHER;

        /** As API, price book and reports say it: {@code log_storage}. */
        public String text() {
            return name().toLowerCase(Locale.ROOT);
        }

        /** The kind that is said so. */
        public static Optional<Kind> of(String text) {
            for (Kind kind : values()) {
                if (kind.text().equals(text)) {
                    return Optional.of(kind);
                }
            }
            return Optional.empty();
        }
    }

    /** How far a step is. */
    public enum State {
        /** Its cost is kept for it. */
        RESERVED,
        /** It was done, and its cost is owed. */
        POSTED,
        /** It was reserved and then not done. */
        RELEASED;

        /** As the API says it. */
        public String text() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /** Whether a retrieval found something. */
    public enum Hit {
        /** Nobody says. */
        UNKNOWN,
        /** It did. */
        HIT,
        /** It did not. */
        MISS
    }
}
