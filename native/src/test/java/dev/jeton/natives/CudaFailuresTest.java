package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.natives.testing.CudaStandIn.Resource;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is told of calls that fail, of a lost device and of what was closed. */
class CudaFailuresTest extends CudaFixture {
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
                "cuLaunchKernelEx",
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
            CudaFunction waits = own.function("waits");
            waits.launchProgrammatic(1, 1, 32, 0, side, waits.arguments().set(0, 1));
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
    void machineWithoutAGpuIsToldFromOneWithoutADriver() {
        machine.fail("cuInit", 1, 100);
        assertThatThrownBy(CudaFixture::driver)
                .isInstanceOf(CudaException.class)
                .hasMessageContaining("CUDA_ERROR_NO_DEVICE");
        assertThatThrownBy(() -> CudaDriver.open(Optional.of(folder.resolve("nowhere.so"))))
                .isInstanceOf(LibraryMissingException.class)
                .hasMessageContaining("the CUDA driver (libcuda) is not there")
                .hasMessageContaining("nowhere.so (no such file)");
    }
}
