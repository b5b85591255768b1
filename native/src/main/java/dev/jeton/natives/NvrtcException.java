package dev.jeton.natives;

/** NVRTC failed, or a source has errors; the message has its log. */
public final class NvrtcException extends CudaException {

    private static final long serialVersionUID = 1L;

    private final String log;

    NvrtcException(String call, int code, String message, String log) {
        super(call, code, message);
        this.log = log;
    }

    /** What the compiler said; empty where it said nothing. */
    public String log() {
        return log;
    }
}
