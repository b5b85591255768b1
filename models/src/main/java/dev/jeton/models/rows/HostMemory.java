package dev.jeton.models.rows;

import dev.jeton.models.ModelException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * Zeroed memory of the C library, which native libraries read and write. Large pieces take room only as they are
 * touched, and none counts as the JVM's direct memory, whose limit is for network buffers.
 */
public final class HostMemory {

    private static final MethodHandle CALLOC =
            link("calloc", FunctionDescriptor.of(ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));
    private static final MethodHandle FREE = link("free", FunctionDescriptor.ofVoid(ValueLayout.JAVA_LONG));

    private HostMemory() {}

    private static MethodHandle link(String name, FunctionDescriptor type) {
        SymbolLookup names = Linker.nativeLinker().defaultLookup();
        return Linker.nativeLinker().downcallHandle(names.findOrThrow(name), type);
    }

    /**
     * Memory to be given back with {@link #free}.
     *
     * @param what names the use where there is not enough
     * @throws ModelException where there is not enough
     */
    public static MemorySegment allocate(long bytes, String what) {
        long address;
        try {
            address = (long) CALLOC.invokeExact(1L, Math.max(1, bytes));
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
        if (address == 0) {
            throw new ModelException(
                    "no memory for %d bytes of %s; give less with --kv-memory, --max-sequences or --max-model-len"
                            .formatted(bytes, what));
        }
        return MemorySegment.ofAddress(address).reinterpret(bytes);
    }

    /** Gives memory back; nothing may use it any more. */
    public static void free(MemorySegment memory) {
        try {
            FREE.invokeExact(memory.address());
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }
}
