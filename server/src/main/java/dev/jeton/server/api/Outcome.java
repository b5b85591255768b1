package dev.jeton.server.api;

import java.util.Locale;

/** How a call ended, for metrics and logs. */
public enum Outcome {
    /** Answered well. */
    OK,
    /** The client's error: a 4xx other than those below. */
    CLIENT_ERROR,
    /** No key, or a wrong one. */
    UNAUTHORIZED,
    /** Turned away for want of room (429) or while draining (503). */
    REJECTED,
    /** The client hung up. */
    CANCELLED,
    /** The client did not read its stream. */
    STALLED,
    /** The server's error. */
    SERVER_ERROR;

    static Outcome of(int status) {
        return switch (status) {
            case 401 -> UNAUTHORIZED;
            case 429, 503 -> REJECTED;
            default -> status < 400 ? OK : status < 500 ? CLIENT_ERROR : SERVER_ERROR;
        };
    }

    /** As a label's value. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }
}
