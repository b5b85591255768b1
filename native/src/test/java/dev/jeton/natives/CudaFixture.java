package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.JAVA_FLOAT;

import dev.jeton.natives.testing.CudaStandIn;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** A machine that runs kernels on the host, with a context, a stream and a module of kernels for each test. */
abstract class CudaFixture {
    static final String SOURCE = """
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
            extern "C" __global__ void waits(int n) { ::jeton::wait_for_previous(); }
            extern "C" __global__ void overrun(float* x, int n) { x[n + threadIdx.x] = 1; }
            extern "C" __global__ void pairs(float* x, int from) { *(float2*) (x + from) = make_float2(1, 2); }
            extern "C" __device__ int numbers[3] = {4, 5, 6};
            """;

    @TempDir
    static Path folder;

    static CudaStandIn machine;
    static byte[] cubin;

    CudaContext context;
    CudaStream stream;
    CudaModule module;
    Arena arena;

    @BeforeAll
    static void build() throws IOException {
        Assumptions.assumeTrue(
                CudaStandIn.possible(), "there is no C++ compiler (g++), so the CUDA bindings are not tested");
        machine = CudaStandIn.compile(folder);
        cubin = nvrtc().compile(new KernelSource("test.cu", SOURCE), "sm_90a");
    }

    static Nvrtc nvrtc() {
        return Nvrtc.open(Optional.of(machine.nvrtc()), 13_000);
    }

    static CudaDriver driver() {
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

    DeviceMemory floats(float... values) {
        DeviceMemory memory = context.allocate(4L * values.length);
        memory.upload(arena.allocateFrom(JAVA_FLOAT, values));
        return memory;
    }

    float[] read(DeviceMemory memory) {
        MemorySegment to = arena.allocate(memory.bytes(), 16);
        memory.download(to);
        return to.toArray(JAVA_FLOAT);
    }

    KernelArguments scaling(DeviceMemory x, int n, float by, double plus) {
        return module.function("scale")
                .arguments()
                .set(0, x)
                .set(1, n)
                .set(2, by)
                .set(3, plus);
    }

    CudaGraph recorded(DeviceMemory x, float by, int times) {
        stream.beginCapture();
        for (int i = 0; i < times; i++) {
            module.function("scale").launch(1, 32, 0, stream, scaling(x, 1, by, 0));
        }
        return stream.endCapture();
    }
}
