package dev.jeton.accounting;

import java.util.Locale;

/** How a task ended. */
public enum TaskOutcome {
    /** Whoever opened it says so. */
    SUCCESS,
    /** Whoever opened it says so. */
    FAILURE,
    /** Nobody used it for too long. */
    EXPIRED;

    /** As API and reports say it. */
    public String text() {
        return name().toLowerCase(Locale.ROOT);
    }
}
