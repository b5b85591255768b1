package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.sun.management.ThreadMXBean;
import dev.jeton.natives.testing.CudaStandIn;
import dev.jeton.natives.testing.CudaStandIn.Resource;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.Optional;
import java.util.Random;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The bindings of the driver and NVRTC, against a machine that runs kernels on the host. */
class CudaTest {

    private static final String SOURCE = """
            extern "C" __global__ void sum(const float* x, int n, float* total) {
                __shared__ float warps[8];
                extern __shared__ float values[];
                int i = blockIdx.x * blockDim.x + threadIdx.x;
                values[threadIdx.x] = i < n ? x[i] : 0.0f;
                __syncthreads();
                float v = values[blockDim.x - 1 - threadIdx.x];
                for (int o = 16; o > 0; o >>= 1) v += __shfl_xor_sync(0xffffffffu, v, o);
                if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = v;
                __syncthreads();
                if (threadIdx.x == 0) {
                    float s = 0;
                    for (int w = 0; w < blockDim.x / 32; w++) s += warps[w];
                    atomicAdd(total, s);
                }
            }
            extern "C" __global__ void scale(float* x, int n, float by, double plus) {
                int i = blockIdx.x * blockDim.x + threadIdx.x;
                if (i < n) x[i] = (float) (x[i] * by + plus);
            }
            extern "C" __global__ void stuck(int n) { if (threadIdx.x < n) __syncthreads(); else __syncwarp(); }
            extern "C" __global__ void overrun(float* x, int n) { x[n + threadIdx.x] = 1; }
            extern "C" __device__ int numbers[3] = {4, 5, 6};
            """;

    @TempDir
    private static Path folder;

    private static CudaStandIn machine;
    private static byte[] cubin;

    private CudaContext context;
    private CudaStream stream;
    private CudaModule module;
    private Arena arena;

    @BeforeAll
    static void build() throws IOException {
        Assumptions.assumeTrue(
                CudaStandIn.possible(), "there is no C++ compiler (g++), so the CUDA bindings are not tested");
        machine = CudaStandIn.compile(folder);
        cubin = nvrtc().compile(new KernelSource("test.cu", SOURCE), "sm_90a");
    }

    private static Nvrtc nvrtc() {
        return Nvrtc.open(Optional.of(machine.nvrtc()));
    }

    private static CudaDriver driver() {
        return CudaDriver.open(Optional.of(machine.driver()));
    }

    @BeforeEach
    void open() {
        machine.reset();
        context = driver().devices().getFirst().open();
        stream = context.stream();
        module = context.module(cubin);
        arena = Arena.ofConfined();
    }

    @AfterEach
    void close() {
        machine.heal();
        machine.immediate();
        machine.order(0);
        machine.checking(false);
        context.close();
        arena.close();
    }

    private DeviceMemory floats(float... values) {
        DeviceMemory memory = context.allocate(4L * values.length);
        memory.upload(arena.allocateFrom(JAVA_FLOAT, values));
        return memory;
    }

    private float[] read(DeviceMemory memory) {
        MemorySegment to = arena.allocate(memory.bytes(), 16);
        memory.download(to);
        return to.toArray(JAVA_FLOAT);
    }

    private KernelArguments scaling(DeviceMemory x, int n, float by, double plus) {
        return module.function("scale")
                .arguments()
                .set(0, x)
                .set(1, n)
                .set(2, by)
                .set(3, plus);
    }

    @Test
    void deviceSaysWhatItIs() {
        CudaDriver driver = driver();
        assertThat(driver.version()).isEqualTo(13000);
        CudaDevice device = driver.devices().getFirst();
        assertThat(device.name()).isEqualTo("Stand-in H200");
        assertThat(device.uuid()).isEqualTo("GPU-11111111-1111-1111-1111-111111111111");
        assertThat(device.pciBusId()).isEqualTo("00000000:65:00.0");
        assertThat(device.bytes()).isEqualTo(1L << 30);
        assertThat(device.architecture()).isEqualTo("sm_90a");
        assertThat(device.attributes().multiprocessors()).isEqualTo(4);
        assertThat(device.attributes().sharedPerBlockOptIn()).isEqualTo(232448);
        assertThat(device.attributes().memoryPools()).isTrue();
    }

