package dev.jeton.natives;

/**
 * The device, or this process's context on it, is lost: every later call fails too, whatever it asks. Stop the engine
 * that uses the device; the process can go on. The cause is the failure named by the first such exception: a kernel's
 * bad access, an uncorrectable memory error, a GPU that fell off the bus.
 */
public final class CudaDeviceLostException extends CudaException {

    private static final long serialVersionUID = 1L;

    CudaDeviceLostException(String call, int code, String message) {
        super(call, code, message);
    }
}
