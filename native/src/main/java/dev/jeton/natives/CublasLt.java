package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Optional;

/**
 * cuBLASLt: matrix products at the device's full rate. A handle, and one workspace that all its plans share: so plans
 * of one handle run on one stream at a time. Owned by one thread at a time, with its context; close it before the
 * context.
 */
public final class CublasLt implements AutoCloseable {

    /**
     * How products are made.
     *
     * @param workspaceBytes of device memory for what algorithms keep aside; NVIDIA advises 32 MiB from Hopper on
     * @param deterministic only algorithms that sum in one fixed order, chosen by shape alone
     * @param fastFp8 whether products of fp8 may keep their sums in fewer bits, on devices that are faster so (Hopper)
     * @param cache of searched algorithms; empty for none
     */
    public record Options(
            long workspaceBytes, boolean deterministic, boolean fastFp8, Optional<AlgorithmCache> cache) {}

    final CublasLtCalls calls;
    final CudaContext context;
    private final Options options;
    private final DeviceMemory workspace;
    private final long handle;
    private final long version;
    private boolean open = true;

    private CublasLt(CublasLtCalls calls, CudaContext context, Options options) {
        this.calls = calls;
        this.context = context;
        this.options = options;
        version = calls.version();
        workspace = context.allocate(Math.max(256, options.workspaceBytes()));
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_LONG);
            calls.check(
                    calls.create,
                    calls.create.call(out.address()),
                    context.device().toString());
            handle = out.get(JAVA_LONG, 0);
        } catch (RuntimeException e) {
            workspace.close();
            throw e;
        }
    }

    /**
     * Loads cuBLASLt and makes a handle in a context, which must be the calling thread's.
     *
     * @param configured its file; empty to search the usual places
     * @throws LibraryMissingException where there is none, listing what was looked for
     */
    public static CublasLt open(Optional<Path> configured, CudaContext context, Options options) {
        CublasLtCalls calls = new CublasLtCalls(NativeLibrary.find(
                "cuBLASLt (from the CUDA toolkit, or the Python package nvidia-cublas)",
                configured,
                LibraryPlaces.names("libcublasLt.so", context.device().cudaVersion()),
                LibraryPlaces.toolkit()));
        return new CublasLt(calls, context, options);
    }

    /** Its version, as 130101 for 13.1.1. */
    public long version() {
        return version;
    }

    /** Where it was found. */
    public String place() {
        return calls.library.place();
    }

    long handle() {
        if (!open) {
            throw new IllegalStateException("cuBLASLt of %s is used after it was closed".formatted(context.device()));
        }
        return handle;
    }

    Options options() {
        return options;
    }

    DeviceMemory workspace() {
        return workspace;
    }

    /**
     * A plan for products of one shape, with the algorithm that the cache has, else cuBLASLt's own first choice.
     *
     * @throws CudaException where the device cannot do it
     */
    public MatmulPlan plan(MatmulShape shape) {
        handle();
        return new MatmulPlan(this, shape);
    }

    /** Lets go of the handle and the workspace; plans must not be used any more. */
    @Override
    public void close() {
        if (open) {
            open = false;
            int code = calls.destroy.call(handle);
            workspace.close();
            if (code != 0 && code != CublasLtCalls.EXECUTION_FAILED) {
                throw calls.failure(calls.destroy, code, context.device().toString());
            }
        }
    }
}
