package dev.jeton.models.engine;

/** The device is gone: every sequence on the engine has failed, and the engine must be made anew. */
public final class DeviceLostException extends EngineException {

    /** With what was seen of the loss. */
    public DeviceLostException(String message, Throwable cause) {
        super(message, cause);
    }
}
