package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.lang.foreign.MemorySegment;
import java.util.Random;
import java.util.random.RandomGenerator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The bindings of the driver and NVRTC, against a machine that runs kernels on the host: devices, kernels and memory.
 */
class CudaTest extends CudaFixture {
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

    private void storePair(DeviceMemory x, int from) {
        CudaFunction pairs = module.function("pairs");
        pairs.launch(1, 1, 0, stream, pairs.arguments().set(0, x).set(1, from));
    }

    @Test
    void storesAPairWhereOneMayBegin() {
        DeviceMemory x = floats(0, 0, 0, 0);
        storePair(x, 2);
        stream.synchronize();
        assertThat(read(x)).containsExactly(0, 0, 1, 2);
    }

    @Test
    void misalignedAccessLosesTheDevice() {
        storePair(floats(0, 0, 0, 0), 1);
        CudaDeviceLostException lost = catchThrowableOfType(CudaDeviceLostException.class, stream::synchronize);
        assertThat(lost.code()).isEqualTo(716);
        assertThat(machine.message()).contains("kernel pairs").contains("as aligned to 8 bytes");
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
    void memoryRunsOutWithACodeThatSaysSo() {
        CudaContext.Memory before = context.memory();
        assertThat(before.free()).isEqualTo(before.total());
        CudaException full = catchThrowableOfType(CudaException.class, () -> context.allocate(before.total() + 1));
        assertThat(full.outOfMemory()).isTrue();
        assertThat(full).hasMessageContaining("cuMemAlloc_v2 (%d bytes".formatted(before.total() + 1));
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
}
