package dev.jeton.server.http;

/** The rest of a request's body does not arrive. */
public final class UnfinishedBodyException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    private final int status;

    UnfinishedBodyException(int status, String message) {
        super(message);
        this.status = status;
    }

    /** What to answer; 0 where nobody is there to read it. */
    public int status() {
        return status;
    }
}
