package dev.jeton.server.batch;

import java.util.Locale;

/** How far a batch is, as OpenAI's Batch API says it. */
public enum BatchStatus {
    /** Its file is read through. */
    VALIDATING,
    /** Its requests are answered. */
    IN_PROGRESS,
    /** What came of them becomes files. */
    FINALIZING,
    /** All is answered. */
    COMPLETED,
    /** Its file is wrong, or it could not go on. */
    FAILED,
    /** Its time was over before all was answered. */
    EXPIRED,
    /** What is being answered is waited for. */
    CANCELLING,
    /** Its owner has ended it. */
    CANCELLED;

    /** In the API. */
    public String text() {
        return name().toLowerCase(Locale.ROOT);
    }

    static BatchStatus of(String text) {
        return valueOf(text.toUpperCase(Locale.ROOT));
    }

    /** Whether nothing more becomes of it. */
    public boolean ended() {
        return switch (this) {
            case COMPLETED, FAILED, EXPIRED, CANCELLED -> true;
            case VALIDATING, IN_PROGRESS, FINALIZING, CANCELLING -> false;
        };
    }
}
