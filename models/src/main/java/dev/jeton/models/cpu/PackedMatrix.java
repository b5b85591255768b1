package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;
import static dev.jeton.models.cpu.Kernels.Q8_BLOCK;
import static dev.jeton.models.cpu.NativeMemory.ALL;
import static dev.jeton.models.vector.VectorMath.LANES;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * A weight matrix in the panels that {@link Kernels} read: outputs in groups of {@link Kernels#PANEL}, the last one
 * padded with zeros. Written once at load, then read by all threads.
 */
final class PackedMatrix {

    /** How weights are kept. */
    enum Format {
        F32,
        BF16,
        /** Blocks of 32 inputs with one BF16 scale: 1.0625 bytes a weight. */
        Q8_0
    }

    /** Where rows come from while packing. */
    interface RowSource {
        /**
         * Reads {@code count} weights of output {@code output} from input {@code first} on into {@code target[offset]};
         * zeros for an output that is padding.
         */
        void read(int output, int first, int count, float[] target, int offset);
    }

    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Bytes of a block of inputs of one panel: scales, then a byte a weight. */
    private static final long Q8_BYTES = (2L + Q8_BLOCK) * PANEL;

    private final Format format;
    private final int columns;
    private final int panels;
    private final long panelBytes;
    private final long start;
    private final boolean beyondCaches;

    /**
     * Room for {@code panels} panels of {@code columns} inputs each.
     *
     * @param beyondCaches whether the model is too large for the caches, so that reading ahead pays
     */
    PackedMatrix(Format format, int columns, int panels, boolean beyondCaches, SegmentAllocator memory) {
        this.format = format;
        this.columns = columns;
        this.panels = panels;
        this.panelBytes = panelBytes(format, columns);
        this.beyondCaches = beyondCaches;
        this.start = memory.allocate(panelBytes * panels, 64).address();
    }

    private static long panelBytes(Format format, int columns) {
        return switch (format) {
            case F32 -> 4L * PANEL * columns;
            case BF16 -> 2L * PANEL * columns;
            case Q8_0 -> (columns + Q8_BLOCK - 1) / Q8_BLOCK * Q8_BYTES;
        };
    }

    /** Panels needed for {@code outputs} outputs. */
    static int panelsFor(int outputs) {
        return (outputs + PANEL - 1) / PANEL;
    }

    Format format() {
        return format;
    }

    /** Inputs. */
    int columns() {
        return columns;
    }

    int panels() {
        return panels;
    }

    /** Bytes of one panel. */
    long panelBytes() {
        return panelBytes;
    }

    /** Whether the matrix comes from memory each time. */
    boolean beyondCaches() {
        return beyondCaches;
    }

    /** Bytes of {@code count} inputs of a panel. */
    long sliceBytes(int count) {
        return panelBytes(format, count);
    }

    /** The address at which input {@code k} of a panel begins; in Q8_0 {@code k} is a multiple of 32. */
    long address(int panel, int k) {
        assert panel >= 0 && panel < panels && k >= 0 && k <= columns : panel + " " + k;
        long start = this.start + panelBytes * panel;
        return switch (format) {
            case F32 -> start + 4L * PANEL * k;
            case BF16 -> start + 2L * PANEL * k;
            case Q8_0 -> start + k / Q8_BLOCK * Q8_BYTES;
        };
    }

    /** Widens inputs {@code k} to {@code k + count} of a panel to F32, as {@code [count][PANEL]} at the address {@code slab}. */
    void widen(int panel, int k, int count, long slab) {
        switch (format) {
            case BF16 -> Kernels.widenBf16(address(panel, k), count, slab);
            case Q8_0 -> Kernels.widenQ8(address(panel, k), count, slab);
            case F32 -> throw new IllegalStateException("F32 panels are read as they are");
        }
    }

    /** Fills one panel. {@code block} and {@code turned} are scratch of {@code 32 * PANEL} elements. */
    void pack(int panel, RowSource source, float[] block, float[] turned) {
        for (int k = 0; k < columns; k += Q8_BLOCK) {
            int count = Math.min(Q8_BLOCK, columns - k);
            for (int lane = 0; lane < PANEL; lane++) {
                source.read(panel * PANEL + lane, k, count, block, lane * Q8_BLOCK);
            }
            turn(block, count, turned);
            long at = address(panel, k);
            switch (format) {
                case F32 -> MemorySegment.copy(turned, 0, ALL, FLOAT, at, count * PANEL);
                case BF16 -> PackKernels.halves(turned, count, at);
                case Q8_0 -> PackKernels.bytes(turned, count, at);
            }
        }
    }

    /** {@code [PANEL][32]} to {@code [count][PANEL]}. */
    private static void turn(float[] block, int count, float[] turned) {
        for (int lane = 0; lane < PANEL; lane++) {
            for (int i = 0; i < count; i++) {
                turned[i * PANEL + lane] = block[lane * Q8_BLOCK + i];
            }
        }
    }

    private static float widen(int bf16) {
        return Float.intBitsToFloat(bf16 << 16);
    }

    /** Gathers the weights of one output: the embedding of a token where it is also the output projection. */
    void row(int output, float[] target, int offset) {
        int panel = output / PANEL;
        int lane = output % PANEL;
        int quarter = lane / LANES;
        int word = lane % LANES + (quarter >= 2 ? LANES : 0);
        for (int k = 0; k < columns; k++) {
            target[offset + k] = switch (format) {
                case F32 -> ALL.get(FLOAT, address(panel, k) + 4L * lane);
                case BF16 -> widen(ALL.get(INT, address(panel, k) + 4L * word) >>> (16 * (quarter & 1)) & 0xFFFF);
                case Q8_0 -> {
                    long block = address(panel, k);
                    float scale = widen(ALL.get(INT, block + 4L * word) >>> (16 * (quarter & 1)) & 0xFFFF);
                    long at = block + 2L * PANEL + 4L * (k % Q8_BLOCK * LANES + lane % LANES);
                    yield ((ALL.get(INT, at) >>> (8 * quarter) & 0xFF) - 128) * scale;
                }
            };
        }
    }
}
