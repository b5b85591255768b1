package dev.jeton.models.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;

/**
 * Off-heap memory of one engine, freed as a whole.
 *
 * <p>Segments handed out have the global scope, so that inner loops check no lifetime; the engine ends its threads
 * before it closes this.
 */
final class NativeMemory implements SegmentAllocator, AutoCloseable {

    private final Arena arena = Arena.ofShared();

    @Override
    public MemorySegment allocate(long bytes, long alignment) {
        MemorySegment owned = arena.allocate(bytes, alignment);
        return MemorySegment.ofAddress(owned.address()).reinterpret(bytes);
    }

    @Override
    public void close() {
        arena.close();
    }
}
