package dev.jeton.server.admin;

/** The audit log cannot be read or written; the message says what is wrong with which file, and what to do. */
public final class PolicyException extends RuntimeException {

    /** With what to do. */
    public PolicyException(String message) {
        super(message);
    }

    /** With what to do and the cause. */
    public PolicyException(String message, Throwable cause) {
        super(message, cause);
    }
}
