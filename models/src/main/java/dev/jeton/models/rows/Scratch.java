package dev.jeton.models.rows;

import java.lang.foreign.MemorySegment;

/** Memory of one input or output of a graph, which grows to the largest run. Owned by the engine's thread. */
public final class Scratch implements AutoCloseable {

    private final String what;
    private MemorySegment memory = MemorySegment.NULL;

    /** @param what it is of, for the message where there is not enough */
    public Scratch(String what) {
        this.what = what;
    }

    /** At least so many bytes; what was in them is gone where they had to grow. */
    public MemorySegment of(long bytes) {
        if (memory.byteSize() < bytes) {
            close();
            memory = HostMemory.allocate(Math.max(4096, bytes + bytes / 4), what);
        }
        return memory.asSlice(0, bytes);
    }

    @Override
    public void close() {
        if (memory.byteSize() > 0) {
            HostMemory.free(memory);
            memory = MemorySegment.NULL;
        }
    }
}
