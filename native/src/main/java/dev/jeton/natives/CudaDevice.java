package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteOrder;

/** A GPU as the CUDA driver sees it. Any thread may ask. */
public final class CudaDevice {

    /**
     * What a device is.
     *
     * @param major compute capability, as 9
     * @param minor of it, as 0
     * @param multiprocessors of it
     * @param threadsPerMultiprocessor resident at most
     * @param blocksPerMultiprocessor resident at most
     * @param registersPerMultiprocessor 32 bits each
     * @param sharedPerMultiprocessor bytes of shared memory
     * @param sharedPerBlock bytes of it that a block may have by default
     * @param sharedPerBlockOptIn bytes of it that a function may ask for
     * @param secondCache bytes of the cache before the memory
     * @param copyEngines that run beside kernels
     * @param integrated whether it shares the host's memory
     * @param hostRegister whether host memory can be pinned where it is
     * @param memoryPools whether allocations can be ordered in a stream
     */
    public record Attributes(
            int major,
            int minor,
            int multiprocessors,
            int threadsPerMultiprocessor,
            int blocksPerMultiprocessor,
            int registersPerMultiprocessor,
            int sharedPerMultiprocessor,
            int sharedPerBlock,
            int sharedPerBlockOptIn,
            int secondCache,
            int copyEngines,
            boolean integrated,
            boolean hostRegister,
            boolean memoryPools) {

        /** Compute capability as one number, as 90. */
        public int capability() {
            return 10 * major + minor;
        }

        /** Whether kernels can be launched by {@link CudaFunction#launchProgrammatic}: on an H100 and newer. */
        public boolean programmaticLaunches() {
            return major >= 9;
        }
    }

    private static final int TEXT = 256;

    private final CudaCalls calls;
    private final int ordinal;
    private final int cudaVersion;
    private final int handle;
    private final String name;
    private final String uuid;
    private final String pciBusId;
    private final long bytes;
    private final Attributes attributes;

    CudaDevice(CudaCalls calls, int ordinal, int cudaVersion) {
        this.calls = calls;
        this.ordinal = ordinal;
        this.cudaVersion = cudaVersion;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(TEXT, 16);
            check(calls.deviceGet, calls.deviceGet.call(out.address(), ordinal));
            handle = out.get(JAVA_INT, 0);
            check(calls.deviceGetName, calls.deviceGetName.call(out.address(), TEXT, handle));
            name = out.getString(0);
            check(calls.deviceGetUuid, calls.deviceGetUuid.call(out.address(), handle));
            uuid = uuid(out);
            check(calls.deviceTotalMem, calls.deviceTotalMem.call(out.address(), handle));
            bytes = out.get(JAVA_LONG, 0);
            pciBusId = "%08X:%02X:%02X.0".formatted(attribute(out, 50), attribute(out, 33), attribute(out, 34));
            attributes = attributes(out);
        }
    }

    private static String uuid(MemorySegment out) {
        var big = JAVA_LONG.withOrder(ByteOrder.BIG_ENDIAN);
        String hex = "%016x%016x".formatted(out.get(big, 0), out.get(big, 8));
        return "GPU-%s-%s-%s-%s-%s"
                .formatted(
                        hex.substring(0, 8),
                        hex.substring(8, 12),
                        hex.substring(12, 16),
                        hex.substring(16, 20),
                        hex.substring(20));
    }

    /** Numbers are those of {@code CUdevice_attribute} in cuda.h. */
    private Attributes attributes(MemorySegment out) {
        return new Attributes(
                attribute(out, 75),
                attribute(out, 76),
                attribute(out, 16),
                attribute(out, 39),
                attribute(out, 106),
                attribute(out, 82),
                attribute(out, 81),
                attribute(out, 8),
                attribute(out, 97),
                attribute(out, 38),
                attribute(out, 40),
                attribute(out, 18) != 0,
                attribute(out, 99) != 0,
                attribute(out, 115) != 0);
    }

    private int attribute(MemorySegment out, int which) {
        int code = calls.deviceGetAttribute.call(out.address(), which, handle);
        if (code != 0) {
            throw calls.failure(calls.deviceGetAttribute, code, "attribute %d of GPU %d".formatted(which, ordinal));
        }
        return out.get(JAVA_INT, 0);
    }

    private void check(NativeCall call, int code) {
        if (code != 0) {
            throw calls.failure(call, code, "GPU " + ordinal);
        }
    }

    /** CUDA's version that its driver supports, as 13000 for 13.0. */
    public int cudaVersion() {
        return cudaVersion;
    }

    /**
     * Retains the device's primary context and makes it the calling thread's.
     *
     * @throws CudaException where the device cannot be used
     */
    public CudaContext open() {
        return new CudaContext(calls, this, handle);
    }

    /** Its place among the GPUs that this process may see. */
    public int ordinal() {
        return ordinal;
    }

    /** The product, as {@code NVIDIA H200}. */
    public String name() {
        return name;
    }

    /** What names it for ever, as NVML writes it: {@code GPU-5b6f...}. */
    public String uuid() {
        return uuid;
    }

    /** Where it is on the PCI bus, as NVML writes it: {@code 00000000:65:00.0}. */
    public String pciBusId() {
        return pciBusId;
    }

    /** All of its memory. */
    public long bytes() {
        return bytes;
    }

    /** What it is. */
    public Attributes attributes() {
        return attributes;
    }

    /**
     * What to compile for, as {@code sm_90a}: the architecture's own features from capability 9.0 on, since code runs
     * on this device and no other.
     */
    public String architecture() {
        return "sm_%d%s".formatted(attributes.capability(), attributes.major() >= 9 ? "a" : "");
    }

    @Override
    public String toString() {
        return "GPU %d, %s (%s)".formatted(ordinal, uuid, name);
    }
}
