package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.ADDRESS;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/**
 * The driver's functions, bound when it is opened so that none is missing later; and what their codes mean.
 *
 * <p>Source: cuda.h of CUDA 13.0 and the CUDA driver API reference. Functions carry the version suffix that the header
 * maps their plain names to.
 */
final class CudaCalls {

    static final int NOT_READY = 600;

    private static final int LAUNCH_TIMEOUT = 702;

    final NativeLibrary library;
    final NativeCall init;
    final NativeCall driverGetVersion;
    final NativeCall deviceGetCount;
    final NativeCall deviceGet;
    final NativeCall deviceGetName;
    final NativeCall deviceGetUuid;
    final NativeCall deviceTotalMem;
    final NativeCall deviceGetAttribute;
    final NativeCall primaryContextRetain;
    final NativeCall primaryContextRelease;
    final NativeCall contextSetCurrent;
    final NativeCall contextSynchronize;
    final NativeCall contextStreamPriorityRange;
    final NativeCall memAlloc;
    final NativeCall memFree;
    final NativeCall memAllocAsync;
    final NativeCall memFreeAsync;
    final NativeCall memGetInfo;
    final NativeCall memHostAlloc;
    final NativeCall memFreeHost;
    final NativeCall memHostRegister;
    final NativeCall memHostUnregister;
    final NativeCall memHostGetDevicePointer;
    final NativeCall copyHostToDevice;
    final NativeCall copyDeviceToHost;
    final NativeCall copyHostToDeviceAsync;
    final NativeCall copyDeviceToHostAsync;
    final NativeCall copyDeviceToDeviceAsync;
    final NativeCall fill8;
    final NativeCall fill32;
    final NativeCall streamCreate;
    final NativeCall streamDestroy;
    final NativeCall streamSynchronize;
    final NativeCall streamQuery;
    final NativeCall streamWaitEvent;
    final NativeCall streamBeginCapture;
    final NativeCall streamEndCapture;
    final NativeCall eventCreate;
    final NativeCall eventDestroy;
    final NativeCall eventRecord;
    final NativeCall eventQuery;
    final NativeCall eventSynchronize;
    final NativeCall eventElapsedTime;
    final NativeCall moduleLoadData;
    final NativeCall moduleUnload;
    final NativeCall moduleGetFunction;
    final NativeCall moduleGetGlobal;
    final NativeCall functionGetAttribute;
    final NativeCall functionSetAttribute;
    final NativeCall functionGetParamInfo;
    final NativeCall occupancy;
    final NativeCall launchKernel;
    final NativeCall launchKernelEx;
    final NativeCall graphGetNodes;
    final NativeCall graphInstantiate;
    final NativeCall graphLaunch;
    final NativeCall graphUpload;
    final NativeCall graphExecUpdate;
    final NativeCall graphExecDestroy;
    final NativeCall graphDestroy;
    private final NativeCall getErrorName;
    private final NativeCall getErrorString;

