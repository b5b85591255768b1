package dev.jeton.models.cuda;

import dev.jeton.natives.CudaGraphExec;
import dev.jeton.natives.CudaStream;

/**
 * Work that a device has recorded ({@link Device#capture}).
 *
 * <p>Owned by the device's thread.
 */
final class Graph implements AutoCloseable {

    private final CudaGraphExec work;
    private final CudaStream stream;

    Graph(CudaGraphExec work, CudaStream stream) {
        this.work = work;
        this.stream = stream;
    }

    /** Queues the work. */
    void launch() {
        work.launch(stream);
    }

    @Override
    public void close() {
        work.close();
    }
}
