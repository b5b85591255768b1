package dev.jeton.models.cuda;

import dev.jeton.natives.CudaContext;
import dev.jeton.natives.CudaStream;
import dev.jeton.natives.DeviceMemory;
import dev.jeton.natives.PinnedMemory;
import java.util.Optional;

/**
 * A stream of its own for copies between the host and a device, beside all else; it closes with the device's context.
 *
 * <p>Owned by the device's thread.
 */
final class CopyLane {

    private final CudaContext context;
    private final CudaStream stream;

    CopyLane(CudaContext context) {
        this.context = context;
        stream = context.stream();
    }

    /** Queues a copy to the device. */
    void upload(DeviceMemory to, long toOffset, PinnedMemory from, long fromOffset, long bytes) {
        to.upload(toOffset, from.segment(), fromOffset, bytes, stream);
    }

    /** Queues a copy from the device. */
    void download(PinnedMemory to, long toOffset, DeviceMemory from, long fromOffset, long bytes) {
        from.download(fromOffset, to.segment(), toOffset, bytes, stream);
    }

    /** Holds back what is queued from now on until a mark, as it was set last, is reached; not where it never was. */
    void after(Mark mark) {
        mark.holdBack(stream);
    }

    /** A mark in it, without a time. */
    Mark mark() {
        return new Mark(context.event(false), stream, Optional.empty());
    }

    /** Waits until all that was queued is done. */
    void await() {
        stream.synchronize();
    }
}
