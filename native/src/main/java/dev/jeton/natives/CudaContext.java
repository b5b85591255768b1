package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * A device's primary context, retained, and what was opened in it. One thread at a time owns it and all that is in it,
 * without locks: the thread that opened it, or one that has called {@link #makeCurrent} since and goes on alone.
 *
 * <p>Closing it closes what is still open, the youngest first.
 */
public final class CudaContext implements AutoCloseable {

    /**
     * A device's memory now.
     *
     * @param free bytes left
     * @param total bytes
     */
    public record Memory(long free, long total) {}

    /** {@code CU_STREAM_NON_BLOCKING}: not held back by the legacy stream. */
    private static final int NON_BLOCKING = 1;
    /** {@code CU_EVENT_DISABLE_TIMING}. */
    private static final int WITHOUT_TIME = 2;
    /** {@code CU_EVENT_BLOCKING_SYNC}: who waits sleeps. */
    private static final int BLOCKING = 1;
    /** {@code CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP}; the same bits for registered memory. */
    private static final int PORTABLE_MAPPED = 3;

    final CudaCalls calls;
    private final CudaDevice device;
    private final int ordinal;
    private final long handle;
    private final Arena arena = Arena.ofShared();
    private final MemorySegment out = arena.allocate(64, 16);
    private final Set<CudaResource> resources = new LinkedHashSet<>();
    private boolean open = true;

    CudaContext(CudaCalls calls, CudaDevice device, int ordinal) {
        this.calls = calls;
        this.device = device;
        this.ordinal = ordinal;
        check(calls.primaryContextRetain, calls.primaryContextRetain.call(out.address(), ordinal), "");
        handle = out.get(JAVA_LONG, 0);
        try {
            makeCurrent();
        } catch (RuntimeException e) {
            calls.primaryContextRelease.call(ordinal);
            throw e;
        }
    }

    private void check(NativeCall call, int code, String where) {
        if (code != 0) {
            throw calls.failure(call, code, (where.isEmpty() ? "" : where + ", ") + device);
        }
    }

    private void requireOpen() {
        if (!open) {
            throw new IllegalStateException("the context of %s is used after it was closed".formatted(device));
        }
    }

    void opened(CudaResource resource) {
        resources.add(resource);
    }

    void closed(CudaResource resource) {
        resources.remove(resource);
    }

    boolean owns(CudaResource resource) {
        return resources.contains(resource);
    }

    /** A few bytes for what calls write; of the owning thread. */
    MemorySegment out() {
        requireOpen();
        return out;
    }

    /** Its device. */
    public CudaDevice device() {
        return device;
    }

    /** Makes it the calling thread's. */
    public void makeCurrent() {
        requireOpen();
        check(calls.contextSetCurrent, calls.contextSetCurrent.call(handle), "context 0x%x".formatted(handle));
    }

    /** Waits until all that was queued is done; what failed on the device is raised here. */
    public void synchronize() {
        requireOpen();
        check(calls.contextSynchronize, calls.contextSynchronize.call(), "");
    }

    /** The device's memory now; other processes take of it too. */
    public Memory memory() {
        requireOpen();
        check(calls.memGetInfo, calls.memGetInfo.call(out.address(), out.address() + 8), "");
        return new Memory(out.get(JAVA_LONG, 0), out.get(JAVA_LONG, 8));
    }

    /** A stream of normal priority, held back by no other. */
    public CudaStream stream() {
        return stream(false);
    }

    /** A stream, held back by no other; its kernels go before those of normal streams where it is urgent. */
    public CudaStream stream(boolean urgent) {
        requireOpen();
        int priority = 0;
        if (urgent) {
            check(
                    calls.contextStreamPriorityRange,
                    calls.contextStreamPriorityRange.call(out.address(), out.address() + 4),
                    "");
            priority = out.get(JAVA_INT, 4);
        }
        check(
                calls.streamCreate,
                calls.streamCreate.call(out.address(), NON_BLOCKING, priority),
                "priority " + priority);
        return new CudaStream(this, out.get(JAVA_LONG, 0));
    }

    /** An event whose time can be asked for; who waits for it spins. */
    public CudaEvent event() {
        return event(0);
    }

    /** An event without a time, which costs the device less; who waits for it sleeps where that is asked for. */
    public CudaEvent event(boolean sleeping) {
        return event(sleeping ? WITHOUT_TIME | BLOCKING : WITHOUT_TIME);
    }

    private CudaEvent event(int flags) {
        requireOpen();
        check(calls.eventCreate, calls.eventCreate.call(out.address(), flags), "flags " + flags);
        return new CudaEvent(this, out.get(JAVA_LONG, 0));
    }

    /**
     * Device memory, of undefined content, aligned to 256 bytes.
     *
     * @throws CudaException where there is too little ({@link CudaException#outOfMemory})
     */
    public DeviceMemory allocate(long bytes) {
        requireOpen();
        if (bytes <= 0) {
            throw new IllegalArgumentException("device memory of %d bytes is asked for".formatted(bytes));
        }
        check(calls.memAlloc, calls.memAlloc.call(out.address(), bytes), "%d bytes".formatted(bytes));
        return new DeviceMemory(this, out.get(JAVA_LONG, 0), bytes);
    }

    /** Page-locked host memory, which the device can reach too. */
    public PinnedMemory pin(long bytes) {
        requireOpen();
        if (bytes <= 0) {
            throw new IllegalArgumentException("pinned memory of %d bytes is asked for".formatted(bytes));
        }
        check(
                calls.memHostAlloc,
                calls.memHostAlloc.call(out.address(), bytes, PORTABLE_MAPPED),
                "%d bytes".formatted(bytes));
        return PinnedMemory.allocated(this, out.get(JAVA_LONG, 0), bytes);
    }

    /**
     * Locks native memory that is there already, as of a mapped file read through; the caller keeps it alive.
     *
     * @throws IllegalArgumentException where the memory is on the heap
     */
    public PinnedMemory register(MemorySegment memory) {
        requireOpen();
        if (!memory.isNative() || memory.byteSize() == 0) {
            throw new IllegalArgumentException("only native memory can be pinned");
        }
        check(
                calls.memHostRegister,
                calls.memHostRegister.call(memory.address(), memory.byteSize(), PORTABLE_MAPPED),
                "%d bytes at 0x%x".formatted(memory.byteSize(), memory.address()));
        return PinnedMemory.registered(this, memory);
    }

    /** Loads a cubin of this device's architecture. */
    public CudaModule module(byte[] cubin) {
        requireOpen();
        try (Arena own = Arena.ofConfined()) {
            MemorySegment image = own.allocate(cubin.length, 64);
            MemorySegment.copy(cubin, 0, image, java.lang.foreign.ValueLayout.JAVA_BYTE, 0, cubin.length);
            check(
                    calls.moduleLoadData,
                    calls.moduleLoadData.call(out.address(), image.address()),
                    "an image of %d bytes".formatted(cubin.length));
        }
        return new CudaModule(this, out.get(JAVA_LONG, 0));
    }

    /** Whether it can be used. */
    public boolean isOpen() {
        return open;
    }

    /** Closes what is still open, the youngest first, and lets go of the context. */
    @Override
    public void close() {
        if (!open) {
            return;
        }
        RuntimeException first = null;
        List<CudaResource> left = new ArrayList<>(resources).reversed();
        for (CudaResource resource : left) {
            try {
                resource.close();
            } catch (RuntimeException e) {
                first = first == null ? e : first;
            }
        }
        open = false;
        int code = calls.primaryContextRelease.call(ordinal);
        arena.close();
        if (first != null) {
            throw first;
        }
        if (code != 0 && !CudaCalls.lost(code)) {
            throw calls.failure(calls.primaryContextRelease, code, device.toString());
        }
    }
}
