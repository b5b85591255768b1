package dev.jeton.natives;

/** The GPU that was asked for is not there; the message lists those that are. */
public final class NoSuchDeviceException extends NativeException {

    private static final long serialVersionUID = 1;

    NoSuchDeviceException(String message) {
        super(message);
    }
}
