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
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Kernels in C ({@code models/src/main/c}) for what the Vector API has no instructions or its compiler no registers
 * for:
 *
 * <ul>
 *   <li>products of BF16 weights with BF16 inputs by VDPBF16PS, which does twice the work of a fma and more than 2.5
 *       times that of widening first. They differ from {@link Kernels} in what they compute: inputs are rounded to BF16
 *       as well, as other engines of that type do.
 *   <li>products of quantised weights with BF16 inputs, by the same instruction. Weights stay exact.
 *   <li>products of quantised weights with F32 inputs, where there is no such instruction: the same bits as by
 *       {@link Kernels}, {@link BlockKernels} and {@link Mxfp4Kernels}.
 *   <li>scores and outputs of attention over K and V of BF16: the same bits as by {@link AttentionKernels}.
 * </ul>
 *
 * <p>The build compiles them where there is a C compiler and carries the library in the jar; they are used on Linux on
 * x86-64 where the processor has AVX-512 (and BF16 for the first two, VBMI for the second), unless
 * {@code -Djeton.cpu.native=false}. Elsewhere {@link #AVAILABLE}, {@link #BLOCKS} or {@link #ATTENTION} are false and
 * the Vector API does their work. Either way a row's bits do not depend on the batch.
 */
final class NativeKernels {

    private static final Logger LOG = LoggerFactory.getLogger(NativeKernels.class);
    private static final String LIBRARY = "libjeton_cpu.so";
    private static final int LANES = 16;
    private static final FunctionDescriptor ROUND = FunctionDescriptor.ofVoid(
            ValueLayout.ADDRESS,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG);
    private static final FunctionDescriptor PANEL = FunctionDescriptor.ofVoid(
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.ADDRESS);
    private static final FunctionDescriptor FORMAT_PANEL = FunctionDescriptor.ofVoid(
            ValueLayout.JAVA_INT,
            ValueLayout.JAVA_LONG,
            ValueLayout.ADDRESS,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.ADDRESS,
            ValueLayout.JAVA_LONG);
    private static final FunctionDescriptor HALVES_PANEL = FunctionDescriptor.ofVoid(
            ValueLayout.JAVA_INT,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.ADDRESS,
            ValueLayout.JAVA_LONG);
    private static final FunctionDescriptor SCORES = FunctionDescriptor.ofVoid(
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.ADDRESS,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.ADDRESS,
            ValueLayout.JAVA_LONG,
            ValueLayout.ADDRESS,
            ValueLayout.JAVA_LONG);
    private static final FunctionDescriptor VALUES = FunctionDescriptor.ofVoid(
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.ADDRESS,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.ADDRESS,
            ValueLayout.JAVA_LONG,
            ValueLayout.JAVA_LONG,
            ValueLayout.ADDRESS,
            ValueLayout.JAVA_LONG);
    private static final MethodHandle NO_ROUND = MethodHandles.empty(ROUND.toMethodType());
    private static final MethodHandle NO_BF16 = MethodHandles.empty(PANEL.toMethodType());
    private static final MethodHandle NO_HALVES = MethodHandles.empty(HALVES_PANEL.toMethodType());
    private static final MethodHandle NO_BLOCKS = MethodHandles.empty(FORMAT_PANEL.toMethodType());
    private static final MethodHandle NO_SCORES = MethodHandles.empty(SCORES.toMethodType());
    private static final MethodHandle NO_VALUES = MethodHandles.empty(VALUES.toMethodType());
    private static final Handles HANDLES = link();
    private static final MethodHandle BF16_ROUND = HANDLES.round();
    private static final MethodHandle BF16_PANEL = HANDLES.bf16();
    private static final MethodHandle HALVES_ROUND = HANDLES.halvesRound();
    private static final MethodHandle HALVES_PANEL_OF = HANDLES.halves();
    private static final MethodHandle BLOCKS_PANEL = HANDLES.blocks();
    private static final MethodHandle ATTENTION_SCORES = HANDLES.scores();
    private static final MethodHandle ATTENTION_VALUES = HANDLES.values();

    /** Whether those for BF16 are here and this processor can run them. */
    static final boolean AVAILABLE = BF16_PANEL != NO_BF16;

    /** Whether those for quantised weights and inputs in BF16 are. */
    private static final boolean HALVES = HALVES_PANEL_OF != NO_HALVES;

    /** Whether those for quantised weights are. */
    static final boolean BLOCKS = BLOCKS_PANEL != NO_BLOCKS;

    /** Whether those for attention are. */
    static final boolean ATTENTION = ATTENTION_SCORES != NO_SCORES;

    /** The functions, or ones that do nothing. */
    private record Handles(
            MethodHandle round,
            MethodHandle bf16,
            MethodHandle halvesRound,
            MethodHandle halves,
            MethodHandle blocks,
            MethodHandle scores,
            MethodHandle values) {}

    private NativeKernels() {}

    /**
     * {@code tile[r][n] += sum over k of x[r][k] * w[n][k]} for the outputs n of a panel of
     * {@link PackedMatrix.Format#BF16_PAIRS}.
     *
     * @param w the panel's address
     * @param x that of the rows of inputs, as {@link HalfRows} has them
     */
    static void bf16(long w, long x, int inputs, int rows, float[] tile) {
        assert rows * Kernels.PANEL <= tile.length;
        long stride = HalfRows.stride(inputs, HalfRows.Order.PLAIN);
        try {
            BF16_PANEL.invokeExact(w, x, stride, (long) inputs, (long) rows, MemorySegment.ofArray(tile));
        } catch (Throwable e) {
            throw new AssertionError("a kernel cannot fail", e);
        }
    }

    /**
     * Rounds rows of inputs to BF16, ties to even; what is beyond them is zero as far as it is read.
     *
     * @param x rows of inputs, the first at {@code from}, {@code stride} apart
     * @param to the address of the first row, as {@link HalfRows} has them
     */
    static void round(HalfRows.Order order, float[] x, int from, int stride, int inputs, int rows, long to) {
        assert (long) from + (long) (rows - 1) * stride + inputs <= x.length;
        MemorySegment first = MemorySegment.ofArray(x).asSlice((long) Float.BYTES * from);
        long toStride = HalfRows.stride(inputs, order);
        try {
            switch (order) {
                case FLOATS -> throw new IllegalArgumentException("floats are not rounded");
                case PLAIN -> BF16_ROUND.invokeExact(first, (long) stride, (long) inputs, (long) rows, to, toStride);
                case HALVES_OF_EIGHT ->
                    HALVES_ROUND.invokeExact(first, (long) stride, (long) inputs, (long) rows, to, toStride);
            }
        } catch (Throwable e) {
            throw new AssertionError("a kernel cannot fail", e);
        }
    }

    /**
     * Whether panels of a format are read by a kernel in C that takes inputs of {@link HalfRows.Order#HALVES_OF_EIGHT}.
     */
    static boolean halves(PackedMatrix.Format format) {
        return switch (format) {
            case F32, BF16, BF16_PAIRS -> false;
            case Q8_0, MXFP4, Q4_K, Q5_K, Q6_K -> HALVES;
        };
    }

    /**
     * {@code tile[r][n] += sum over k of x[r][k] * w[n][k]} for the outputs n of a panel of a quantised format.
     *
     * @param w the panel's address
     * @param x that of the rows of inputs, as {@link HalfRows} has them
     * @param end address up to which the caller goes on reading the matrix
     */
    static void halves(PackedMatrix.Format format, long w, long x, int inputs, int rows, float[] tile, long end) {
        assert rows * Kernels.PANEL <= tile.length;
        int number = number(format);
        long stride = HalfRows.stride(inputs, HalfRows.Order.HALVES_OF_EIGHT);
        MemorySegment sums = MemorySegment.ofArray(tile);
        try {
            HALVES_PANEL_OF.invokeExact(number, w, x, stride, (long) inputs, (long) rows, sums, end);
        } catch (Throwable e) {
            throw new AssertionError("a kernel cannot fail", e);
        }
    }

    /** Whether panels of a format are read by a kernel in C. */
    static boolean reads(PackedMatrix.Format format) {
        return switch (format) {
            case F32, BF16 -> false;
            case BF16_PAIRS -> true;
            case Q8_0, MXFP4, Q4_K, Q5_K, Q6_K -> BLOCKS;
        };
    }

    /** The same for the outputs of a panel of a quantised format. */
    static void blocks(
            PackedMatrix.Format format,
            long w,
            float[] x,
            int from,
            int stride,
            int inputs,
            int rows,
            float[] tile,
            long end) {
        assert (long) from + (long) (rows - 1) * stride + inputs <= x.length && rows * Kernels.PANEL <= tile.length;
        int number = number(format);
        MemorySegment first = MemorySegment.ofArray(x).asSlice((long) Float.BYTES * from);
        MemorySegment sums = MemorySegment.ofArray(tile);
        try {
            BLOCKS_PANEL.invokeExact(number, w, first, (long) stride, (long) inputs, (long) rows, sums, end);
        } catch (Throwable e) {
            throw new AssertionError("a kernel cannot fail", e);
        }
    }

    /**
     * {@code scores[j][t - from] = sum over d of q[j][d] * k[t][d]} for tokens {@code [from, to)}, both multiples of a
     * vector's lanes.
     *
     * @param kv of {@link KvArena.Type#BF16}
     * @param table block ids, the row's first at {@code tableAt}
     * @param q {@code [queries][headDim]}; at most {@link Attention#GROUP} queries
     * @param scores {@code [queries][AttentionKernels.SEGMENT]} from {@code scoresAt} on
     */
    static void scores(
            KvArena kv,
            int layer,
            int head,
            int[] table,
            int tableAt,
            int from,
            int to,
            int headDim,
            float[] q,
            int queries,
            float[] scores,
            int scoresAt) {
        assert queries * headDim <= q.length
                && scoresAt + (queries - 1) * AttentionKernels.SEGMENT + to - from <= scores.length
                && tableAt + (to - 1) / kv.group().blockSize() < table.length;
        long keys = kv.keys(0, layer, head);
        try {
            ATTENTION_SCORES.invokeExact(
                    keys,
                    kv.values(0, layer, head) - keys,
                    kv.group().bytesPerBlock(),
                    MemorySegment.ofArray(table),
                    (long) tableAt,
                    (long) kv.group().blockSize(),
                    (long) from,
                    (long) to,
                    (long) headDim,
                    MemorySegment.ofArray(q),
                    (long) queries,
                    MemorySegment.ofArray(scores),
                    (long) scoresAt);
        } catch (Throwable e) {
            throw new AssertionError("a kernel cannot fail", e);
        }
    }

    /**
     * {@code out[j][d] += sum over tokens [from, to) of p[j][t - from] * v[t][d]}.
     *
     * @param p {@code [queries][AttentionKernels.SEGMENT]} from {@code weightsAt} on
     * @param out {@code [queries][width]}
     */
    static void values(
            KvArena kv,
            int layer,
            int head,
            int[] table,
            int tableAt,
            int from,
            int to,
            float[] p,
            int weightsAt,
            int queries,
            float[] out,
            int width) {
        assert queries * width <= out.length
                && weightsAt + (queries - 1) * AttentionKernels.SEGMENT + to - from <= p.length
                && (to == from || tableAt + (to - 1) / kv.group().blockSize() < table.length);
        try {
            ATTENTION_VALUES.invokeExact(
                    kv.values(0, layer, head),
                    kv.group().bytesPerBlock(),
                    MemorySegment.ofArray(table),
                    (long) tableAt,
                    (long) kv.group().blockSize(),
                    (long) from,
                    (long) to,
                    (long) kv.tokenBytes(),
                    MemorySegment.ofArray(p),
                    (long) weightsAt,
                    (long) queries,
                    MemorySegment.ofArray(out),
                    (long) width);
        } catch (Throwable e) {
            throw new AssertionError("a kernel cannot fail", e);
        }
    }

    /** The number of a format in the enumeration in C. */
    private static int number(PackedMatrix.Format format) {
        return switch (format) {
            case Q8_0 -> 0;
            case Q4_K -> 1;
            case Q5_K -> 2;
            case Q6_K -> 3;
            case MXFP4 -> 4;
            case F32, BF16, BF16_PAIRS -> throw new IllegalStateException(format + " has no blocks");
        };
    }

    private static Handles link() {
        Handles none = new Handles(NO_ROUND, NO_BF16, NO_ROUND, NO_HALVES, NO_BLOCKS, NO_SCORES, NO_VALUES);
        boolean wanted = System.getProperty("os.name").equals("Linux")
                && System.getProperty("os.arch").equals("amd64")
                && VectorMath.LANES == LANES
                && !System.getProperty("jeton.cpu.native", "true").equals("false");
        if (!wanted) {
            return none;
        }
        try (InputStream in = NativeKernels.class.getResourceAsStream(LIBRARY)) {
            return in == null ? none : link(in);
        } catch (IOException | IllegalArgumentException e) {
            LOG.warn("the kernels in C cannot be loaded, the cpu engine goes without: {}", e.getMessage());
            return none;
        }
    }

    private static Handles link(InputStream library) throws IOException {
        Path file = Files.createTempFile("jeton", ".so");
        try {
            Files.copy(library, file, StandardCopyOption.REPLACE_EXISTING);
            SymbolLookup symbols = SymbolLookup.libraryLookup(file, Arena.global());
            return new Handles(
                    function(symbols, "jeton_cpu_bf16", "_round", ROUND, NO_ROUND),
                    function(symbols, "jeton_cpu_bf16", "_panel", PANEL, NO_BF16),
                    function(symbols, "jeton_cpu_halves", "_round", ROUND, NO_ROUND),
                    function(symbols, "jeton_cpu_halves", "_panel", HALVES_PANEL, NO_HALVES),
                    function(symbols, "jeton_cpu_blocks", "_panel", FORMAT_PANEL, NO_BLOCKS),
                    function(symbols, "jeton_cpu_attention", "_scores", SCORES, NO_SCORES),
                    function(symbols, "jeton_cpu_attention", "_values", VALUES, NO_VALUES));
        } finally {
            Files.deleteIfExists(file); // it stays mapped
        }
    }

    /** The function {@code name + suffix} where the one called {@code name} says that the processor can run it. */
    private static MethodHandle function(
            SymbolLookup symbols, String name, String suffix, FunctionDescriptor descriptor, MethodHandle otherwise) {
        Linker linker = Linker.nativeLinker();
        MethodHandle can =
                linker.downcallHandle(symbols.findOrThrow(name), FunctionDescriptor.of(ValueLayout.JAVA_INT));
        int able;
        try {
            able = (int) can.invokeExact();
        } catch (Throwable e) {
            throw new AssertionError("asking the processor cannot fail", e);
        }
        return able == 1
                ? linker.downcallHandle(symbols.findOrThrow(name + suffix), descriptor, Linker.Option.critical(true))
                : otherwise;
    }
}
