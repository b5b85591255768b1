package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Optional;

/** Page-locked host memory: copied at the bus's full speed and without the processor. Owned by one thread at a time. */
public final class PinnedMemory extends CudaResource {

    private final Optional<Arena> arena;
    private final MemorySegment segment;

    private PinnedMemory(CudaContext context, MemorySegment segment, Optional<Arena> arena) {
        super(context, segment.address(), true);
        this.segment = segment;
        this.arena = arena;
    }

    static PinnedMemory allocated(CudaContext context, long address, long bytes) {
        Arena arena = Arena.ofShared();
        MemorySegment segment = MemorySegment.ofAddress(address).reinterpret(bytes, arena, gone -> {});
        return new PinnedMemory(context, segment, Optional.of(arena));
    }

    static PinnedMemory registered(CudaContext context, MemorySegment memory) {
        return new PinnedMemory(context, memory, Optional.empty());
    }

    @Override
    String kind() {
        return "pinned memory";
    }

    @Override
    int release(long handle) {
        arena.ifPresent(Arena::close);
        return releasing().call(handle);
    }

    @Override
    NativeCall releasing() {
        return arena.isPresent() ? calls.memFreeHost : calls.memHostUnregister;
    }

    /**
     * The memory; of undefined content at first. Any thread may use it until it is closed; after that its use fails.
     */
    public MemorySegment segment() {
        handle();
        return segment;
    }

    /** How much. */
    public long bytes() {
        return segment.byteSize();
    }

    /** Where kernels find it: reads and writes go over the bus. */
    public long deviceAddress() {
        var out = context.out();
        check(calls.memHostGetDevicePointer, calls.memHostGetDevicePointer.call(out.address(), handle(), 0));
        return out.get(JAVA_LONG, 0);
    }
}
