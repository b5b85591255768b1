package dev.jeton.natives;

/** No file of a library could be loaded; the message lists what was looked for, in order, and what became of it. */
public final class LibraryMissingException extends NativeException {

    private static final long serialVersionUID = 1L;

    LibraryMissingException(String message) {
        super(message);
    }
}
