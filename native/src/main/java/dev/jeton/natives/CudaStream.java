package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

/** A queue of work on the device, done in order. Owned by one thread at a time. */
public final class CudaStream extends CudaResource {

    /** {@code CU_STREAM_CAPTURE_MODE_THREAD_LOCAL}: what other threads do meanwhile is no part of it. */
    private static final int THREAD_LOCAL = 1;

    CudaStream(CudaContext context, long handle) {
        super(context, handle, true);
    }

    @Override
    String kind() {
        return "stream";
    }

    @Override
    int release(long handle) {
        return calls.streamDestroy.call(handle);
    }

    @Override
    NativeCall releasing() {
        return calls.streamDestroy;
    }

    /** Waits until all that was queued is done; what failed on the device is raised here. */
    public void synchronize() {
        check(calls.streamSynchronize, calls.streamSynchronize.call(handle()));
    }

    /** Whether all that was queued is done; what failed on the device is raised here. */
    public boolean isDone() {
        int code = calls.streamQuery.call(handle());
        if (code == CudaCalls.NOT_READY) {
            return false;
        }
        check(calls.streamQuery, code);
        return true;
    }

    /** Holds back what is queued from now on until the event, as it was recorded last, is reached. */
    public void waitFor(CudaEvent event) {
        check(calls.streamWaitEvent, calls.streamWaitEvent.call(handle(), event.handle(), 0));
    }

    /**
     * From now on work is recorded, not done: on this stream, and on those that wait for an event recorded on it.
     * Memory cannot be allocated and nothing awaited until {@link #endCapture}.
     */
    public void beginCapture() {
        check(calls.streamBeginCapture, calls.streamBeginCapture.call(handle(), THREAD_LOCAL));
    }

    /**
     * The graph of what was recorded. The stream does work again, also where the capture has failed.
     *
     * @throws CudaException where a call was made that cannot be recorded, or another stream was not joined again
     */
    public CudaGraph endCapture() {
        var out = context.out();
        check(calls.streamEndCapture, calls.streamEndCapture.call(handle(), out.address()));
        return new CudaGraph(context, out.get(JAVA_LONG, 0));
    }
}
