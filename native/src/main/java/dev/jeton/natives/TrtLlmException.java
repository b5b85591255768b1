package dev.jeton.natives;

/** TensorRT-LLM refused a call, or the executor is closed; the message is the library's. */
public final class TrtLlmException extends NativeException {

    private static final long serialVersionUID = 1L;

    /** Also made by the shim. */
    public TrtLlmException(String message) {
        super(message);
    }
}
