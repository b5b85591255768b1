package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

/** A mark in a stream. Owned by one thread at a time. */
public final class CudaEvent extends CudaResource {

    CudaEvent(CudaContext context, long handle) {
        super(context, handle, true);
    }

    @Override
    String kind() {
        return "event";
    }

    @Override
    int release(long handle) {
        return calls.eventDestroy.call(handle);
    }

    @Override
    NativeCall releasing() {
        return calls.eventDestroy;
    }

    /** Marks what was queued on the stream before; an earlier mark is forgotten. */
    public void record(CudaStream stream) {
        check(calls.eventRecord, calls.eventRecord.call(handle(), stream.handle()));
    }

    /** Whether the stream has come to the mark, or none was set; what failed on the device is raised here. */
    public boolean isDone() {
        int code = calls.eventQuery.call(handle());
        if (code == CudaCalls.NOT_READY) {
            return false;
        }
        check(calls.eventQuery, code);
        return true;
    }

    /** Waits until the stream has come to the mark. */
    public void synchronize() {
        check(calls.eventSynchronize, calls.eventSynchronize.call(handle()));
    }

    /**
     * Milliseconds on the device from the start's mark to this one, to about half a microsecond; both must be reached.
     *
     * @throws CudaException where one is not reached, or has no time
     */
    public float millisSince(CudaEvent start) {
        var out = context.out();
        check(calls.eventElapsedTime, calls.eventElapsedTime.call(out.address(), start.handle(), handle()));
        return out.get(JAVA_FLOAT, 0);
    }
}
