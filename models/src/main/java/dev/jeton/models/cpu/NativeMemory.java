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

    /**
     * All memory, for the inner loops: an address is its own offset, and what is read and written is asserted by those
     * who hand out addresses ({@link PackedMatrix#address}, {@link KvArena#keys}).
     *
     * <p>A segment of its own for each matrix would be safer by itself and up to three times slower, by luck. Until
     * they are compiled, vectors are reinterpreted (int to float) by way of a segment on the heap, in JDK code that
     * segments off the heap go through as well. If that happens often enough before a kernel is compiled, the compiler
     * takes both kinds for possible in the kernel too and orders every access against every other. The kind of a
     * constant is known.
     */
    static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

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
