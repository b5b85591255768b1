package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** The CUDA driver, {@code libcuda}. Any thread may ask; it stays loaded until the process ends. */
public final class CudaDriver {

    private static final List<String> NAMES = List.of("libcuda.so.1", "libcuda.so");

    private final CudaCalls calls;
    private final int version;
    private final List<CudaDevice> devices;

    private CudaDriver(CudaCalls calls) {
        this.calls = calls;
        check(calls.init, calls.init.call(0), "flags 0");
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(JAVA_INT);
            check(calls.driverGetVersion, calls.driverGetVersion.call(out.address()), "no device");
            version = out.get(JAVA_INT, 0);
            check(calls.deviceGetCount, calls.deviceGetCount.call(out.address()), "no device");
            devices = IntStream.range(0, out.get(JAVA_INT, 0))
                    .mapToObj(ordinal -> new CudaDevice(calls, ordinal, version))
                    .toList();
        }
    }

    /**
     * Loads and initialises the driver.
     *
     * @param configured its file; empty to search the usual places
     * @throws LibraryMissingException where there is no driver, listing what was looked for
     * @throws CudaException where there is a driver and no GPU, or one that it cannot use
     */
    public static CudaDriver open(Optional<Path> configured) {
        return new CudaDriver(new CudaCalls(
                NativeLibrary.find("the CUDA driver (libcuda)", configured, NAMES, LibraryPlaces.driver())));
    }

    private void check(NativeCall call, int code, String where) {
        if (code != 0) {
            throw calls.failure(call, code, where);
        }
    }

    /** CUDA's version that the driver supports, as 13000 for 13.0. */
    public int version() {
        return version;
    }

    /** Where it was found. */
    public String place() {
        return calls.library.place();
    }

    /** The GPUs that this process may see, by ordinal. */
    public List<CudaDevice> devices() {
        return devices;
    }

    /**
     * One of them.
     *
     * @param wanted its ordinal, its UUID as {@code GPU-5b6f...} or the UUID's beginning as long as no other has it;
     *     empty for the first
     * @throws NoSuchDeviceException naming all that there are
     */
    public CudaDevice device(String wanted) {
        if (wanted.isEmpty()) {
            if (devices.isEmpty()) {
                throw new NoSuchDeviceException("the CUDA driver shows this process no GPU; see CUDA_VISIBLE_DEVICES");
            }
            return devices.getFirst();
        }
        boolean ordinal = wanted.chars().allMatch(c -> c >= '0' && c <= '9');
        List<CudaDevice> found = devices.stream()
                .filter(device -> ordinal
                        ? wanted.equals(Integer.toString(device.ordinal()))
                        : device.uuid().toLowerCase(Locale.ROOT).startsWith(wanted.toLowerCase(Locale.ROOT)))
                .toList();
        if (found.size() != 1) {
            throw new NoSuchDeviceException(
                    "%s GPU is \"%s\"; this process may see %s; name one by its number or by its UUID"
                            .formatted(
                                    found.isEmpty() ? "no" : "more than one",
                                    wanted,
                                    devices.isEmpty()
                                            ? "none (see CUDA_VISIBLE_DEVICES)"
                                            : devices.stream()
                                                    .map(device -> "%d: %s (%s)"
                                                            .formatted(device.ordinal(), device.name(), device.uuid()))
                                                    .collect(Collectors.joining(", "))));
        }
        return found.getFirst();
    }
}
