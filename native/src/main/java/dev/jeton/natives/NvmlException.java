package dev.jeton.natives;

/** A call of NVML failed. */
public final class NvmlException extends NativeException {

    private static final long serialVersionUID = 1L;

    private final int code;

    NvmlException(int code, String message) {
        super(message);
        this.code = code;
    }

    /** What NVML returned: a value of {@code nvmlReturn_t}. */
    public int code() {
        return code;
    }

    /** Whether the GPU has fallen off the bus, or hangs: nothing works on it until it is reset. */
    public boolean deviceLost() {
        return code == Nvml.GPU_IS_LOST;
    }
}
