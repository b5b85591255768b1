package dev.jeton.server.http;

/** A body that is no form, or one past a bound; the message says why. */
public final class FormException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    FormException(String message) {
        super(message);
    }

    FormException(String message, Throwable cause) {
        super(message, cause);
    }
}
