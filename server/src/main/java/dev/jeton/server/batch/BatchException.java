package dev.jeton.server.batch;

/** A batch that cannot be run, or not to its end; the message says what to do. */
public final class BatchException extends RuntimeException {

    private static final long serialVersionUID = 1;

    /** Says what is wrong. */
    public BatchException(String message) {
        super(message);
    }

    /** The same, with what brought it about. */
    public BatchException(String message, Throwable cause) {
        super(message, cause);
    }
}
