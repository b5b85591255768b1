package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import java.io.PrintStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/**
 * Tries everything that the CUDA engine stands on, on the GPU at hand, and says what it found: for the first run on a
 * machine. A line for each step; the exit code is 0 where all went well, 1 where one failed, 2 for a wrong command
 * line.
 *
 * <p>Usage: {@code Probe [--driver FILE] [--nvrtc FILE] [--cublaslt FILE] [--nvml FILE] [--nccl FILE]}; without a file
 * the usual places are searched. NCCL need not be there: only a model on several GPUs asks for it.
 */
public final class Probe {

    private static final String SOURCE = """
            extern "C" __global__ void total(const float* x, int n, float* out) {
                __shared__ float part[8];
                float v = 0;
                for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) v += x[i];
                for (int o = 16; o > 0; o >>= 1) v += __shfl_xor_sync(0xffffffffu, v, o);
                if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = v;
                __syncthreads();
                if (threadIdx.x < 8) atomicAdd(out, part[threadIdx.x]);
            }
            """;

    private static final List<String> FLAGS = List.of("--driver", "--nvrtc", "--cublaslt", "--nvml", "--nccl");
    private static final int COUNT = 100_000;
    private static final int THREADS = 256;
    private static final long MOST_COPIED = 1L << 28;
    private static final int COPIES = 8;

    private final PrintStream out;
    private final Path[] files;
    private int failures;

    private Probe(PrintStream out, Path[] files) {
        this.out = out;
        this.files = files;
    }

    /** Runs it and exits. */
    public static void main(String[] arguments) {
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        System.exit(run(out, arguments));
    }

    /** Runs it; the exit code. */
    static int run(PrintStream out, String... arguments) {
        Path[] files = new Path[FLAGS.size()];
        for (int i = 0; i < arguments.length; i += 2) {
            int flag = FLAGS.indexOf(arguments[i]);
            if (flag < 0 || i + 1 == arguments.length) {
                out.printf("usage: Probe [%s FILE]%n", String.join(" FILE] [", FLAGS));
                return 2;
            }
            files[flag] = Path.of(arguments[i + 1]);
        }
        Probe probe = new Probe(out, files);
        probe.everything();
        out.println(probe.failures == 0 ? "all went well" : probe.failures + " failed");
        return probe.failures == 0 ? 0 : 1;
    }

    private interface Step {
        String result();
    }

    /** One line, or the failure's message; a failure ends nothing but itself. */
    private boolean step(String name, Step step) {
        try {
            out.printf("%-10s %s%n", name, step.result());
            return true;
        } catch (RuntimeException e) {
            failures++;
            out.printf("%-10s FAILED: %s%n", name, e.getMessage());
            return false;
        }
    }

    private Optional<Path> file(int flag) {
        return Optional.ofNullable(files[flag]);
    }

    private void everything() {
        step("nvml", this::telemetry);
        Optional<CudaDevice> device = device();
        Optional<Nvrtc> nvrtc = compiler(device.map(CudaDevice::cudaVersion).orElse(0));
        if (device.isEmpty()) {
            return;
        }
        step("context", () -> {
            try (CudaContext context = device.get().open()) {
                nvrtc.ifPresent(compiler -> step("kernel", () -> kernel(context, compiler)));
                step("graph", () -> graph(context));
                nvrtc.ifPresent(compiler -> step("launches", () -> ProbeLaunches.result(context, compiler)));
                step("matmul", () -> matmul(context));
                step("copies", () -> copies(context));
                step("nccl", () -> exchange(context));
                CudaContext.Memory memory = context.memory();
                return "%,d of %,d bytes free".formatted(memory.free(), memory.total());
            }
        });
    }

    private Optional<CudaDevice> device() {
        CudaDevice[] found = new CudaDevice[1];
        step("driver", () -> {
            CudaDriver driver = CudaDriver.open(file(0));
            found[0] = driver.devices().getFirst();
            CudaDevice.Attributes attributes = found[0].attributes();
            return "CUDA %d, %s; %d devices, the first %s at %s, %s, %d multiprocessors, %,d bytes"
                    .formatted(
                            driver.version(),
                            driver.place(),
                            driver.devices().size(),
                            found[0],
                            found[0].pciBusId(),
                            found[0].architecture(),
                            attributes.multiprocessors(),
                            found[0].bytes());
        });
        return Optional.ofNullable(found[0]);
    }

    private Optional<Nvrtc> compiler(int cudaVersion) {
        Nvrtc[] found = new Nvrtc[1];
        step("nvrtc", () -> {
            found[0] = Nvrtc.open(file(1), cudaVersion);
            return "%s, %s".formatted(found[0].version(), found[0].place());
        });
        return Optional.ofNullable(found[0]);
    }

