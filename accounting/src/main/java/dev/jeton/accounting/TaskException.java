package dev.jeton.accounting;

/** A task that cannot take what is asked of it: its caller's doing, unlike an {@link AccountingException}. */
public final class TaskException extends RuntimeException {

    /** Why. */
    public enum Reason {
        /** The tenant has no such task, or it ended too long ago. */
        NOT_FOUND,
        /** It has ended. */
        ENDED,
        /** It was opened with other content. */
        CONFLICT,
        /** It has no such step. */
        STEP_NOT_FOUND,
        /** The step was reported with other content, or cannot become what is asked for. */
        STEP_CONFLICT,
        /** As many tasks are open as may be. */
        TOO_MANY_TASKS,
        /** As many steps are kept as may be. */
        TOO_MANY_STEPS
    }

    private final Reason reason;

    /** With what happened and what to do. */
    public TaskException(Reason reason, String message) {
        super(message);
        this.reason = reason;
    }

    /** Why. */
    public Reason reason() {
        return reason;
    }

    @Override
    public String getMessage() {
        String message = super.getMessage();
        return message == null ? "" : message;
    }

    @Override
    public synchronized Throwable fillInStackTrace() {
        // Thrown for callers' errors, as often as they like.
        return this;
    }
}
