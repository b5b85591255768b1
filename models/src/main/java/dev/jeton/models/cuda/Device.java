package dev.jeton.models.cuda;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import dev.jeton.models.DeviceOptions;
import dev.jeton.models.ModelException;
import dev.jeton.natives.AlgorithmCache;
import dev.jeton.natives.CublasLt;
import dev.jeton.natives.CudaContext;
import dev.jeton.natives.CudaDevice;
import dev.jeton.natives.CudaDeviceLostException;
import dev.jeton.natives.CudaEvent;
import dev.jeton.natives.CudaException;
import dev.jeton.natives.CudaFunction;
import dev.jeton.natives.CudaGraph;
import dev.jeton.natives.CudaGraphExec;
import dev.jeton.natives.CudaModule;
import dev.jeton.natives.CudaStream;
import dev.jeton.natives.DeviceMemory;
import dev.jeton.natives.KernelCache;
import dev.jeton.natives.Kernels;
import dev.jeton.natives.MatmulPlan;
import dev.jeton.natives.MatmulShape;
import dev.jeton.natives.MatrixType;
import dev.jeton.natives.NativeException;
import dev.jeton.natives.Nccl;
import dev.jeton.natives.NcclRank;
import dev.jeton.natives.NcclRanks;
import dev.jeton.natives.NcclType;
import dev.jeton.natives.Nvrtc;
import dev.jeton.natives.PinnedMemory;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One GPU as the engine uses it: a context with one stream, on which everything happens in order, and what was opened
 * in it, all of which closes with it. Engines of one process on one GPU share its context: what loses one loses all.
 *
 * <p>Owned by one thread at a time; {@link #enter} makes it the calling thread's.
 */
final class Device implements AutoCloseable {

    private static final Logger LOG = LoggerFactory.getLogger(Device.class);
    private static final int LEAST_CAPABILITY = 80;
    private static final long MOST_KERNEL_BYTES = 256L << 20;
    private static final long PRODUCT_WORKSPACE = 32L << 20;

    private final CudaContext context;
    private final CudaStream stream;
    private final Kernels sources;
    private final CublasLt products;
    private final MatrixType type;
    private final Map<MatmulShape, MatmulPlan> plans = new HashMap<>();
    private final List<CopyLane> lanes = new ArrayList<>();
    private final boolean deterministic;
    private final ProgrammaticLaunches launches;
    private Thread owner = Thread.currentThread();
    private Optional<PeerLink> link = Optional.empty();
    private boolean capturing;
    private boolean closed;

    private Device(
            CudaContext context, Nvrtc nvrtc, DeviceLibraries libraries, DeviceOptions options, MatrixType type) {
        this.context = context;
        this.type = type;
        deterministic = options.deterministic();
        launches = new ProgrammaticLaunches(
                options.programmaticLaunches(), context.device().attributes().programmaticLaunches());
        stream = context.stream();
        sources = new Kernels(
                Optional.of(nvrtc),
                Optional.of(new KernelCache(libraries.cache().resolve("kernels"), MOST_KERNEL_BYTES)));
        products = CublasLt.open(
                libraries.cublasLt(),
                context,
                new CublasLt.Options(
                        PRODUCT_WORKSPACE,
                        deterministic,
                        options.fastFp8(),
                        Optional.of(new AlgorithmCache(libraries.cache().resolve("algorithms"), LOG::warn))));
    }

    /**
     * Opens a GPU.
     *
     * @throws dev.jeton.natives.LibraryMissingException naming what is missing and where it was looked for
     */
    static Device open(DeviceLibraries libraries, CudaDevice device, DeviceOptions options, DeviceShape.Type type) {
        int capability = device.attributes().capability();
        if (capability < LEAST_CAPABILITY) {
            throw new ModelException("%s has compute capability %d.%d; the cuda engine needs 8.0 (A100) or newer"
                    .formatted(device, capability / 10, capability % 10));
        }
        Nvrtc nvrtc = Nvrtc.open(libraries.nvrtc(), device.cudaVersion());
        CudaContext context = device.open();
        try {
            return new Device(
                    context,
                    nvrtc,
                    libraries,
                    options,
                    type == DeviceShape.Type.BF16 ? MatrixType.BF16 : MatrixType.F16);
        } catch (RuntimeException | Error e) {
            context.close();
            throw e;
        }
    }

    /** Makes the device the calling thread's, where it is another's. */
    void enter() {
        if (Thread.currentThread() != owner) {
            context.makeCurrent();
            owner = Thread.currentThread();
        }
    }

    /** The product and what names it for ever, as {@code NVIDIA H200 (GPU-5b6f...)}. */
    String name() {
        return "%s (%s)".formatted(context.device().name(), context.device().uuid());
    }

    int multiprocessors() {
        return context.device().attributes().multiprocessors();
    }

    /** Bytes of memory that are free now. */
    long freeBytes() {
        return context.memory().free();
    }

    // ---- memory ------------------------------------------------------------------------------------------------

    /**
     * Memory of undefined content.
     *
     * @throws ModelException where there is too little
     */
    DeviceMemory memory(long bytes) {
        return memoryIfFree(bytes)
                .orElseThrow(
                        () -> new ModelException(("%s has too little memory: %d bytes are asked for, %d are free; use a"
                                        + " smaller model, --max-model-len, --max-num-seqs or --max-batched-tokens")
                                .formatted(name(), bytes, freeBytes())));
    }

    /** The same; empty where there is too little, which harms nothing that is there already. */
    Optional<DeviceMemory> memoryIfFree(long bytes) {
        return unlessFull(() -> context.allocate(Math.max(bytes, 16)));
    }

    private static <T> Optional<T> unlessFull(Supplier<T> allocation) {
        try {
            return Optional.of(allocation.get());
        } catch (CudaException e) {
            if (e.outOfMemory()) {
                return Optional.empty();
            }
            throw e;
        }
    }

    /** Memory full of zeros. */
    DeviceMemory zeroed(long bytes) {
        DeviceMemory memory = memory(bytes);
        memory.fill(0, memory.bytes(), (byte) 0, stream);
        return memory;
    }

    /** Memory with these numbers. */
    DeviceMemory constants(double[] values) {
        DeviceMemory memory = memory(8L * values.length);
        try (PinnedMemory staging = pinned(8L * values.length)) {
            MemorySegment.copy(values, 0, staging.segment(), JAVA_DOUBLE, 0, values.length);
            upload(memory, 0, staging, 0, 8L * values.length);
            await();
        }
        return memory;
    }

    /** Reads integers that lie on the device, and waits for them. */
    int[] integers(DeviceMemory from, int count) {
        try (PinnedMemory staging = pinned(4L * count)) {
            from.download(0, staging.segment(), 0, 4L * count, stream);
            await();
            return staging.segment().asSlice(0, 4L * count).toArray(JAVA_INT);
        }
    }

    /** Host memory that the device copies from and to by itself. */
    PinnedMemory pinned(long bytes) {
        return context.pin(bytes);
    }

    /** The same; empty where the host has too little that can be pinned. */
    Optional<PinnedMemory> pinnedIfFree(long bytes) {
        return unlessFull(() -> pinned(bytes));
    }

    /** Queues a copy to the device. */
    void upload(DeviceMemory to, long toOffset, PinnedMemory from, long fromOffset, long bytes) {
        to.upload(toOffset, from.segment(), fromOffset, bytes, stream);
    }

    /** Queues a copy from the device. */
    void download(PinnedMemory to, DeviceMemory from, long bytes) {
        from.download(0, to.segment(), 0, bytes, stream);
    }

    /** Waits until all that was queued is done. */
    void await() {
        if (link.isEmpty()) {
            stream.synchronize();
            return;
        }
        long asked = System.nanoTime();
        while (!stream.isDone()) {
            asked = link.get().ask(asked);
        }
    }

    // ---- other devices -----------------------------------------------------------------------------------------

    /** Joins devices, in the order of ranks; all belong to the calling thread meanwhile, and the first afterwards. */
    static NcclRanks join(Nccl nccl, List<Device> devices) {
        NcclRanks ranks =
                nccl.join(devices.stream().map(device -> device.context).toList());
        for (int i = 0; i < devices.size(); i++) {
            devices.get(i).join(ranks.rank(i));
        }
        return ranks;
    }

    private void join(NcclRank rank) {
        link = Optional.of(new PeerLink(rank, type == MatrixType.BF16 ? NcclType.BF16 : NcclType.F16, stream));
    }

    /** Its part among others; empty where it was not joined. */
    Optional<PeerLink> link() {
        return link;
    }

    /** Whether it is joined with others, or by itself as if with others. */
    boolean joined() {
        return link.isPresent();
    }

    // ---- copies beside the steps -------------------------------------------------------------------------------

    /** Another lane. */
    CopyLane lane() {
        CopyLane lane = new CopyLane(context);
        lanes.add(lane);
        return lane;
    }

    // ---- marks and graphs --------------------------------------------------------------------------------------

    /** A mark without a time. */
    Mark mark() {
        return mark(context.event(false));
    }

    /** A mark whose time can be asked for. */
    Mark timedMark() {
        return mark(context.event());
    }

    private Mark mark(CudaEvent event) {
        return new Mark(event, stream, link);
    }

    /** Records what {@code work} queues instead of doing it. */
    Graph capture(Runnable work) {
        stream.beginCapture();
        capturing = true;
        boolean whole = false;
        try {
            work.run();
            whole = true;
        } finally {
            capturing = false;
            if (!whole) {
                abandonCapture();
            }
        }
        try (CudaGraph graph = stream.endCapture()) {
            CudaGraphExec ready = graph.instantiate();
            ready.upload(stream);
            return new Graph(ready, stream);
        }
    }

    private void abandonCapture() {
        try {
            stream.endCapture().close();
        } catch (CudaException e) {
            // the failure that ended the recording is on its way
            return;
        }
    }

    // ---- kernels and products ----------------------------------------------------------------------------------

    /** Loads a source of {@code native/kernels}, compiled for this device. */
    CudaModule module(String source, List<String> macros) {
        return context.module(sources.cubin(source, macros, context.device().architecture()));
    }

    /** Bytes of shared memory that a block may have at most. */
    int mostShared() {
        return context.device().attributes().sharedPerBlockOptIn();
    }

    /** A kernel of a module. */
    Kernel kernel(CudaModule module, String name) {
        CudaFunction function = module.function(name);
        launches.prepare(function);
        return new Kernel(function, stream, launches);
    }

    /** How its kernels are launched. */
    ProgrammaticLaunches launches() {
        return launches;
    }

    /**
     * The shape of a product {@code y[rows][n] = x[rows][k] · w[n][k]^T} through cuBLASLt.
     *
     * @param fp8 whether x and w are e4m3 with scales of their rows instead of the engine's type
     * @param wide whether y is float32 instead of the engine's type
     */
    MatmulShape product(int rows, int n, int k, boolean fp8, boolean wide) {
        return new MatmulShape(
                rows, n, k, fp8 ? MatrixType.F8_E4M3 : type, wide ? MatrixType.F32 : type, fp8, false, false);
    }

    /** Whether cuBLASLt can do a product on this device. */
    boolean can(MatmulShape shape) {
        try {
            plan(shape);
            return true;
        } catch (CudaDeviceLostException e) {
            throw e;
        } catch (CudaException e) {
            LOG.info("products of fp8 are made in sixteen bits: {}", e.getMessage());
            return false;
        }
    }

    /** Queues a product; scales are 0 where the shape has none. */
    void multiply(MatmulShape shape, long x, long xScales, long w, long wScales, long y) {
        plan(shape).run(x, w, y, 0, xScales, wScales, stream);
    }

    /** How cuBLASLt computes a product, chosen when it is first asked for. */
    MatmulPlan plan(MatmulShape shape) {
        MatmulPlan plan = plans.get(shape);
        if (plan == null) {
            // drivers refuse cuBLASLt's questions then
            assert !capturing : "%s is not planned before steps are recorded".formatted(shape);
            plan = products.plan(shape);
            plans.put(shape, plan);
        }
        return plan;
    }

    /** Whether times decide nothing. */
    boolean deterministic() {
        return deterministic;
    }

    /** Times cuBLASLt's algorithms for a product with several matrices of its shape, and keeps the fastest. */
    void search(MatmulShape shape, long x, long xScales, long[] ws, long wScales, long y) {
        plan(shape).search(x, ws, y, 0, xScales, wScales, stream);
    }

    /** Waits until nothing is under way, or nothing ever will be. */
    void settle() {
        quietly(this::enter);
        quietly(stream::synchronize);
    }

    /** Closes all that was opened; a device that is lost has nothing left to close. */
    @Override
    public void close() {
        if (closed) {
            return;
        }
        closed = true;
        quietly(this::enter);
        quietly(stream::synchronize);
        lanes.forEach(lane -> quietly(lane::await));
        plans.values().forEach(plan -> quietly(plan::close));
        quietly(products::close);
        quietly(context::close);
    }

    /** One thing that cannot be closed must not keep the rest, which is the device's memory. */
    private static void quietly(Runnable work) {
        try {
            work.run();
        } catch (NativeException e) {
            LOG.warn("the GPU could not be let go of in good order: {}", e.getMessage());
        }
    }
}
