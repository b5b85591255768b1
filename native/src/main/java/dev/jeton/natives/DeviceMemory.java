package dev.jeton.natives;

import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.Optional;

/**
 * Memory of the device: an address and a size, and no access from the host but by copies, whose bounds are checked.
 * Copies and fills are queued on a stream and allocate nothing on the heap. Host memory must stay as it is until the
 * stream has come past the copy where it is pinned; pageable memory is staged by the driver.
 */
public final class DeviceMemory extends CudaResource {

    private static final long LEGACY_STREAM = 0;

    private final long bytes;
    private final Optional<DeviceMemory> whole;

    DeviceMemory(CudaContext context, long address, long bytes) {
        super(context, address, true);
        this.bytes = bytes;
        whole = Optional.empty();
    }

    private DeviceMemory(DeviceMemory whole, long address, long bytes) {
        super(whole.context, address, false);
        this.bytes = bytes;
        this.whole = Optional.of(whole);
    }

    private DeviceMemory(CudaContext context, long address, long bytes, boolean owned) {
        super(context, address, owned);
        this.bytes = bytes;
        whole = Optional.empty();
    }

    /** Memory that belongs to a module. */
    static DeviceMemory borrowed(CudaContext context, long address, long bytes) {
        return new DeviceMemory(context, address, bytes, false);
    }

    @Override
    String kind() {
        return "device memory";
    }

    @Override
    int release(long handle) {
        return calls.memFree.call(handle);
    }

    @Override
    NativeCall releasing() {
        return calls.memFree;
    }

    /** Waits for the device and frees it; a part or a module's variable is only not to be used any more. */
    @Override
    public void close() {
        if (context.owns(this)) {
            super.close();
        }
    }

    /** Where it is, as kernels take it. */
    public long address() {
        if (whole.isPresent()) {
            whole.get().address();
        }
        return handle();
    }

    /** How much. */
    public long bytes() {
        return bytes;
    }

    /** The address of a part, whose bounds are checked. */
    public long address(long offset, long length) {
        Objects.checkFromIndexSize(offset, length, bytes);
        return address() + offset;
    }

    /** A part of it; closing the part does nothing, and closing the whole ends the part. */
    public DeviceMemory slice(long offset, long length) {
        return new DeviceMemory(this, address(offset, length), length);
    }

    /** Queues a copy of host memory to {@code offset}. */
    public void upload(long offset, MemorySegment from, long fromOffset, long length, CudaStream stream) {
        int code = calls.copyHostToDeviceAsync.call(
                address(offset, length), host(from, fromOffset, length), length, stream.handle());
        if (code != 0) {
            throw copying(calls.copyHostToDeviceAsync, code, offset, length);
        }
    }

    /** Queues a copy from {@code offset} to host memory. */
    public void download(long offset, MemorySegment to, long toOffset, long length, CudaStream stream) {
        int code = calls.copyDeviceToHostAsync.call(
                host(to, toOffset, length), address(offset, length), length, stream.handle());
        if (code != 0) {
            throw copying(calls.copyDeviceToHostAsync, code, offset, length);
        }
    }

    /** Queues a copy of device memory to {@code offset}; the two must not overlap. */
    public void copyFrom(long offset, DeviceMemory from, long fromOffset, long length, CudaStream stream) {
        int code = calls.copyDeviceToDeviceAsync.call(
                address(offset, length), from.address(fromOffset, length), length, stream.handle());
        if (code != 0) {
            throw copying(calls.copyDeviceToDeviceAsync, code, offset, length);
        }
    }

    /** Queues a fill with a byte. */
    public void fill(long offset, long length, byte value, CudaStream stream) {
        int code = calls.fill8.call(address(offset, length), Byte.toUnsignedLong(value), length, stream.handle());
        if (code != 0) {
            throw copying(calls.fill8, code, offset, length);
        }
    }

    /** Queues a fill with a 32-bit pattern; offset and length in bytes, multiples of 4. */
    public void fill(long offset, long length, int pattern, CudaStream stream) {
        if ((offset | length) % Integer.BYTES != 0) {
            throw new IllegalArgumentException("a fill with 4 bytes of offset %d, length %d".formatted(offset, length));
        }
        int code = calls.fill32.call(
                address(offset, length), Integer.toUnsignedLong(pattern), length / Integer.BYTES, stream.handle());
        if (code != 0) {
            throw copying(calls.fill32, code, offset, length);
        }
    }

    /**
     * Copies host memory to the beginning and waits; not for a step.
     *
     * <p>The copy alone returns when the driver has the bytes, which may be before the device has, and streams of this
     * project do not wait for it (CUDA driver API, "API synchronization behavior").
     */
    public void upload(MemorySegment from) {
        int code = calls.copyHostToDevice.call(
                address(0, from.byteSize()), host(from, 0, from.byteSize()), from.byteSize());
        if (code != 0) {
            throw copying(calls.copyHostToDevice, code, 0, from.byteSize());
        }
        code = calls.streamSynchronize.call(LEGACY_STREAM);
        if (code != 0) {
            throw copying(calls.streamSynchronize, code, 0, from.byteSize());
        }
    }

    /** Copies the beginning to host memory and waits; not for a step, and after no stream but the legacy one. */
    public void download(MemorySegment to) {
        int code = calls.copyDeviceToHost.call(host(to, 0, to.byteSize()), address(0, to.byteSize()), to.byteSize());
        if (code != 0) {
            throw copying(calls.copyDeviceToHost, code, 0, to.byteSize());
        }
    }

    private static long host(MemorySegment memory, long offset, long length) {
        Objects.checkFromIndexSize(offset, length, memory.byteSize());
        if (!memory.isNative()) {
            throw new IllegalArgumentException("only native memory can be copied to and from a device");
        }
        return memory.address() + offset;
    }

    private CudaException copying(NativeCall call, int code, long offset, long length) {
        return failed(call, code, "%d of its %d bytes from %d".formatted(length, bytes, offset));
    }
}
