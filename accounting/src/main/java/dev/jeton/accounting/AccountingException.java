package dev.jeton.accounting;

/** The books cannot do what was asked; the message says what happened, why, and what to do. */
public final class AccountingException extends RuntimeException {

    /** With what to do. */
    public AccountingException(String message) {
        super(message);
    }

    /** With what to do and the cause. */
    public AccountingException(String message, Throwable cause) {
        super(message, cause);
    }
}
