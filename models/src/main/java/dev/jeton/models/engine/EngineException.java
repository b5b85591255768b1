package dev.jeton.models.engine;

/** An engine refused or failed; the message says what happened and what to do. */
public class EngineException extends RuntimeException {

    /** With a message that says what to do. */
    public EngineException(String message) {
        super(message);
    }

    /** With a message that says what to do, and what caused it. */
    public EngineException(String message, Throwable cause) {
        super(message, cause);
    }
}
