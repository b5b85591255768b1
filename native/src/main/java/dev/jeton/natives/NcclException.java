package dev.jeton.natives;

/** A call of NCCL failed; the message names the call, its arguments, the rank and its device. */
public final class NcclException extends NativeException {

    private static final long serialVersionUID = 1L;

    private final String call;
    private final int code;

    NcclException(String call, int code, String message) {
        super(message);
        this.call = call;
        this.code = code;
    }

    /** The function, as {@code ncclAllReduce}. */
    public String call() {
        return call;
    }

    /** What it returned, an {@code ncclResult_t}; 0 where the communicator had been given up before. */
    public int code() {
        return code;
    }
}
