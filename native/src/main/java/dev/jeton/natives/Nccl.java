package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * NCCL: sums and gathers over several GPUs, by whatever joins them. Needed only where one model runs on more than one.
 * Any thread may make ranks; it stays loaded until the process ends.
 */
public final class Nccl {

    private static final List<String> NAMES = List.of("libnccl.so.2", "libnccl.so");

    final NcclCalls calls;
    private final int version;

    private Nccl(NcclCalls calls) {
        this.calls = calls;
        try (Arena arena = Arena.ofConfined()) {
            version = calls.version(arena.allocate(JAVA_INT));
        }
    }

    /**
     * Loads NCCL.
     *
     * @param configured its file; empty to search the usual places
     * @throws LibraryMissingException where there is none, listing what was looked for
     */
    public static Nccl open(Optional<Path> configured) {
        return new Nccl(new NcclCalls(NativeLibrary.find(
                "NCCL (the package libnccl2, or the Python package nvidia-nccl)",
                configured,
                NAMES,
                LibraryPlaces.toolkit())));
    }

    /** Its version, as {@code 2.27.3}. */
    public String version() {
        return "%d.%d.%d".formatted(version / 10_000, version / 100 % 100, version % 100);
    }

    /** Where it was found. */
    public String place() {
        return calls.library.place();
    }

    /**
     * Joins devices of this process: rank i is the device of the i-th context. All ranks are made by the calling
     * thread, so none waits for one that does not come; afterwards the first context is the thread's.
     *
     * @param contexts of devices that differ, which no other thread uses meanwhile
     * @throws NcclException where the devices cannot be joined; nothing is left open then
     */
    public NcclRanks join(List<CudaContext> contexts) {
        long[] handles = new long[contexts.size()];
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment id = arena.allocate(NcclCalls.ID);
            calls.check(
                    calls.getUniqueId, calls.getUniqueId.call(id.address()), "for %d ranks".formatted(contexts.size()));
            MemorySegment out = arena.allocate(JAVA_LONG, contexts.size());
            init(contexts, id, out);
            MemorySegment.copy(out, JAVA_LONG, 0, handles, 0, handles.length);
        } finally {
            contexts.getFirst().makeCurrent();
        }
        List<NcclRank> ranks = new ArrayList<>();
        for (int i = 0; i < handles.length; i++) {
            ranks.add(new NcclRank(calls, handles[i], i, contexts.get(i).device()));
        }
        return new NcclRanks(calls, ranks);
    }

    private void init(List<CudaContext> contexts, MemorySegment id, MemorySegment out) {
        int count = contexts.size();
        calls.check(calls.groupStart, calls.groupStart.call(), "for %d ranks".formatted(count));
        Optional<RuntimeException> failed = Optional.empty();
        for (int rank = 0; rank < count && failed.isEmpty(); rank++) {
            try {
                contexts.get(rank).makeCurrent();
                int code = calls.initRank(out.address() + 8L * rank, count, id, rank);
                if (code != 0) {
                    CudaDevice device = contexts.get(rank).device();
                    throw calls.failure("ncclCommInitRank", code, "rank %d of %d, %s".formatted(rank, count, device));
                }
            } catch (NativeException e) {
                failed = Optional.of(e);
            }
        }
        int code = calls.groupEnd.call();
        if (failed.isEmpty() && code != 0) {
            failed = Optional.of(calls.failure(
                    calls.groupEnd.name(),
                    code,
                    "joining %s"
                            .formatted(
                                    contexts.stream().map(CudaContext::device).toList())));
        }
        if (failed.isPresent()) {
            for (int rank = 0; rank < count; rank++) {
                long handle = out.getAtIndex(JAVA_LONG, rank);
                if (handle != 0) {
                    calls.abort.call(handle);
                }
            }
            throw failed.get();
        }
    }
}
