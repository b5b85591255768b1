package dev.jeton.natives;

/**
 * Something of a context that has to be let go of. Owned by one thread at a time, which must have made the context its
 * own ({@link CudaContext#makeCurrent}). What is used after it was closed, says so.
 */
public abstract sealed class CudaResource implements AutoCloseable
        permits CudaEvent, CudaGraph, CudaGraphExec, CudaModule, CudaStream, DeviceMemory, PinnedMemory {

    final CudaContext context;
    final CudaCalls calls;
    private final long handle;
    private boolean open = true;

    CudaResource(CudaContext context, long handle, boolean owned) {
        this.context = context;
        this.calls = context.calls;
        this.handle = handle;
        if (owned) {
            context.opened(this);
        }
    }

    /** What it is, for messages: a lower-case noun. */
    abstract String kind();

    /** Lets go of it; the code that the driver gave. */
    abstract int release(long handle);

    /** The function that {@link #release} calls. */
    abstract NativeCall releasing();

    /** The driver's handle. */
    final long handle() {
        if (!open) {
            throw new IllegalStateException(
                    "a %s of %s is used after it was closed".formatted(kind(), context.device()));
        }
        return handle;
    }

    final void check(NativeCall call, int code) {
        if (code != 0) {
            throw failed(call, code, "");
        }
    }

    final CudaException failed(NativeCall call, int code, String arguments) {
        return calls.failure(
                call,
                code,
                "%s 0x%x%s of %s"
                        .formatted(kind(), handle, arguments.isEmpty() ? "" : ", " + arguments, context.device()));
    }

    /** Whether it can be used. */
    public final boolean isOpen() {
        return open;
    }

    /** Lets go of it; again does nothing. Of a lost device nothing can be let go of, and nothing has to be. */
    @Override
    public void close() {
        if (open) {
            int code = release(handle());
            open = false;
            context.closed(this);
            if (code != 0 && !CudaCalls.lost(code)) {
                throw failed(releasing(), code, "");
            }
        }
    }
}
