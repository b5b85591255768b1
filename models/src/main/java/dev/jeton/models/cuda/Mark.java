package dev.jeton.models.cuda;

import dev.jeton.natives.CudaEvent;
import dev.jeton.natives.CudaStream;
import java.util.Optional;

/**
 * A mark in a stream of a device; one that was never set counts as reached.
 *
 * <p>Owned by the device's thread.
 */
final class Mark {

    private final CudaEvent event;
    private final CudaStream stream;
    private final Optional<PeerLink> link;

    /** @param link where what comes before may wait for other devices */
    Mark(CudaEvent event, CudaStream stream, Optional<PeerLink> link) {
        this.event = event;
        this.stream = stream;
        this.link = link;
    }

    /** Sets it after what was queued so far. */
    void record() {
        event.record(stream);
    }

    /** Whether the device has come to it. */
    boolean done() {
        return event.isDone();
    }

    /** Waits until the device has come to it. */
    void await() {
        if (link.isEmpty()) {
            event.synchronize();
            return;
        }
        long asked = System.nanoTime();
        while (!event.isDone()) {
            asked = link.get().ask(asked);
        }
    }

    /** Lets what is queued in another stream from now on wait for it. */
    void holdBack(CudaStream other) {
        other.waitFor(event);
    }

    /** Nanoseconds on the device from another mark to this; both timed and reached. */
    long nanosSince(Mark other) {
        return (long) (event.millisSince(other.event) * 1e6);
    }
}
