package dev.jeton.natives;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Kernels that begin while the one before ends, against a machine that lets them begin as early as a GPU may. */
class ProgrammaticLaunchTest extends CudaFixture {

    private static final int SEEDS = 12;
    private static final String KERNELS = """
            extern "C" __global__ void late(float* x) {
                __shared__ float own[32];
                own[threadIdx.x] = 1;
                ::jeton::wait_for_previous();
                if (threadIdx.x == 0) x[blockIdx.x] = 2 * x[blockIdx.x] + own[threadIdx.x];
            }
            extern "C" __global__ void early(float* x) {
                float before = x[blockIdx.x];
                ::jeton::wait_for_previous();
                if (threadIdx.x == 0) x[blockIdx.x] = 2 * before + 1;
            }
            extern "C" __global__ void never(float* x) { x[blockIdx.x] = 1; }
            extern "C" __global__ void most(float* x) {
                if (threadIdx.x != 5) ::jeton::wait_for_previous();
            }
            """;

    private CudaModule waiting;

    @BeforeEach
    void compile() {
        waiting = context.module(nvrtc().compile(new KernelSource("waiting.cu", KERNELS), "sm_90a"));
    }

    /** What {@code count} launches of a kernel make of {1, 2}. */
    private float[] launched(String kernel, int count) {
        try (DeviceMemory x = floats(1, 2)) {
            queue(kernel, count, x);
            stream.synchronize();
            return read(x);
        }
    }

    private void queue(String kernel, int count, DeviceMemory x) {
        CudaFunction function = waiting.function(kernel);
        KernelArguments arguments = function.arguments().set(0, x);
        for (int i = 0; i < count; i++) {
            function.launchProgrammatic(2, 1, 32, 0, stream, arguments);
        }
    }

    @Test
    void kernelThatWaitsSeesWhatTheOneBeforeHasWritten() {
        for (int seed = 0; seed < SEEDS; seed++) {
            machine.deferred(seed);
            assertThat(launched("late", 5)).as("seed %d", seed).containsExactly(63, 95);
        }
    }

    @Test
    void kernelThatReadsAheadOfItsWaitIsFoundByAnOldValue() {
        boolean wrong = false;
        for (int seed = 0; seed < SEEDS; seed++) {
            machine.deferred(seed);
            wrong |= launched("early", 5)[0] != 63 || launched("early", 5)[1] != 95;
        }
        assertThat(wrong).isTrue();
    }

    @Test
    void graphKeepsThatItsKernelsMayBeginEarly() {
        boolean wrong = false;
        for (int round = 0; round < SEEDS; round++) {
            assertThat(replayed("late")).containsExactly(63, 95);
            float[] early = replayed("early");
            wrong |= early[0] != 63 || early[1] != 95;
        }
        assertThat(wrong).isTrue();
    }

    private float[] replayed(String kernel) {
        DeviceMemory x = floats(1, 2);
        stream.beginCapture();
        queue(kernel, 5, x);
        try (CudaGraph graph = stream.endCapture();
                CudaGraphExec exec = graph.instantiate()) {
            exec.launch(stream);
            stream.synchronize();
            return read(x);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"never", "most"})
    void kernelOfWhichAThreadDoesNotWaitLosesTheDevice(String kernel) {
        assertThatThrownBy(() -> launched(kernel, 1)).isInstanceOf(CudaDeviceLostException.class);
        assertThat(machine.message()).contains("kernel " + kernel).contains("without having waited");
    }

    @Test
    void olderDeviceRefusesIt() {
        machine.devices(1, 8, 0, 1 << 20);
        assertThatThrownBy(() -> launched("late", 1))
                .isInstanceOf(CudaException.class)
                .hasMessageContaining("cuLaunchKernelEx")
                .hasMessageContaining("kernel late, programmatic, grid 2 x 1, 32 threads")
                .hasMessageContaining("CUDA_ERROR_NOT_SUPPORTED");
    }

    @Test
    void launchAllocatesNothing() {
        DeviceMemory x = floats(1, 2);
        CudaFunction late = waiting.function("late");
        KernelArguments arguments = late.arguments().set(0, x);
        Runnable step = () -> late.launchProgrammatic(1, 1, 1, 0, stream, arguments);
        for (int i = 0; i < 20_000; i++) {
            step.run();
        }
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long before = threads.getCurrentThreadAllocatedBytes();
        for (int i = 0; i < 1_000; i++) {
            step.run();
        }
        assertThat(threads.getCurrentThreadAllocatedBytes() - before)
                .as("bytes in 1,000 launches")
                .isLessThan(1_000);
    }
}
