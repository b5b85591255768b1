package dev.jeton.natives;

/** A call of the CUDA driver, NVRTC or cuBLASLt failed; the message names the call, its arguments and the device. */
public class CudaException extends NativeException {

    private static final long serialVersionUID = 1L;
    private static final int OUT_OF_MEMORY = 2;

    private final String call;
    private final int code;

    CudaException(String call, int code, String message) {
        super(message);
        this.call = call;
        this.code = code;
    }

    /** The function, as {@code cuMemAlloc_v2}. */
    public String call() {
        return call;
    }

    /**
     * What it returned: a {@code CUresult}, {@code nvrtcResult} or {@code cublasStatus_t}, by the function's library.
     */
    public int code() {
        return code;
    }

    /** Whether the driver had too little memory. */
    public boolean outOfMemory() {
        return code == OUT_OF_MEMORY && !call.startsWith("cublas") && !call.startsWith("nvrtc");
    }
}
