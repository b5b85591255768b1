package dev.jeton.models.cpu;

import dev.jeton.models.vector.VectorMath;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Kernels in C for what the Vector API has no instructions for ({@code models/src/main/c/jeton_cpu.c}): products of BF16
 * weights with BF16 inputs by VDPBF16PS, which does twice the work of a fma and more than 2.5 times that of widening first.
 *
 * <p>The build compiles them where there is a C compiler and carries the library in the jar; it is used on Linux on x86-64
 * where the processor has AVX-512 with BF16, unless {@code -Djeton.cpu.native=false}. Elsewhere {@link #AVAILABLE} is false and
 * BF16 weights are widened by {@link Kernels}. The two differ in what they compute: with these kernels inputs are rounded to
 * BF16 as well, as other engines of that type do. Either way a row's bits do not depend on the batch.
 */
final class NativeKernels {

    private static final Logger LOG = LoggerFactory.getLogger(NativeKernels.class);
    private static final String LIBRARY = "libjeton_cpu.so";
    private static final int LANES = 16;
    private static final FunctionDescriptor PANEL = FunctionDescriptor.ofVoid(
            ValueLayout.JAVA_LONG,
            ValueLayout.ADDRESS,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.ADDRESS);
    private static final MethodType TYPE = PANEL.toMethodType();
    private static final MethodHandle NOTHING = MethodHandles.empty(TYPE);
    private static final MethodHandle BF16 = link();

    /** Whether they are here and this processor can run them. */
    static final boolean AVAILABLE = BF16 != NOTHING;

    private NativeKernels() {}

    /**
     * {@code tile[r][n] += sum over k of x[r][k] * w[n][k]} for the outputs n of a panel of {@link
     * PackedMatrix.Format#BF16_PAIRS}.
     *
     * @param w the panel's address
     * @param x rows of inputs, the first at {@code from}, {@code stride} apart
     */
    static void bf16(long w, float[] x, int from, int stride, int inputs, int rows, float[] tile) {
        assert (long) from + (long) (rows - 1) * stride + inputs <= x.length && rows * Kernels.PANEL <= tile.length;
        MemorySegment first = MemorySegment.ofArray(x).asSlice((long) Float.BYTES * from);
        try {
            BF16.invokeExact(w, first, (long) stride, (long) inputs, (long) rows, MemorySegment.ofArray(tile));
        } catch (Throwable e) {
            throw new AssertionError("a kernel cannot fail", e);
        }
    }

    private static MethodHandle link() {
        boolean wanted = System.getProperty("os.name").equals("Linux")
                && System.getProperty("os.arch").equals("amd64")
                && VectorMath.LANES == LANES
                && !System.getProperty("jeton.cpu.native", "true").equals("false");
        if (!wanted) {
            return NOTHING;
        }
        try (InputStream in = NativeKernels.class.getResourceAsStream(LIBRARY)) {
            return in == null ? NOTHING : link(in);
        } catch (IOException | IllegalArgumentException e) {
            LOG.warn("the kernels in C cannot be loaded, the cpu engine goes without: {}", e.getMessage());
            return NOTHING;
        }
    }

    private static MethodHandle link(InputStream library) throws IOException {
        Path file = Files.createTempFile("jeton", ".so");
        try {
            Files.copy(library, file, StandardCopyOption.REPLACE_EXISTING);
            SymbolLookup symbols = SymbolLookup.libraryLookup(file, Arena.global());
            Linker linker = Linker.nativeLinker();
            MethodHandle can = linker.downcallHandle(
                    symbols.findOrThrow("jeton_cpu_bf16"), FunctionDescriptor.of(ValueLayout.JAVA_INT));
            return (int) can.invokeExact() == 1
                    ? linker.downcallHandle(
                            symbols.findOrThrow("jeton_cpu_bf16_panel"), PANEL, Linker.Option.critical(true))
                    : NOTHING;
        } catch (IOException | RuntimeException e) {
            throw e;
        } catch (Throwable e) {
            throw new AssertionError("asking the processor cannot fail", e);
        } finally {
            Files.deleteIfExists(file); // it stays mapped
        }
    }
}
