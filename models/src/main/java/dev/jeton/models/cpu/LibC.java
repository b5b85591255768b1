package dev.jeton.models.cpu;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.Optional;

/**
 * The few functions of Linux's C library that memory management needs; every method says no where they are missing, and
 * callers do without. Linking costs some tens of milliseconds once, so small models never get here.
 */
final class LibC {

    static final int READ_WRITE = 3;
    static final int READ_EXECUTE = 5;

    private static final int PRIVATE_ANONYMOUS = 0x22;
    private static final int HUGE_PAGES = 14;

    private record Functions(MethodHandle map, MethodHandle unmap, MethodHandle protect, MethodHandle advise) {}

    private static final Optional<Functions> FUNCTIONS = link();

    private LibC() {}

    private static Optional<Functions> link() {
        if (!System.getProperty("os.name").equals("Linux")) {
            return Optional.empty();
        }
        ValueLayout.OfLong word = ValueLayout.JAVA_LONG;
        ValueLayout.OfInt number = ValueLayout.JAVA_INT;
        try {
            Linker linker = Linker.nativeLinker();
            SymbolLookup names = linker.defaultLookup();
            FunctionDescriptor advise = FunctionDescriptor.of(number, word, word, number);
            return Optional.of(new Functions(
                    linker.downcallHandle(
                            names.findOrThrow("mmap"),
                            FunctionDescriptor.of(word, word, word, number, number, number, word)),
                    linker.downcallHandle(names.findOrThrow("munmap"), FunctionDescriptor.of(number, word, word)),
                    linker.downcallHandle(names.findOrThrow("mprotect"), advise),
                    linker.downcallHandle(names.findOrThrow("madvise"), advise)));
        } catch (RuntimeException | LinkageError e) {
            return Optional.empty();
        }
    }

    /** Maps zeroed memory that takes no room before it is touched; 0 where that cannot be had. */
    static long map(long bytes) {
        if (FUNCTIONS.isEmpty()) {
            return 0;
        }
        try {
            long address = (long) FUNCTIONS.get().map.invokeExact(0L, bytes, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0L);
            return address == -1 ? 0 : address;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** Gives mapped memory back. */
    static void unmap(long address, long bytes) {
        try {
            int failed = (int) FUNCTIONS.orElseThrow().unmap.invokeExact(address, bytes);
            assert failed == 0 : "munmap";
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** Asks for huge pages: fewer page faults while loading, fewer walks of the page tables while computing. */
    static void useHugePages(long address, long bytes) {
        try {
            int ignored = (int) FUNCTIONS.orElseThrow().advise.invokeExact(address, bytes, HUGE_PAGES);
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }

    /** Changes what mapped memory may be used for; false where that is refused. */
    static boolean protect(long address, long bytes, int use) {
        try {
            return (int) FUNCTIONS.orElseThrow().protect.invokeExact(address, bytes, use) == 0;
        } catch (Throwable e) {
            throw new AssertionError(e);
        }
    }
}
