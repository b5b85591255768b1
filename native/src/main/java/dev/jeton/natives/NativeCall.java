package dev.jeton.natives;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemoryLayout;
import java.lang.invoke.MethodHandle;
import java.util.Arrays;

/**
 * A function of a library that takes integers and pointers and returns a code. Calls allocate nothing.
 *
 * <p>All parameters are passed 64 bits wide: both ABIs that NVIDIA has Linux drivers for (x86-64 System V, AArch64)
 * pass a narrower integer in a whole register or stack slot, whose upper half the function ignores.
 */
final class NativeCall {

    private final String name;
    private final MethodHandle handle;

    NativeCall(NativeLibrary library, String name, int parameters) {
        this.name = name;
        MemoryLayout[] layouts = new MemoryLayout[parameters];
        Arrays.fill(layouts, JAVA_LONG);
        handle = library.function(name, FunctionDescriptor.of(JAVA_INT, layouts));
    }

    String name() {
        return name;
    }

    int call() {
        try {
            return (int) handle.invokeExact();
        } catch (Throwable e) {
            throw Nvml.thrown(e, name);
        }
    }

    int call(long a) {
        try {
            return (int) handle.invokeExact(a);
        } catch (Throwable e) {
            throw Nvml.thrown(e, name);
        }
    }

    int call(long a, long b) {
        try {
            return (int) handle.invokeExact(a, b);
        } catch (Throwable e) {
            throw Nvml.thrown(e, name);
        }
    }

    int call(long a, long b, long c) {
        try {
            return (int) handle.invokeExact(a, b, c);
        } catch (Throwable e) {
            throw Nvml.thrown(e, name);
        }
    }

    int call(long a, long b, long c, long d) {
        try {
            return (int) handle.invokeExact(a, b, c, d);
        } catch (Throwable e) {
            throw Nvml.thrown(e, name);
        }
    }

    int call(long a, long b, long c, long d, long e, long f) {
        try {
            return (int) handle.invokeExact(a, b, c, d, e, f);
        } catch (Throwable t) {
            throw Nvml.thrown(t, name);
        }
    }

    int call(long a, long b, long c, long d, long e) {
        try {
            return (int) handle.invokeExact(a, b, c, d, e);
        } catch (Throwable t) {
            throw Nvml.thrown(t, name);
        }
    }

    /** As {@code ncclAllReduce}. */
    int call(long a, long b, long c, long d, long e, long f, long g) {
        try {
            return (int) handle.invokeExact(a, b, c, d, e, f, g);
        } catch (Throwable t) {
            throw Nvml.thrown(t, name);
        }
    }

    int call(long a, long b, long c, long d, long e, long f, long g, long h) {
        try {
            return (int) handle.invokeExact(a, b, c, d, e, f, g, h);
        } catch (Throwable t) {
            throw Nvml.thrown(t, name);
        }
    }

    /** As {@code cuLaunchKernel}. */
    int call(long a, long b, long c, long d, long e, long f, long g, long h, long i, long j, long k) {
        try {
            return (int) handle.invokeExact(a, b, c, d, e, f, g, h, i, j, k);
        } catch (Throwable t) {
            throw Nvml.thrown(t, name);
        }
    }

    /** As {@code cublasLtMatmulAlgoGetHeuristic}. */
    int call(long a, long b, long c, long d, long e, long f, long g, long h, long i, long j) {
        try {
            return (int) handle.invokeExact(a, b, c, d, e, f, g, h, i, j);
        } catch (Throwable t) {
            throw Nvml.thrown(t, name);
        }
    }

    /** As {@code cublasLtMatmul}. */
    int call(
            long a,
            long b,
            long c,
            long d,
            long e,
            long f,
            long g,
            long h,
            long i,
            long j,
            long k,
            long l,
            long m,
            long n,
            long o,
            long p) {
        try {
            return (int) handle.invokeExact(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p);
        } catch (Throwable t) {
            throw Nvml.thrown(t, name);
        }
    }
}
