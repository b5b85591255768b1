package dev.jeton.scheduler;

/** A request was not admitted. */
public final class RejectedException extends RuntimeException {

    /** Why a request was not admitted. */
    public enum Reason {
        /** The waiting queue is at its bound: try again later (429). */
        QUEUE_FULL,
        /** The server is draining (503). */
        DRAINING,
        /** It needs more blocks than the whole cache has, or more tokens than the context (400). */
        TOO_LARGE,
        /** The engine gives no such thing (400). */
        UNSUPPORTED,
        /** The adapter was unloaded since the request came (404). */
        ADAPTER_GONE,
        /** The engine is gone (503). */
        ENGINE_DOWN
    }

    private final Reason reason;

    /** With what happened and what to do. */
    public RejectedException(Reason reason, String message) {
        super(message);
        this.reason = reason;
    }

    /** Why. */
    public Reason reason() {
        return reason;
    }
}
