package dev.jeton.server.http;

/** An address cannot be listened on; the message says what to do. */
public final class ListenException extends RuntimeException {

    /** With the address, the reason, and what to do. */
    public ListenException(String message, Throwable cause) {
        super(message, cause);
    }
}
