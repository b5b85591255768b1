package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * NVML, the NVIDIA driver's library for telemetry: utilisation, memory, power, energy, temperature, clocks, processes,
 * MIG. Needs no CUDA context. Any thread may call; each call takes some microseconds up to a few milliseconds, so never
 * from a step loop.
 *
 * <p>Source: NVML API reference. Functions are bound as version 2 or 3 where their plain names are of older layouts.
 */
public final class Nvml implements AutoCloseable {

    /** {@code NVML_ERROR_NOT_SUPPORTED}: this GPU, driver or mode has no such figure. */
    static final int NOT_SUPPORTED = 3;
    /** {@code NVML_ERROR_NO_PERMISSION}. */
    static final int NO_PERMISSION = 4;
    /** {@code NVML_ERROR_INSUFFICIENT_SIZE}. */
    static final int INSUFFICIENT_SIZE = 7;
    /** {@code NVML_ERROR_GPU_IS_LOST}. */
    static final int GPU_IS_LOST = 15;

    private static final int SUCCESS = 0;
    private static final int TEXT = 96;
    private static final List<String> NAMES = List.of("libnvidia-ml.so.1", "libnvidia-ml.so");

    private static final FunctionDescriptor PLAIN = FunctionDescriptor.of(JAVA_INT);
    private static final FunctionDescriptor OUT = FunctionDescriptor.of(JAVA_INT, ADDRESS);
    private static final FunctionDescriptor INT_OUT = FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS);
    private static final FunctionDescriptor TEXT_OUT = FunctionDescriptor.of(JAVA_INT, ADDRESS, JAVA_INT);

    private final NativeLibrary library;
    private final MethodHandle errorString;
    private final MethodHandle shutdown;
    private final String driver;
    private final List<NvmlDevice> devices;

    private Nvml(NativeLibrary found) {
        library = found;
        errorString = library.function("nvmlErrorString", FunctionDescriptor.of(ADDRESS, JAVA_INT));
        shutdown = library.function("nvmlShutdown", PLAIN);
        check(plain(library.function("nvmlInit_v2", PLAIN)), "nvmlInit_v2", "");
        try {
            driver = driverVersion();
            devices = find();
        } catch (RuntimeException e) {
            close();
            throw e;
        }
    }

    /**
     * Loads and initialises NVML.
     *
     * @param configured its file; empty to search the usual places
     * @throws LibraryMissingException where there is no NVML, listing what was looked for
     * @throws NativeException where it is too old, or does not work: the driver's kernel module is not loaded, say
     */
    public static Nvml open(Optional<Path> configured) {
        return new Nvml(NativeLibrary.find(
                "NVML, the NVIDIA driver's library for telemetry", configured, NAMES, NativeLibrary.NVIDIA_FOLDERS));
    }

    private String driverVersion() {
        MethodHandle function = library.function("nvmlSystemGetDriverVersion", TEXT_OUT);
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment text = arena.allocate(TEXT);
            check((int) function.invokeExact(text, TEXT), "nvmlSystemGetDriverVersion", "");
            return text.getString(0);
        } catch (Throwable e) {
            throw thrown(e, "nvmlSystemGetDriverVersion");
        }
    }

    private List<NvmlDevice> find() {
        MethodHandle count = library.function("nvmlDeviceGetCount_v2", OUT);
        MethodHandle byIndex = library.function("nvmlDeviceGetHandleByIndex_v2", INT_OUT);
        NvmlCalls calls = new NvmlCalls(this, library);
        List<NvmlDevice> found = new ArrayList<>();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ADDRESS);
            check((int) count.invokeExact(out), "nvmlDeviceGetCount_v2", "");
            int devices = out.get(JAVA_INT, 0);
            for (int i = 0; i < devices; i++) {
                check((int) byIndex.invokeExact(i, out), "nvmlDeviceGetHandleByIndex_v2", "of index " + i);
                found.add(new NvmlDevice(i, out.get(ADDRESS, 0), calls));
            }
        } catch (Throwable e) {
            throw thrown(e, "nvmlDeviceGetHandleByIndex_v2");
        }
        return List.copyOf(found);
    }

    /** The driver's version, as {@code 570.86.15}. */
    public String driver() {
        return driver;
    }

    /** The GPUs that this process may see, by index. */
    public List<NvmlDevice> devices() {
        return devices;
    }

    /** Where NVML was found. */
    public String place() {
        return library.place();
    }

    /**
     * Turns a return code into an exception.
     *
     * @param where which device and arguments; empty for none
     */
    void check(int code, String call, String where) {
        if (code != SUCCESS) {
            throw new NvmlException(
                    code,
                    "%s%s failed with %d: %s"
                            .formatted(call, where.isEmpty() ? "" : " (" + where + ")", code, text(code)));
        }
    }

    private String text(int code) {
        try {
            MemorySegment text = (MemorySegment) errorString.invokeExact(code);
            return text.equals(MemorySegment.NULL)
                    ? ""
                    : text.reinterpret(Long.MAX_VALUE).getString(0);
        } catch (Throwable e) {
            throw thrown(e, "nvmlErrorString");
        }
    }

    private static int plain(MethodHandle function) {
        try {
            return (int) function.invokeExact();
        } catch (Throwable e) {
            throw thrown(e, "a function of NVML");
        }
    }

    /** What a handle has thrown: our own exceptions as they are, anything else as a defect of the binding. */
    static RuntimeException thrown(Throwable e, String call) {
        if (e instanceof RuntimeException known) {
            return known;
        }
        if (e instanceof Error error) {
            throw error;
        }
        return new NativeException(
                "%s cannot be called; this is a defect of its binding, report it".formatted(call), e);
    }

    /** Lets go of NVML; devices must not be asked any more. */
    @Override
    public void close() {
        check(plain(shutdown), "nvmlShutdown", "");
    }
}