    static void require(boolean fine, String message) {
        if (!fine) {
            throw new NativeException(message);
        }
    }

    private static String kernel(CudaContext context, Nvrtc nvrtc) {
        long started = System.nanoTime();
        byte[] cubin = nvrtc.compile(
                new KernelSource("probe.cu", SOURCE), context.device().architecture());
        long compiled = System.nanoTime() - started;
        try (Arena arena = Arena.ofConfined();
                CudaModule module = context.module(cubin);
                CudaStream stream = context.stream();
                DeviceMemory x = context.allocate(4L * COUNT);
                DeviceMemory total = context.allocate(4)) {
            MemorySegment host = arena.allocate(4L * COUNT, 16);
            double expected = 0;
            for (int i = 0; i < COUNT; i++) {
                host.setAtIndex(JAVA_FLOAT, i, i % 5);
                expected += i % 5;
            }
            x.upload(0, host, 0, host.byteSize(), stream);
            total.fill(0, 4, 0, stream);
            CudaFunction function = module.function("total");
            function.launch(
                    16,
                    THREADS,
                    0,
                    stream,
                    function.arguments().set(0, x).set(1, COUNT).set(2, total));
            total.download(0, host, 0, 4, stream);
            stream.synchronize();
            require(
                    host.get(JAVA_FLOAT, 0) == expected,
                    "the sum is %f, not %f".formatted(host.get(JAVA_FLOAT, 0), expected));
            return "compiled in %d ms for %s, %d registers, right"
                    .formatted(compiled / 1_000_000, context.device().architecture(), function.registers());
        }
    }

    private static String graph(CudaContext context) {
        try (CudaStream stream = context.stream();
                PinnedMemory pinned = context.pin(8);
                DeviceMemory x = context.allocate(8)) {
            stream.beginCapture();
            x.fill(0, 4, 7, stream);
            x.copyFrom(4, x, 0, 4, stream);
            x.download(0, pinned.segment(), 0, 8, stream);
            try (CudaGraph graph = stream.endCapture();
                    CudaGraphExec exec = graph.instantiate()) {
                exec.launch(stream);
                stream.synchronize();
                long found = pinned.segment().get(java.lang.foreign.ValueLayout.JAVA_LONG, 0);
                require(found == 0x7_0000_0007L, "the graph has left %x".formatted(found));
                return "%d operations captured and replayed, right".formatted(graph.nodes());
            }
        }
    }

    private String matmul(CudaContext context) {
        MatmulShape shape = new MatmulShape(64, 256, 512, MatrixType.BF16, MatrixType.F32);
        CublasLt.Options options = new CublasLt.Options(32L << 20, false, false, Optional.empty());
        try (Arena arena = Arena.ofConfined();
                CublasLt cublas = CublasLt.open(file(2), context, options);
                MatmulPlan plan = cublas.plan(shape);
                CudaStream stream = context.stream();
                DeviceMemory x = context.allocate(2L * shape.m() * shape.k());
                DeviceMemory w = context.allocate(2L * shape.n() * shape.k());
                DeviceMemory y = context.allocate(4L * shape.m() * shape.n())) {
            float[] left = numbers(shape.m() * shape.k(), 3);
            float[] right = numbers(shape.n() * shape.k(), 5);
            x.upload(bf16(arena, left));
            w.upload(bf16(arena, right));
            plan.run(x, w, y, stream);
            stream.synchronize();
            MemorySegment found = arena.allocate(y.bytes(), 16);
            y.download(found);
            double worst = worst(shape, left, right, found);
            require(worst < 1e-3, "a sum is wrong by %g".formatted(worst));
            return "cuBLASLt %d, %s; bf16 %d x %d by %d, wrong by %.1e at most"
                    .formatted(cublas.version(), cublas.place(), shape.m(), shape.n(), shape.k(), worst);
        }
    }

    /** Multiples of an eighth between -1 and 1, which bf16 has exactly. */
    private static float[] numbers(int count, int step) {
        float[] numbers = new float[count];
        for (int i = 0; i < count; i++) {
            numbers[i] = (i * step % 17 - 8) / 8f;
        }
        return numbers;
    }

    private static MemorySegment bf16(Arena arena, float[] values) {
        MemorySegment bits = arena.allocate(2L * values.length, 16);
        for (int i = 0; i < values.length; i++) {
            bits.setAtIndex(JAVA_SHORT, i, (short) (Float.floatToRawIntBits(values[i]) >> 16));
        }
        return bits;
    }

