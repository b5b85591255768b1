package dev.jeton.models.cpu;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;

/**
 * Asks the memory for cache lines before they are read, which Java has no instruction for.
 *
 * <p>A core has as many lines in flight as its windows hold loads and what waits for them. The Q8_0 kernel spends
 * twenty instructions on a line, so about a dozen lines are in flight and one thread gets 10 GB/s of the 40 that the
 * memory would deliver; the BF16 kernel, with six, gets 25. A prefetch instruction retires without waiting: with it
 * both read at 30 GB/s and more.
 *
 * <p>On Linux on x86-64 a page of executable memory is mapped through the foreign-function interface and the thirteen
 * bytes of the loop {@code prefetcht0 [rdi]; add rdi, 64; dec rsi; jnz} are called as a function of (address, lines). A
 * prefetch neither faults nor changes anything. Elsewhere, where the mapping is refused, or with
 * {@code -Djeton.cpu.prefetch=false}, {@link #AVAILABLE} is false and {@link Kernels#touch} takes its place.
 */
final class Prefetch {

    private static final int LINE = 64;
    private static final long PAGE = 4096;
    private static final byte[] LOOP = {
        0x0F,
        0x18,
        0x0F,
        0x48,
        (byte) 0x83,
        (byte) 0xC7,
        0x40,
        0x48,
        (byte) 0xFF,
        (byte) 0xCE,
        0x75,
        (byte) 0xF4,
        (byte) 0xC3
    };

    private static final MethodType TYPE = MethodType.methodType(void.class, long.class, long.class);
    private static final MethodHandle NOTHING = MethodHandles.empty(TYPE);
    private static final MethodHandle LINES = link();

    /** Whether lines can be prefetched on this machine. */
    static final boolean AVAILABLE = LINES != NOTHING;

    private Prefetch() {}

    /** Prefetches the addresses {@code [from, to)}. */
    static void lines(long from, long to) {
        long count = (to - from) / LINE;
        if (count > 0) {
            call(from, count);
        }
    }

    private static void call(long address, long count) {
        try {
            LINES.invokeExact(address, count);
        } catch (Throwable e) {
            throw new AssertionError("prefetching cannot fail", e);
        }
    }

    private static MethodHandle link() {
        boolean known = System.getProperty("os.name").equals("Linux")
                && System.getProperty("os.arch").equals("amd64")
                && !System.getProperty("jeton.cpu.prefetch", "true").equals("false");
        return known ? linkLoop() : NOTHING;
    }

    private static MethodHandle linkLoop() {
        long page = LibC.map(PAGE);
        if (page == 0) {
            return NOTHING;
        }
        MemorySegment code = MemorySegment.ofAddress(page);
        MemorySegment.copy(LOOP, 0, code.reinterpret(PAGE), ValueLayout.JAVA_BYTE, 0, LOOP.length);
        if (!LibC.protect(page, PAGE, LibC.READ_EXECUTE)) {
            LibC.unmap(page, PAGE);
            return NOTHING;
        }
        return Linker.nativeLinker()
                .downcallHandle(
                        code,
                        FunctionDescriptor.ofVoid(ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG),
                        Linker.Option.critical(false));
    }
}