    @ParameterizedTest
    @ValueSource(longs = {0, 1, 2, 3})
    void kernelWithSharedMemoryShufflesAndAtomicsSumsAsALoopDoes(long order) {
        machine.order(order);
        RandomGenerator random = new Random(order);
        float[] values = new float[10_001];
        float expected = 0;
        for (int i = 0; i < values.length; i++) {
            values[i] = random.nextInt(100);
            expected += values[i];
        }
        DeviceMemory x = floats(values);
        DeviceMemory total = floats(0);
        CudaFunction sum = module.function("sum");
        KernelArguments arguments =
                sum.arguments().set(0, x).set(1, values.length).set(2, total);
        sum.launch((values.length + 255) / 256, 256, 1024, stream, arguments);
        stream.synchronize();
        assertThat(read(total)).containsExactly(expected);
    }

    @Test
    void argumentsOfEveryTypeArrive() {
        DeviceMemory x = floats(1, 2, 3);
        module.function("scale").launch(1, 32, 0, stream, scaling(x, 2, 10f, 0.5));
        stream.synchronize();
        assertThat(read(x)).containsExactly(10.5f, 20.5f, 3f);
    }

    @Test
    void argumentOfTheWrongSizeIsRefused() {
        KernelArguments arguments = module.function("scale").arguments();
        assertThat(arguments.count()).isEqualTo(4);
        assertThatThrownBy(() -> arguments.set(1, 5L))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining(
                        "argument 1 of kernel scale is set with 8 bytes; its parameters have [8, 4, 4, 8]");
        assertThatThrownBy(() -> arguments.set(4, 5)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void variableOfAModuleCanBeRead() {
        DeviceMemory numbers = module.global("numbers");
        assertThat(numbers.bytes()).isEqualTo(12);
        MemorySegment to = arena.allocate(12);
        numbers.download(to);
        assertThat(to.toArray(JAVA_INT)).containsExactly(4, 5, 6);
    }

    @Test
    void missingKernelIsNamed() {
        assertThatThrownBy(() -> module.function("nothing"))
                .isInstanceOf(CudaException.class)
                .hasMessageContaining("cuModuleGetFunction")
                .hasMessageContaining("function nothing")
                .hasMessageContaining("CUDA_ERROR_NOT_FOUND");
    }

    @Test
    void refusedLaunchNamesKernelArgumentsAndDevice() {
        DeviceMemory x = floats(1);
        KernelArguments arguments = scaling(x, 7, 1, 1);
        assertThatThrownBy(() -> module.function("scale").launch(1, 2048, 0, stream, arguments))
                .isInstanceOf(CudaException.class)
                .isNotInstanceOf(CudaDeviceLostException.class)
                .hasMessageContaining("kernel scale, grid 1 x 1 x 1, block 2048 x 1 x 1, 0 bytes shared")
                .hasMessageContaining(", 7, ")
                .hasMessageContaining("GPU 0, GPU-11111111");
    }

    @Test
    void stuckKernelLosesTheDeviceAndIsNamed() {
        CudaFunction stuck = module.function("stuck");
        stuck.launch(1, 64, 0, stream, stuck.arguments().set(0, 40));
        CudaDeviceLostException lost = catchThrowableOfType(CudaDeviceLostException.class, stream::synchronize);
        assertThat(lost.code()).isEqualTo(719);
        assertThat(machine.message()).contains("kernel stuck").contains("40 wait in a barrier of the block");
        assertThatThrownBy(() -> context.memory()).isInstanceOf(CudaDeviceLostException.class);
    }

    @Test
    void writePastTheEndIsFound() {
        DeviceMemory x = floats(1, 2);
        CudaFunction overrun = module.function("overrun");
        overrun.launch(1, 1, 0, stream, overrun.arguments().set(0, x).set(1, 2));
        assertThatThrownBy(stream::synchronize).isInstanceOf(CudaDeviceLostException.class);
        assertThat(machine.message()).contains("byte 8 of the allocation of 8 bytes");
    }

    @Test
    void checkedKernelTellsWhichThreadReachedTooFar() {
        machine.checking(true);
        byte[] checked = nvrtc().compile(new KernelSource("test.cu", SOURCE), "sm_90a");
        CudaFunction overrun = context.module(checked).function("overrun");
        DeviceMemory x = floats(1, 2, 3, 4);
        overrun.launch(1, 8, 0, stream, overrun.arguments().set(0, x).set(1, 1));
        assertThatThrownBy(stream::synchronize).isInstanceOf(CudaDeviceLostException.class);
        assertThat(machine.message()).contains("kernel overrun, block (0, 0, 0), thread (3, 0, 0): writes 4 bytes");
    }

    @Test
    void copiesBeyondTheBoundsAreRefusedBeforeTheDriverIsAsked() {
        DeviceMemory x = floats(1, 2);
        MemorySegment host = arena.allocate(64);
        assertThatThrownBy(() -> x.upload(4, host, 0, 8, stream)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> x.download(0, host, 60, 8, stream)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> x.slice(4, 8)).isInstanceOf(IndexOutOfBoundsException.class);
        assertThatThrownBy(() -> x.upload(0, MemorySegment.ofArray(new byte[8]), 0, 8, stream))
                .isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void copiesAndFillsBetweenPartsGoWhereTheyShould() {
        DeviceMemory x = floats(1, 2, 3, 4);
        DeviceMemory y = floats(0, 0, 0, 0);
        y.slice(4, 12).copyFrom(4, x, 8, 8, stream);
        y.fill(0, 4, 0x40000000, stream);
        y.fill(4, 4, (byte) 0, stream);
        stream.synchronize();
        assertThat(read(y)).containsExactly(2, 0, 3, 4);
    }

    @Test
    void forgottenDependencyBetweenStreamsShowsWhenWorkRunsLate() {
        CudaStream other = context.stream(true);
        CudaEvent copied = context.event(false);
        boolean wrong = false;
        for (int seed = 0; seed < 20; seed++) {
            machine.deferred(seed);
            wrong |= scaled(stream, other, Optional.empty()) != 6;
            assertThat(scaled(stream, other, Optional.of(copied))).isEqualTo(6);
        }
        assertThat(wrong).isTrue();
    }

    private float scaled(CudaStream copies, CudaStream kernels, Optional<CudaEvent> order) {
        try (PinnedMemory pinned = context.pin(4);
                DeviceMemory x = floats(0)) {
            pinned.segment().set(JAVA_FLOAT, 0, 3);
            x.upload(0, pinned.segment(), 0, 4, copies);
            order.ifPresent(event -> {
                event.record(copies);
                kernels.waitFor(event);
            });
            module.function("scale").launch(1, 32, 0, kernels, scaling(x, 1, 2, 0));
            kernels.synchronize();
            copies.synchronize();
            return read(x)[0];
        }
    }

    @Test
    void eventsTellTheDevicesTime() {
        machine.clock(250_000);
        CudaEvent start = context.event();
        CudaEvent end = context.event();
        DeviceMemory x = floats(1);
        start.record(stream);
        x.fill(0, 4, 0, stream);
        x.fill(0, 4, 0, stream);
        end.record(stream);
        end.synchronize();
        assertThat(end.isDone()).isTrue();
        assertThat(end.millisSince(start)).isEqualTo(0.75f);
        machine.clock(0);
    }

    @Test
    void workRunsOnlyWhenAwaitedInDeferredMode() {
        machine.deferred(1);
        CudaEvent event = context.event(true);
        DeviceMemory x = floats(5);
        x.fill(0, 4, 0, stream);
        x.fill(0, 4, 0, stream);
        x.fill(0, 4, 0, stream);
        event.record(stream);
        assertThat(event.isDone()).isFalse();
        event.synchronize();
        assertThat(event.isDone()).isTrue();
        assertThat(stream.isDone()).isTrue();
    }

    @Test
    void capturedGraphReplaysWithTheArgumentsThatItWasGiven() {
        DeviceMemory x = floats(1, 1);
        KernelArguments arguments = scaling(x, 2, 2, 0);
        stream.beginCapture();
        module.function("scale").launch(1, 32, 0, stream, arguments);
        module.function("scale").launch(1, 32, 0, stream, arguments.set(2, 1f).set(3, 1.0));
        try (CudaGraph graph = stream.endCapture();
                CudaGraphExec exec = graph.instantiate()) {
            assertThat(graph.nodes()).isEqualTo(2);
            assertThat(read(x)).containsExactly(1, 1);
            arguments.set(2, 100f);
            exec.upload(stream);
            exec.launch(stream);
            exec.launch(stream);
            stream.synchronize();
            assertThat(read(x)).containsExactly(7, 7);
        }
    }

    @Test
    void graphTakesOverAnotherRecordingOfTheSameWorkAndNoOther() {
        DeviceMemory x = floats(1);
        try (CudaGraph first = recorded(x, 2, 1);
                CudaGraph second = recorded(x, 5, 1);
                CudaGraph longer = recorded(x, 5, 2);
                CudaGraphExec exec = first.instantiate()) {
            assertThat(exec.update(longer)).isFalse();
            assertThat(exec.update(second)).isTrue();
            exec.launch(stream);
            stream.synchronize();
            assertThat(read(x)).containsExactly(5);
        }
    }

    private CudaGraph recorded(DeviceMemory x, float by, int times) {
        stream.beginCapture();
        for (int i = 0; i < times; i++) {
            module.function("scale").launch(1, 32, 0, stream, scaling(x, 1, by, 0));
        }
        return stream.endCapture();
    }

    @Test
    void captureSpansStreamsThatAreForkedAndJoined() {
        CudaStream side = context.stream();
        CudaEvent fork = context.event(false);
        CudaEvent join = context.event(false);
        DeviceMemory x = floats(1);
        DeviceMemory y = floats(1);
        stream.beginCapture();
        fork.record(stream);
        side.waitFor(fork);
        module.function("scale").launch(1, 32, 0, side, scaling(y, 1, 3, 0));
        module.function("scale").launch(1, 32, 0, stream, scaling(x, 1, 2, 0));
        join.record(side);
        stream.waitFor(join);
        try (CudaGraph graph = stream.endCapture();
                CudaGraphExec exec = graph.instantiate()) {
            exec.launch(stream);
            stream.synchronize();
            assertThat(read(x)).containsExactly(2);
            assertThat(read(y)).containsExactly(3);
        }
    }

    @Test
    void waitingBreaksACaptureAndTheStreamWorksAfterIt() {
        stream.beginCapture();
        assertThatThrownBy(stream::synchronize)
                .isInstanceOf(CudaException.class)
                .hasMessageContaining("900");
        assertThatThrownBy(stream::endCapture).isInstanceOf(CudaException.class).hasMessageContaining("901");
        stream.synchronize();
        assertThat(stream.isDone()).isTrue();
    }

    @Test
    void memoryRunsOutWithACodeThatSaysSo() {
        CudaContext.Memory before = context.memory();
        assertThat(before.free()).isEqualTo(before.total());
        CudaException full = catchThrowableOfType(CudaException.class, () -> context.allocate(before.total() + 1));
        assertThat(full.outOfMemory()).isTrue();
        assertThat(full).hasMessageContaining("cuMemAlloc_v2 (%d bytes".formatted(before.total() + 1));
    }

    @Test
    void everyResourceSaysThatItWasClosed() {
        DeviceMemory memory = floats(1);
        DeviceMemory part = memory.slice(0, 4);
        PinnedMemory pinned = context.pin(16);
        MemorySegment segment = pinned.segment();
        CudaEvent event = context.event();
        CudaFunction function = module.function("stuck");
        memory.close();
        pinned.close();
        event.close();
        module.close();
        stream.close();
        stream.close();
        assertThatThrownBy(memory::address)
                .hasMessageContaining("device memory of GPU 0")
                .hasMessageContaining("closed");
        assertThatThrownBy(part::address).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(pinned::segment).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> segment.get(JAVA_INT, 0)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(event::synchronize).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(function::registers).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(stream::synchronize).isInstanceOf(IllegalStateException.class);
        context.close();
        assertThatThrownBy(context::memory).isInstanceOf(IllegalStateException.class);
    }

    @Test
    void closingTheContextClosesWhatIsStillOpen() {
        floats(1);
        context.pin(10);
        context.register(arena.allocate(4096));
        context.event();
        stream.beginCapture();
        stream.endCapture().instantiate();
        context.close();
        for (Resource resource : Resource.values()) {
            assertThat(machine.open(resource)).as(resource.name()).isZero();
        }
    }

    @Test
    void lostDeviceIsToldFromAFailedCallAndCanBeClosed() {
        DeviceMemory x = floats(1);
        machine.lose("cuMemsetD32Async", 1, 214);
        assertThatThrownBy(() -> x.fill(0, 4, 0, stream)).isInstanceOf(CudaDeviceLostException.class);
        assertThatThrownBy(() -> stream.isDone())
                .isInstanceOf(CudaDeviceLostException.class)
                .hasMessageContaining("CUDA_ERROR_ECC_UNCORRECTABLE");
        context.close();
        assertThat(context.isOpen()).isFalse();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "cuMemAlloc_v2",
                "cuMemHostAlloc",
                "cuEventCreate",
                "cuStreamCreateWithPriority",
                "cuEventRecord",
                "cuMemsetD8Async",
                "cuMemsetD32Async",
                "cuMemcpyDtoDAsync_v2",
                "cuMemcpyHtoDAsync_v2",
                "cuMemcpyDtoHAsync_v2",
                "cuMemcpyHtoD_v2",
                "cuMemcpyDtoH_v2",
                "cuStreamWaitEvent",
                "cuStreamQuery",
                "cuEventQuery",
                "cuEventSynchronize",
                "cuStreamSynchronize",
                "cuCtxSynchronize",
                "cuMemGetInfo_v2",
                "cuModuleGetFunction",
                "cuModuleGetGlobal_v2",
                "cuFuncGetParamInfo",
                "cuFuncGetAttribute",
                "cuFuncSetAttribute",
                "cuOccupancyMaxActiveBlocksPerMultiprocessor",
                "cuLaunchKernel",
                "cuStreamBeginCapture_v2",
                "cuGraphInstantiateWithFlags",
                "cuGraphLaunch",
                "cuGraphGetNodes",
                "cuGraphUpload",
                "cuGraphExecUpdate_v2",
                "cuEventElapsedTime",
                "cuMemHostRegister_v2",
                "cuMemHostGetDevicePointer_v2",
                "cuModuleLoadData",
                "cuMemFree_v2",
                "cuCtxSetCurrent",
                "cuGraphDestroy",
                "cuGraphExecDestroy",
                "cuEventDestroy_v2",
                "cuStreamDestroy_v2",
                "cuModuleUnload",
                "cuMemFreeHost",
                "cuMemHostUnregister"
            })
    void everyCallThatFailsIsNamed(String call) {
        machine.fail(call, 1, 999 - 198);
        assertThatThrownBy(this::everything)
                .isInstanceOf(CudaException.class)
                .hasMessageContaining(call)
                .hasMessageContaining("CUDA_ERROR_NOT_SUPPORTED")
                .hasMessageContaining("GPU 0");
        assertThat(machine.calls(call)).isPositive();
    }

    /** Each call once at least. */
    private void everything() {
        context.makeCurrent();
        context.memory();
        try (CudaModule own = context.module(cubin);
                CudaStream side = context.stream();
                CudaEvent start = context.event();
                CudaEvent end = context.event();
                PinnedMemory pinned = context.pin(64);
                PinnedMemory registered = context.register(arena.allocate(4096));
                DeviceMemory x = floats(1, 2)) {
            pinned.deviceAddress();
            CudaFunction scale = own.function("scale");
            scale.allowSharedBytes(65536);
            scale.registers();
            scale.blocksPerMultiprocessor(128, 0);
            own.global("numbers");
            start.record(side);
            x.fill(0, 4, (byte) 0, side);
            x.fill(0, 4, 0, side);
            x.copyFrom(0, x, 4, 4, side);
            x.upload(0, registered.segment(), 0, 4, side);
            x.download(0, pinned.segment(), 0, 4, side);
            scale.launch(
                    1,
                    32,
                    0,
                    side,
                    scale.arguments().set(0, x).set(1, 2).set(2, 1f).set(3, 0.0));
            end.record(side);
            stream.waitFor(end);
            side.isDone();
            end.isDone();
            end.synchronize();
            side.synchronize();
            context.synchronize();
            end.millisSince(start);
            read(x);
            try (CudaGraph graph = recorded(x, 1, 1);
                    CudaGraphExec exec = graph.instantiate()) {
                graph.nodes();
                exec.update(graph);
                exec.upload(stream);
                exec.launch(stream);
            }
        }
    }

    @Test
    void hotCallsAllocateNothing() {
        DeviceMemory x = floats(1, 2);
        PinnedMemory pinned = context.pin(64);
        CudaEvent start = context.event();
        CudaEvent end = context.event();
        CudaFunction scale = module.function("scale");
        KernelArguments arguments = scaling(x, 2, 1, 0);
        MemorySegment host = pinned.segment();
        try (CudaGraph graph = recorded(x, 1, 1);
                CudaGraphExec exec = graph.instantiate()) {
            Runnable step = () -> {
                start.record(stream);
                x.upload(0, host, 0, 8, stream);
                scale.launch(1, 32, 0, stream, arguments.set(0, x).set(1, 2).set(2, 1f));
                exec.launch(stream);
                x.download(0, host, 0, 8, stream);
                end.record(stream);
                stream.waitFor(end);
                if (!end.isDone() || end.millisSince(start) < 0) {
                    throw new IllegalStateException("the device's time ran backwards");
                }
            };
            for (int i = 0; i < 20_000; i++) {
                step.run();
            }
            ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
            long before = threads.getCurrentThreadAllocatedBytes();
            for (int i = 0; i < 1_000; i++) {
                step.run();
            }
            long allocated = threads.getCurrentThreadAllocatedBytes() - before;
            assertThat(allocated).as("bytes in 1,000 steps").isLessThan(1_000);
        }
    }

    @Test
    void errorsOfASourceComeWithTheCompilersLog() {
        assertThatThrownBy(() ->
                        nvrtc().compile(new KernelSource("broken.cu", "__global__ void f() { nothing; }"), "sm_90"))
                .isInstanceOf(NvrtcException.class)
                .hasMessageContaining("NVRTC_ERROR_COMPILATION")
                .hasMessageContaining("broken.cu")
                .hasMessageContaining("nothing");
    }

    @Test
    void cubinForAnotherArchitectureIsRefused() {
        byte[] other = nvrtc().compile(new KernelSource("test.cu", "extern \"C\" __global__ void f() {}"), "sm_100");
        assertThatThrownBy(() -> context.module(other)).hasMessageContaining("CUDA_ERROR_NO_BINARY_FOR_GPU");
    }

    @Test
    void machineWithoutAGpuIsToldFromOneWithoutADriver() {
        machine.fail("cuInit", 1, 100);
        assertThatThrownBy(CudaTest::driver)
                .isInstanceOf(CudaException.class)
                .hasMessageContaining("CUDA_ERROR_NO_DEVICE");
        assertThatThrownBy(() -> CudaDriver.open(Optional.of(folder.resolve("nowhere.so"))))
                .isInstanceOf(LibraryMissingException.class)
                .hasMessageContaining("the CUDA driver (libcuda) is not there")
                .hasMessageContaining("nowhere.so (no such file)");
    }
}