    CudaCalls(NativeLibrary library) {
        this.library = library;
        getErrorName = bind("cuGetErrorName", 2);
        getErrorString = bind("cuGetErrorString", 2);
        init = bind("cuInit", 1);
        driverGetVersion = bind("cuDriverGetVersion", 1);
        deviceGetCount = bind("cuDeviceGetCount", 1);
        deviceGet = bind("cuDeviceGet", 2);
        deviceGetName = bind("cuDeviceGetName", 3);
        deviceGetUuid = bind("cuDeviceGetUuid_v2", 2);
        deviceTotalMem = bind("cuDeviceTotalMem_v2", 2);
        deviceGetAttribute = bind("cuDeviceGetAttribute", 3);
        primaryContextRetain = bind("cuDevicePrimaryCtxRetain", 2);
        primaryContextRelease = bind("cuDevicePrimaryCtxRelease_v2", 1);
        contextSetCurrent = bind("cuCtxSetCurrent", 1);
        contextSynchronize = bind("cuCtxSynchronize", 0);
        contextStreamPriorityRange = bind("cuCtxGetStreamPriorityRange", 2);
        memAlloc = bind("cuMemAlloc_v2", 2);
        memFree = bind("cuMemFree_v2", 1);
        memAllocAsync = bind("cuMemAllocAsync", 3);
        memFreeAsync = bind("cuMemFreeAsync", 2);
        memGetInfo = bind("cuMemGetInfo_v2", 2);
        memHostAlloc = bind("cuMemHostAlloc", 3);
        memFreeHost = bind("cuMemFreeHost", 1);
        memHostRegister = bind("cuMemHostRegister_v2", 3);
        memHostUnregister = bind("cuMemHostUnregister", 1);
        memHostGetDevicePointer = bind("cuMemHostGetDevicePointer_v2", 3);
        copyHostToDevice = bind("cuMemcpyHtoD_v2", 3);
        copyDeviceToHost = bind("cuMemcpyDtoH_v2", 3);
        copyHostToDeviceAsync = bind("cuMemcpyHtoDAsync_v2", 4);
        copyDeviceToHostAsync = bind("cuMemcpyDtoHAsync_v2", 4);
        copyDeviceToDeviceAsync = bind("cuMemcpyDtoDAsync_v2", 4);
        fill8 = bind("cuMemsetD8Async", 4);
        fill32 = bind("cuMemsetD32Async", 4);
        streamCreate = bind("cuStreamCreateWithPriority", 3);
        streamDestroy = bind("cuStreamDestroy_v2", 1);
        streamSynchronize = bind("cuStreamSynchronize", 1);
        streamQuery = bind("cuStreamQuery", 1);
        streamWaitEvent = bind("cuStreamWaitEvent", 3);
        streamBeginCapture = bind("cuStreamBeginCapture_v2", 2);
        streamEndCapture = bind("cuStreamEndCapture", 2);
        eventCreate = bind("cuEventCreate", 2);
        eventDestroy = bind("cuEventDestroy_v2", 1);
        eventRecord = bind("cuEventRecord", 2);
        eventQuery = bind("cuEventQuery", 1);
        eventSynchronize = bind("cuEventSynchronize", 1);
        eventElapsedTime = bind("cuEventElapsedTime", 3);
        moduleLoadData = bind("cuModuleLoadData", 2);
        moduleUnload = bind("cuModuleUnload", 1);
        moduleGetFunction = bind("cuModuleGetFunction", 3);
        moduleGetGlobal = bind("cuModuleGetGlobal_v2", 4);
        functionGetAttribute = bind("cuFuncGetAttribute", 3);
        functionSetAttribute = bind("cuFuncSetAttribute", 3);
        functionGetParamInfo = bind("cuFuncGetParamInfo", 4);
        occupancy = bind("cuOccupancyMaxActiveBlocksPerMultiprocessor", 4);
        launchKernel = bind("cuLaunchKernel", 11);
        launchKernelEx = bind("cuLaunchKernelEx", 4);
        graphGetNodes = bind("cuGraphGetNodes", 3);
        graphInstantiate = bind("cuGraphInstantiateWithFlags", 3);
        graphLaunch = bind("cuGraphLaunch", 2);
        graphUpload = bind("cuGraphUpload", 2);
        graphExecUpdate = bind("cuGraphExecUpdate_v2", 3);
        graphExecDestroy = bind("cuGraphExecDestroy", 1);
        graphDestroy = bind("cuGraphDestroy", 1);
    }

    private NativeCall bind(String name, int parameters) {
        return new NativeCall(library, name, parameters);
    }

    /**
     * The exception of a call that failed.
     *
     * @param where arguments and device
     */
    CudaException failure(NativeCall call, int code, String where) {
        String message = "%s (%s) failed with %d, %s: %s"
                .formatted(call.name(), where, code, text(getErrorName, code), text(getErrorString, code));
        return lost(code)
                ? new CudaDeviceLostException(
                        call.name(), code, message + "; nothing works on the device until its users have stopped")
                : new CudaException(call.name(), code, message);
    }

    /** Codes after which the context is of no more use, as cuda.h says of each. */
    static boolean lost(int code) {
        return switch (code) {
            case 4, 46, 214, 220, 226, 700, LAUNCH_TIMEOUT, 709, 710, 714, 715, 716, 717, 718, 719, 721, 911, 999 ->
                true;
            default -> false;
        };
    }

    private static String text(NativeCall call, int code) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ADDRESS);
            boolean known = call.call(code, out.address()) == 0;
            MemorySegment text = out.get(ADDRESS, 0);
            return known && text.address() != 0
                    ? text.reinterpret(Long.MAX_VALUE).getString(0)
                    : "a code that this driver does not know";
        }
    }
}
