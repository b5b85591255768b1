package dev.jeton.natives;

/** A native library is missing, too old, or a call into it failed; the message names which, and what to do. */
public class NativeException extends RuntimeException {

    private static final long serialVersionUID = 1L;

    /** With a message for whoever runs the server. */
    public NativeException(String message) {
        super(message);
    }

    /** The same, with what it was raised from. */
    public NativeException(String message, Throwable cause) {
        super(message, cause);
    }
}
