package dev.jeton.models;

/** A model folder cannot be used; the message names the file and what to do. */
public final class ModelException extends RuntimeException {

    /** With the file, what is wrong with it, and what to do. */
    public ModelException(String message) {
        super(message);
    }

    /** With the file, what is wrong with it, and what to do. */
    public ModelException(String message, Throwable cause) {
        super(message, cause);
    }
}
