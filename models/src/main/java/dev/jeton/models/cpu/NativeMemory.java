package dev.jeton.models.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.util.ArrayList;
import java.util.List;

/**
 * Off-heap memory of one engine, zeroed, freed as a whole.
 *
 * <p>Large pieces are mapped: they take room only as they are touched, where an arena would fill them with zeros first
 * (a third of a second for a gigabyte of KV). Segments handed out have the global scope, so that inner loops check no
 * lifetime; the engine ends its threads before it closes this.
 */
final class NativeMemory implements SegmentAllocator, AutoCloseable {

    private static final long MAPPED_FROM = 64L << 20;

    private final Arena arena = Arena.ofShared();
    private final List<MemorySegment> mapped = new ArrayList<>();

    @Override
    public MemorySegment allocate(long bytes, long alignment) {
        if (bytes >= MAPPED_FROM) {
            long address = LibC.map(bytes);
            if (address != 0) {
                LibC.useHugePages(address, bytes);
                MemorySegment segment = MemorySegment.ofAddress(address).reinterpret(bytes);
                mapped.add(segment);
                return segment;
            }
        }
        MemorySegment owned = arena.allocate(bytes, alignment);
        return MemorySegment.ofAddress(owned.address()).reinterpret(bytes);
    }

    @Override
    public void close() {
        mapped.forEach(segment -> LibC.unmap(segment.address(), segment.byteSize()));
        mapped.clear();
        arena.close();
    }
}
