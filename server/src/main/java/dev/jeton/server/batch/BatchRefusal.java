package dev.jeton.server.batch;

/** A file or a batch that is not taken, or not now. */
public final class BatchRefusal extends RuntimeException {

    private static final long serialVersionUID = 1L;

    /** Why. */
    public enum Reason {
        /** There is no such file or batch, or it is somebody else's. */
        UNKNOWN,
        /** What is asked for does not fit it. */
        INVALID,
        /** It is used, or at its end: asking again changes nothing. */
        CONFLICT,
        /** There are as many as there may be. */
        FULL
    }

    private final Reason reason;
    private final String field;

    /** @param field of the request that is at fault; empty for none */
    BatchRefusal(Reason reason, String field, String message) {
        super(message);
        this.reason = reason;
        this.field = field;
    }

    /** Why. */
    public Reason reason() {
        return reason;
    }

    /** Which field of the request is at fault; empty for none. */
    public String field() {
        return field;
    }
}
