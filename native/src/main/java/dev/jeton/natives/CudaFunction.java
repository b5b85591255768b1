package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.util.Optional;

/** A kernel of a module; lives as long as the module. Owned by one thread at a time. */
public final class CudaFunction {

    /** Numbers of {@code CUfunction_attribute} in cuda.h. */
    private static final int MOST_THREADS = 0;

    private static final int STATIC_SHARED = 1;
    private static final int LOCAL = 3;
    private static final int REGISTERS = 4;
    private static final int MOST_DYNAMIC_SHARED = 8;
    private static final int SHARED_CARVEOUT = 9;
    /** Percent: as much as there is. */
    private static final int ALL = 100;
    /** {@code CUDA_ERROR_INVALID_VALUE}: there is no such parameter. */
    private static final int PAST_THE_LAST = 1;
    /** More than any kernel has: parameters take 4 KB, or 32 KB on newer devices. */
    private static final int MOST_PARAMETERS = 512;

    private final CudaModule module;
    private final CudaCalls calls;
    private final long handle;
    private final String name;
    private Optional<ProgrammaticLaunch> programmatic = Optional.empty();

    CudaFunction(CudaModule module, long handle, String name) {
        this.module = module;
        this.calls = module.calls;
        this.handle = handle;
        this.name = name;
    }

    /** Its name. */
    public String name() {
        return name;
    }

    private CudaException failed(NativeCall call, int code, String arguments) {
        return calls.failure(
                call,
                code,
                "kernel %s%s, %s"
                        .formatted(name, arguments.isEmpty() ? "" : ", " + arguments, module.context.device()));
    }

    private int attribute(int which) {
        module.handle();
        var out = module.context.out();
        int code = calls.functionGetAttribute.call(out.address(), which, handle);
        if (code != 0) {
            throw failed(calls.functionGetAttribute, code, "attribute " + which);
        }
        return out.get(JAVA_INT, 0);
    }

    /** Threads that a block of it may have at most: what its registers leave room for. */
    public int mostThreads() {
        return attribute(MOST_THREADS);
    }

    /** Registers of each thread. */
    public int registers() {
        return attribute(REGISTERS);
    }

    /** Shared memory of each block, declared with a size, bytes. */
    public int staticSharedBytes() {
        return attribute(STATIC_SHARED);
    }

    /** Memory of each thread that did not fit into registers, bytes: 0 in a good kernel. */
    public int localBytes() {
        return attribute(LOCAL);
    }

    /** Lets launches ask for so much dynamic shared memory: necessary from 48 KiB on. */
    public void allowSharedBytes(int bytes) {
        module.handle();
        int code = calls.functionSetAttribute.call(handle, MOST_DYNAMIC_SHARED, bytes);
        if (code != 0) {
            throw failed(calls.functionSetAttribute, code, "%d bytes of shared memory".formatted(bytes));
        }
    }

    /**
     * Asks for multiprocessors that give as much of their memory as they can to shared memory, whatever this kernel
     * needs: kernels that ask for different parts of it cannot be on a multiprocessor together. A hint.
     */
    public void preferShared() {
        module.handle();
        int code = calls.functionSetAttribute.call(handle, SHARED_CARVEOUT, ALL);
        if (code != 0) {
            throw failed(calls.functionSetAttribute, code, "all memory shared");
        }
    }

    /** How many blocks of so many threads and so much dynamic shared memory run on a multiprocessor at once. */
    public int blocksPerMultiprocessor(int threads, long sharedBytes) {
        module.handle();
        var out = module.context.out();
        int code = calls.occupancy.call(out.address(), handle, threads, sharedBytes);
        if (code != 0) {
            throw failed(calls.occupancy, code, "%d threads, %d bytes shared".formatted(threads, sharedBytes));
        }
        return out.get(JAVA_INT, 0);
    }

    /** A block of arguments as this kernel takes them, all zero; lives as long as it is reachable. */
    public KernelArguments arguments() {
        module.handle();
        var out = module.context.out();
        int[] sizes = new int[MOST_PARAMETERS];
        int count = 0;
        while (count < MOST_PARAMETERS) {
            int code = calls.functionGetParamInfo.call(handle, count, out.address(), out.address() + 8);
            if (code == PAST_THE_LAST) {
                break;
            }
            if (code != 0) {
                throw failed(calls.functionGetParamInfo, code, "parameter " + count);
            }
            sizes[count++] = Math.toIntExact(out.get(JAVA_LONG, 8));
        }
        return new KernelArguments(name, java.util.Arrays.copyOf(sizes, count));
    }

    /** Queues a launch of {@code blocks} blocks of {@code threads} threads, in one dimension. */
    public void launch(int blocks, int threads, int sharedBytes, CudaStream stream, KernelArguments arguments) {
        launch(blocks, 1, 1, threads, 1, 1, sharedBytes, stream, arguments);
    }

    /**
     * Queues a launch. Allocates nothing; the arguments are read before it returns, so the block can be changed at
     * once.
     *
     * @param sharedBytes dynamic shared memory of each block
     * @throws CudaException where the launch is refused; what goes wrong on the device is raised by a later call
     */
    public void launch(
            int gridX,
            int gridY,
            int gridZ,
            int blockX,
            int blockY,
            int blockZ,
            int sharedBytes,
            CudaStream stream,
            KernelArguments arguments) {
        module.handle();
        int code = calls.launchKernel.call(
                handle,
                gridX,
                gridY,
                gridZ,
                blockX,
                blockY,
                blockZ,
                sharedBytes,
                stream.handle(),
                arguments.table(),
                0);
        if (code != 0) {
            throw failed(
                    calls.launchKernel,
                    code,
                    "grid %d x %d x %d, block %d x %d x %d, %d bytes shared, arguments %s"
                            .formatted(gridX, gridY, gridZ, blockX, blockY, blockZ, sharedBytes, arguments));
        }
    }

    /**
     * The same, and blocks may come onto the device as soon as all blocks of the kernel before on the stream have begun
     * and say so (CUDA C++ programming guide, "Programmatic dependent launch"): what a launch costs passes meanwhile.
     * Only for kernels that wait for the one before by {@code griddepcontrol.wait}, in each thread, ahead of all that
     * depends on it; devices of compute capability 9.0 and newer. Under capture it becomes an edge of the graph.
     *
     * @throws CudaException where the launch is refused, as by an older device
     */
    public void launchProgrammatic(
            int gridX, int gridY, int threads, int sharedBytes, CudaStream stream, KernelArguments arguments) {
        module.handle();
        if (programmatic.isEmpty()) {
            programmatic = Optional.of(new ProgrammaticLaunch());
        }
        long configuration = programmatic.get().configuration(gridX, gridY, threads, sharedBytes, stream);
        int code = calls.launchKernelEx.call(configuration, handle, arguments.table(), 0);
        if (code != 0) {
            throw failed(
                    calls.launchKernelEx,
                    code,
                    "programmatic, grid %d x %d, %d threads, %d bytes shared, arguments %s"
                            .formatted(gridX, gridY, threads, sharedBytes, arguments));
        }
    }

    @Override
    public String toString() {
        return name;
    }
}