    private static double worst(MatmulShape shape, float[] x, float[] w, MemorySegment y) {
        double worst = 0;
        for (int row = 0; row < shape.m(); row++) {
            for (int column = 0; column < shape.n(); column++) {
                double sum = 0;
                for (int i = 0; i < shape.k(); i++) {
                    sum += (double) x[row * shape.k() + i] * w[column * shape.k() + i];
                }
                double found = y.getAtIndex(JAVA_FLOAT, (long) row * shape.n() + column);
                worst = Math.max(worst, Double.isNaN(found) ? Double.MAX_VALUE : Math.abs(found - sum));
            }
        }
        return worst;
    }

    /** Best of some copies, after one that is not counted. */
    private static String copies(CudaContext context) {
        long bytes = Math.min(MOST_COPIED, context.memory().free() / 16 / 4096 * 4096);
        try (CudaStream stream = context.stream();
                CudaEvent start = context.event();
                CudaEvent end = context.event();
                PinnedMemory pinned = context.pin(bytes);
                DeviceMemory from = context.allocate(bytes);
                DeviceMemory to = context.allocate(bytes)) {
            from.fill(0, bytes, (byte) 1, stream);
            double within = 2 * best(bytes, start, end, stream, () -> to.copyFrom(0, from, 0, bytes, stream));
            double up = best(bytes, start, end, stream, () -> to.upload(0, pinned.segment(), 0, bytes, stream));
            double down = best(bytes, start, end, stream, () -> to.download(0, pinned.segment(), 0, bytes, stream));
            return "%,d bytes: within the device %.1f GB/s read and written, to it %.1f GB/s, from it %.1f GB/s"
                    .formatted(bytes, within, up, down);
        }
    }

    private static double best(long bytes, CudaEvent start, CudaEvent end, CudaStream stream, Runnable copy) {
        double best = 0;
        for (int i = 0; i <= COPIES; i++) {
            start.record(stream);
            copy.run();
            end.record(stream);
            stream.synchronize();
            if (i > 0) {
                best = Math.max(best, bytes / 1e6 / Math.max(1e-6, end.millisSince(start)));
            }
        }
        return best;
    }

    /** A sum and a gather of one rank, through the same calls as of many. */
    private String exchange(CudaContext context) {
        Nccl nccl;
        try {
            nccl = Nccl.open(file(4));
        } catch (LibraryMissingException e) {
            return "not needed for one GPU; for a model on several: " + e.getMessage();
        }
        try (Arena arena = Arena.ofConfined();
                CudaStream stream = context.stream();
                DeviceMemory x = context.allocate(8L * COUNT);
                NcclRanks ranks = nccl.join(List.of(context))) {
            MemorySegment host = arena.allocate(8L * COUNT, 16);
            for (int i = 0; i < COUNT; i++) {
                host.setAtIndex(JAVA_FLOAT, i, i);
            }
            x.upload(0, host, 0, 4L * COUNT, stream);
            NcclRank rank = ranks.rank(0);
            stream.beginCapture();
            rank.allReduce(x.address(), x.address(), COUNT, NcclType.F32, stream);
            rank.allGather(x.address(), x.address() + 4L * COUNT, COUNT, NcclType.F32, stream);
            try (CudaGraph graph = stream.endCapture();
                    CudaGraphExec exec = graph.instantiate()) {
                exec.launch(stream);
                stream.synchronize();
            }
            rank.check();
            x.download(0, host, 0, 8L * COUNT, stream);
            stream.synchronize();
            for (int i = 0; i < COUNT; i++) {
                require(
                        host.getAtIndex(JAVA_FLOAT, i) == i && host.getAtIndex(JAVA_FLOAT, COUNT + i) == i,
                        "element %d of a sum or a gather is wrong".formatted(i));
            }
            return "NCCL %s, %s; one rank's sum and gather in a graph, right".formatted(nccl.version(), nccl.place());
        }
    }

    private String telemetry() {
        try (Nvml nvml = Nvml.open(file(3))) {
            NvmlDevice device = nvml.devices().getFirst();
            return "driver %s, %s; %s, %s mJ so far, %s W, %s C"
                    .formatted(
                            nvml.driver(),
                            nvml.place(),
                            device,
                            device.millijoules().isPresent()
                                    ? device.millijoules().getAsLong()
                                    : "no counter of",
                            device.watts().isPresent() ? device.watts().getAsDouble() : "?",
                            device.celsius().isPresent() ? device.celsius().getAsInt() : "?");
        }
    }
}
