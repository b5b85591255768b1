package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;
import static dev.jeton.models.cpu.Kernels.Q8_BLOCK;
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

    private final Format format;
    private final int columns;
    private final int panels;
    private final long panelBytes;
    private final MemorySegment data;

    /** Room for {@code panels} panels of {@code columns} inputs each. */
    PackedMatrix(Format format, int columns, int panels, SegmentAllocator memory) {
        this.format = format;
        this.columns = columns;
        this.panels = panels;
        this.panelBytes = panelBytes(format, columns);
        this.data = memory.allocate(panelBytes * panels, 64);
    }

    private static long panelBytes(Format format, int columns) {
        return switch (format) {
            case F32 -> 4L * PANEL * columns;
            case BF16 -> 2L * PANEL * columns;
            case Q8_0 -> (long) (columns + Q8_BLOCK - 1) / Q8_BLOCK * (2 * PANEL + Q8_BLOCK * PANEL);
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

    MemorySegment data() {
        return data;
    }

    /** Bytes of {@code count} inputs of a panel. */
    long sliceBytes(int count) {
        return panelBytes(format, count);
    }

    /** Byte at which input {@code k} of a panel begins; in Q8_0 {@code k} is a multiple of 32. */
    long offset(int panel, int k) {
        long start = panelBytes * panel;
        return switch (format) {
            case F32 -> start + 4L * PANEL * k;
            case BF16 -> start + 2L * PANEL * k;
            case Q8_0 -> start + (long) (k / Q8_BLOCK) * (2 * PANEL + Q8_BLOCK * PANEL);
        };
    }

    /** Widens inputs {@code k} to {@code k + count} of a panel to F32, as {@code [count][PANEL]}. */
    void widen(int panel, int k, int count, MemorySegment slab) {
        switch (format) {
            case BF16 -> Kernels.widenBf16(data, offset(panel, k), count, slab);
            case Q8_0 -> Kernels.widenQ8(data, offset(panel, k), count, slab);
            case F32 -> throw new IllegalStateException("F32 panels are read as they are");
        }
    }

    /** Fills one panel. {@code block} and {@code words} are scratch of {@code 32 * PANEL} elements. */
    void pack(int panel, RowSource source, float[] block, int[] words) {
        for (int k = 0; k < columns; k += Q8_BLOCK) {
            int count = Math.min(Q8_BLOCK, columns - k);
            for (int lane = 0; lane < PANEL; lane++) {
                source.read(panel * PANEL + lane, k, count, block, lane * Q8_BLOCK);
            }
            long at = offset(panel, k);
            switch (format) {
                case F32 -> packFloats(block, count, at, words);
                case BF16 -> packHalves(block, count, at, words);
                case Q8_0 -> packBytes(block, count, at, words);
            }
        }
    }

    private void packFloats(float[] block, int count, long at, int[] words) {
        for (int lane = 0; lane < PANEL; lane++) {
            for (int i = 0; i < count; i++) {
                words[i * PANEL + lane] = Float.floatToRawIntBits(block[lane * Q8_BLOCK + i]);
            }
        }
        MemorySegment.copy(words, 0, data, INT, at, count * PANEL);
    }

    private void packHalves(float[] block, int count, long at, int[] words) {
        for (int pair = 0; pair < PANEL / 2; pair++) {
            int lowLane = pair < LANES ? pair : pair + LANES;
            for (int i = 0; i < count; i++) {
                int low = bf16(block[lowLane * Q8_BLOCK + i]);
                int high = bf16(block[(lowLane + LANES) * Q8_BLOCK + i]);
                words[i * (PANEL / 2) + pair] = low | high << 16;
            }
        }
        MemorySegment.copy(words, 0, data, INT, at, count * (PANEL / 2));
    }

    private void packBytes(float[] block, int count, long at, int[] words) {
        int scaleWords = PANEL / 2;
        for (int i = 0; i < scaleWords + Q8_BLOCK * LANES; i++) {
            words[i] = 0;
        }
        for (int lane = 0; lane < PANEL; lane++) {
            int from = lane * Q8_BLOCK;
            float most = 0;
            for (int i = 0; i < count; i++) {
                most = Math.max(most, Math.abs(block[from + i]));
            }
            int scale = bf16(most / 127);
            float inverse = scale == 0 ? 0 : 1 / widen(scale);
            int quarter = lane / LANES;
            words[lane % LANES + (quarter >= 2 ? LANES : 0)] |= scale << (16 * (quarter & 1));
            for (int i = 0; i < count; i++) {
                int q = Math.clamp(Math.round(block[from + i] * inverse), -127, 127);
                words[scaleWords + i * LANES + lane % LANES] |= q + 128 << (8 * quarter);
            }
        }
        MemorySegment.copy(words, 0, data, INT, at, scaleWords + Q8_BLOCK * LANES);
    }

    /** The nearest BF16, ties to even, as the low 16 bits. */
    private static int bf16(float value) {
        int bits = Float.floatToRawIntBits(value);
        if (Float.isNaN(value)) {
            return bits >>> 16 | 0x40;
        }
        return bits + 0x7FFF + (bits >>> 16 & 1) >>> 16;
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
                case F32 -> data.get(FLOAT, offset(panel, k) + 4L * lane);
                case BF16 -> widen(data.get(INT, offset(panel, k) + 4L * word) >>> (16 * (quarter & 1)) & 0xFFFF);
                case Q8_0 -> {
                    long block = offset(panel, k);
                    float scale = widen(data.get(INT, block + 4L * word) >>> (16 * (quarter & 1)) & 0xFFFF);
                    long at = block + 2L * PANEL + 4L * (k % Q8_BLOCK * LANES + lane % LANES);
                    yield ((data.get(INT, at) >>> (8 * quarter) & 0xFF) - 128) * scale;
                }
            };
        }
    }
}
