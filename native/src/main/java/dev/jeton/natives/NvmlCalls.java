package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * NVML's functions about a device, by the shapes that they have. Bound when NVML is opened, so that none is missing
 * later.
 */
final class NvmlCalls {

    /** {@code f(device, out)}. */
    private static final FunctionDescriptor OUT = FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS);
    /** {@code f(device, out, out)}. */
    private static final FunctionDescriptor OUT_OUT = FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, ADDRESS);
    /** {@code f(device, which, out)}. */
    private static final FunctionDescriptor WHICH_OUT = FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT, ADDRESS);
    /** {@code f(device, text, length)}. */
    private static final FunctionDescriptor TEXT = FunctionDescriptor.of(JAVA_INT, ADDRESS, ADDRESS, JAVA_INT);

    /** Functions by shape; the constant's name tells nothing more than NVML's own. */
    enum Figure {
        UTILIZATION("nvmlDeviceGetUtilizationRates"),
        MEMORY("nvmlDeviceGetMemoryInfo_v2"),
        POWER("nvmlDeviceGetPowerUsage"),
        POWER_LIMIT("nvmlDeviceGetEnforcedPowerLimit"),
        ENERGY("nvmlDeviceGetTotalEnergyConsumption"),
        PCI("nvmlDeviceGetPciInfo_v3");

        private final String function;

        Figure(String function) {
            this.function = function;
        }
    }

    private final Nvml nvml;
    private final MethodHandle[] figures;
    private final MethodHandle uuid;
    private final MethodHandle name;
    private final MethodHandle temperature;
    private final MethodHandle clock;
    private final MethodHandle mig;
    private final MethodHandle processes;

    NvmlCalls(Nvml nvml, NativeLibrary library) {
        this.nvml = nvml;
        figures = new MethodHandle[Figure.values().length];
        for (Figure figure : Figure.values()) {
            figures[figure.ordinal()] = library.function(figure.function, OUT);
        }
        uuid = library.function("nvmlDeviceGetUUID", TEXT);
        name = library.function("nvmlDeviceGetName", TEXT);
        temperature = library.function("nvmlDeviceGetTemperature", WHICH_OUT);
        clock = library.function("nvmlDeviceGetClockInfo", WHICH_OUT);
        mig = library.function("nvmlDeviceGetMigMode", OUT_OUT);
        processes = library.function("nvmlDeviceGetComputeRunningProcesses_v3", OUT_OUT);
    }

    /** Whether the device has the figure; it is in {@code out} then. */
    boolean figure(Figure figure, MemorySegment device, MemorySegment out, String where) {
        try {
            return supported((int) figures[figure.ordinal()].invokeExact(device, out), figure.function, where);
        } catch (Throwable e) {
            throw Nvml.thrown(e, figure.function);
        }
    }

    boolean temperature(MemorySegment device, int sensor, MemorySegment out, String where) {
        try {
            return supported((int) temperature.invokeExact(device, sensor, out), "nvmlDeviceGetTemperature", where);
        } catch (Throwable e) {
            throw Nvml.thrown(e, "nvmlDeviceGetTemperature");
        }
    }

    boolean clock(MemorySegment device, GpuClock which, MemorySegment out, String where) {
        try {
            return supported(
                    (int) clock.invokeExact(device, which.ordinal(), out),
                    "nvmlDeviceGetClockInfo",
                    where + ", " + which);
        } catch (Throwable e) {
            throw Nvml.thrown(e, "nvmlDeviceGetClockInfo");
        }
    }

    boolean mig(MemorySegment device, MemorySegment current, MemorySegment pending, String where) {
        try {
            return supported((int) mig.invokeExact(device, current, pending), "nvmlDeviceGetMigMode", where);
        } catch (Throwable e) {
            throw Nvml.thrown(e, "nvmlDeviceGetMigMode");
        }
    }

    /**
     * The processes with a context.
     *
     * @param count how many there is room for; then how many there are
     * @return false where there is too little room
     */
    boolean processes(MemorySegment device, MemorySegment count, MemorySegment infos, String where) {
        String call = "nvmlDeviceGetComputeRunningProcesses_v3";
        try {
            int code = (int) processes.invokeExact(device, count, infos);
            if (code == Nvml.INSUFFICIENT_SIZE) {
                return false;
            }
            nvml.check(code, call, where);
            return true;
        } catch (Throwable e) {
            throw Nvml.thrown(e, call);
        }
    }

    void uuid(MemorySegment device, MemorySegment text, String where) {
        text(uuid, "nvmlDeviceGetUUID", device, text, where);
    }

    void name(MemorySegment device, MemorySegment text, String where) {
        text(name, "nvmlDeviceGetName", device, text, where);
    }

    private void text(MethodHandle function, String call, MemorySegment device, MemorySegment text, String where) {
        try {
            nvml.check((int) function.invokeExact(device, text, (int) text.byteSize()), call, where);
        } catch (Throwable e) {
            throw Nvml.thrown(e, call);
        }
    }

    private boolean supported(int code, String call, String where) {
        if (code == Nvml.NOT_SUPPORTED || code == Nvml.NO_PERMISSION) {
            return false;
        }
        nvml.check(code, call, where);
        return true;
    }
}
