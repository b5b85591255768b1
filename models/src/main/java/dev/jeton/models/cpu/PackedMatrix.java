package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.BlockKernels.K_BLOCK;
import static dev.jeton.models.cpu.Kernels.PANEL;
import static dev.jeton.models.cpu.Kernels.Q8_BLOCK;
import static dev.jeton.models.cpu.NativeMemory.ALL;
import static dev.jeton.models.vector.VectorMath.LANES;

import dev.jeton.models.QuantizedBlock;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * A weight matrix in the panels that {@link Kernels} and {@link BlockKernels} read: outputs in groups of
 * {@link Kernels#PANEL}, the last one padded with zeros. Panels may be of different formats. Written once at load, then
 * read by all threads.
 */
final class PackedMatrix {

    /** How weights are kept. */
    enum Format {
        F32,
        BF16,
        /** The same numbers, two inputs of an output side by side, as {@link NativeKernels} reads them. */
        BF16_PAIRS,
        /** Blocks of 32 inputs with one scale of sixteen bits: 1.0625 bytes a weight. */
        Q8_0,
        /** Blocks of 32 inputs with a power of two: 4.25 bits a weight. */
        MXFP4,
        /** ggml's blocks of 256 inputs: 4.625 bits a weight. */
        Q4_K,
        /** 5.625 bits. */
        Q5_K,
        /** 6.5625 bits. */
        Q6_K;

        /** Bytes of a panel of so many inputs. */
        long panelBytes(int columns) {
            return switch (this) {
                case F32 -> 4L * PANEL * columns;
                case BF16, BF16_PAIRS -> 2L * PANEL * columns;
                case Q8_0 -> (columns + Q8_BLOCK - 1) / Q8_BLOCK * Q8_BYTES;
                case MXFP4 -> columns / Mxfp4Kernels.BLOCK * Mxfp4Kernels.BYTES;
                case Q4_K -> columns / K_BLOCK * BlockKernels.Q4_BYTES;
                case Q5_K -> columns / K_BLOCK * BlockKernels.Q5_BYTES;
                case Q6_K -> columns / K_BLOCK * BlockKernels.Q6_BYTES;
            };
        }
    }

    /** Where rows come from while packing. */
    interface RowSource {
        /**
         * Reads {@code count} weights of output {@code output} from input {@code first} on into {@code target[offset]};
         * zeros for an output that is padding.
         */
        void read(int output, int first, int count, float[] target, int offset);

        /** Whether the rows of a panel are stored in blocks that a format of blocks can keep as they are. */
        default boolean blocks(int panel) {
            return false;
        }

        /** Reads a block of an output's row; false for an output that is padding. */
        default boolean block(int output, int number, QuantizedBlock target) {
            throw new IllegalStateException("these rows are not stored in blocks");
        }
    }

    /** Scratch of one thread while packing. */
    static final class Scratch {
        private final float[] block = new float[Q8_BLOCK * PANEL];
        private final float[] turned = new float[Q8_BLOCK * PANEL];
        private final float[] scales = new float[PANEL];
        private final BlockPacking blocks = new BlockPacking();
    }

    private static final ValueLayout.OfByte BYTE = ValueLayout.JAVA_BYTE;
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Bytes of a vector. */
    private static final long VECTOR = 4L * LANES;

    /** Bytes of a block of inputs of one panel: scales, then a byte a weight. */
    private static final long Q8_BYTES = (2L + Q8_BLOCK) * PANEL;

    private final List<Format> formats;
    private final int columns;
    /** Where each panel begins, and where the last one ends. */
    private final long[] starts;

    private final boolean beyondCaches;
    private final HalfRows.Order order;

    /**
     * Room for {@code panels} panels of {@code columns} inputs each.
     *
     * @param beyondCaches whether the model is too large for the caches, so that reading ahead pays
     */
    PackedMatrix(Format format, int columns, int panels, boolean beyondCaches, SegmentAllocator memory) {
        this(Collections.nCopies(panels, format), columns, beyondCaches, false, memory);
    }

    /**
     * The same with a format for each panel.
     *
     * @param halves whether inputs of quantised panels may be rounded to BF16
     */
    PackedMatrix(List<Format> formats, int columns, boolean beyondCaches, boolean halves, SegmentAllocator memory) {
        this.formats = List.copyOf(formats);
        this.columns = columns;
        this.beyondCaches = beyondCaches;
        order = order(this.formats, halves);
        starts = new long[formats.size() + 1];
        for (int panel = 0; panel < formats.size(); panel++) {
            starts[panel + 1] = starts[panel] + formats.get(panel).panelBytes(columns);
        }
        long start = memory.allocate(starts[formats.size()], 64).address();
        Arrays.setAll(starts, panel -> starts[panel] + start);
    }

    /** Panels needed for {@code outputs} outputs. */
    static int panelsFor(int outputs) {
        return (outputs + PANEL - 1) / PANEL;
    }

    /** The formats of the panels. */
    List<Format> formats() {
        return formats;
    }

    Format format(int panel) {
        return formats.get(panel);
    }

    /** Inputs. */
    int columns() {
        return columns;
    }

    int panels() {
        return formats.size();
    }

    /** Bytes of all panels. */
    long bytes() {
        return starts[panels()] - starts[0];
    }

    /** The address at which a panel begins; for the number of panels, where the last one ends. */
    long start(int panel) {
        return starts[panel];
    }

    private static HalfRows.Order order(List<Format> formats, boolean halves) {
        if (formats.contains(Format.BF16_PAIRS)) {
            return HalfRows.Order.PLAIN;
        }
        boolean wanted = halves && formats.stream().anyMatch(NativeKernels::halves);
        return wanted ? HalfRows.Order.HALVES_OF_EIGHT : HalfRows.Order.FLOATS;
    }

    /** How inputs are wanted, where not as floats; panels of other formats then still read floats. */
    HalfRows.Order order() {
        return order;
    }

    /** Whether the matrix comes from memory each time. */
    boolean beyondCaches() {
        return beyondCaches;
    }

    /** Bytes of {@code count} inputs of a panel, about. */
    long sliceBytes(int panel, int count) {
        return (starts[panel + 1] - starts[panel]) * Math.min(count, columns) / columns;
    }

    /**
     * The address at which input {@code k} of a panel begins, a multiple of 32 but in F32 and BF16, and of 2 in pairs.
     * In blocks of 256 inputs that is where its group begins, and the block's own where it is the first.
     */
    long address(int panel, int k) {
        assert panel >= 0 && panel < panels() && k >= 0 && k <= columns : panel + " " + k;
        long start = starts[panel];
        return switch (formats.get(panel)) {
            case F32 -> start + 4L * PANEL * k;
            case BF16, BF16_PAIRS -> start + 2L * PANEL * k;
            case Q8_0 -> start + k / Q8_BLOCK * Q8_BYTES;
            case MXFP4 -> start + k / Mxfp4Kernels.BLOCK * Mxfp4Kernels.BYTES;
            case Q4_K ->
                start + k / K_BLOCK * BlockKernels.Q4_BYTES + inBlock(k % K_BLOCK / 32, 4, BlockKernels.Q4_GROUP);
            case Q5_K ->
                start + k / K_BLOCK * BlockKernels.Q5_BYTES + inBlock(k % K_BLOCK / 32, 4, BlockKernels.Q5_GROUP);
            case Q6_K ->
                start + k / K_BLOCK * BlockKernels.Q6_BYTES + inBlock(k % K_BLOCK / 16, 2, BlockKernels.Q6_GROUP);
        };
    }

    private static long inBlock(int group, int header, long bytes) {
        return group == 0 ? 0 : header * VECTOR + group * bytes;
    }

    /**
     * Widens inputs {@code k} to {@code k + count} of a panel to F32, as {@code [count][PANEL]} at the workspace's
     * slab.
     */
    void widen(int panel, int k, int count, Workspace work) {
        switch (formats.get(panel)) {
            case BF16 -> Kernels.widenBf16(address(panel, k), count, work.slab);
            case Q8_0 -> {
                Kernels.scalesQ8(address(panel, k), count, work.scales);
                Kernels.widenQ8(address(panel, k), work.scales, count, work.slab);
            }
            case MXFP4 -> Mxfp4Kernels.widen(address(panel, k), work.scales, count, work.slab);
            case Q4_K -> BlockKernels.widenQ4(starts[panel], k, count, work.scales, work.slab);
            case Q5_K -> BlockKernels.widenQ5(starts[panel], k, count, work.scales, work.slab);
            case Q6_K -> BlockKernels.widenQ6(starts[panel], k, count, work.scales, work.slab);
            case F32, BF16_PAIRS -> throw new IllegalStateException("such panels are read as they are");
        }
    }

    /** Fills one panel. */
    void pack(int panel, RowSource source, Scratch scratch) {
        Format format = formats.get(panel);
        switch (format) {
            case Q4_K, Q5_K, Q6_K -> {
                for (int k = 0; k < columns; k += K_BLOCK) {
                    scratch.blocks.block(format, panel, k / K_BLOCK, source, address(panel, k));
                }
            }
            case MXFP4 -> {
                for (int k = 0; k < columns; k += Mxfp4Kernels.BLOCK) {
                    scratch.blocks.powers(panel, k / Mxfp4Kernels.BLOCK, source, address(panel, k));
                }
            }
            case Q8_0 -> {
                if (source.blocks(panel)) {
                    for (int k = 0; k < columns; k += Q8_BLOCK) {
                        scratch.blocks.eight(panel, k / Q8_BLOCK, source, address(panel, k));
                    }
                } else {
                    packFloats(panel, source, scratch);
                }
            }
            case F32, BF16, BF16_PAIRS -> packFloats(panel, source, scratch);
        }
    }

    private void packFloats(int panel, RowSource source, Scratch scratch) {
        for (int k = 0; k < columns; k += Q8_BLOCK) {
            int count = Math.min(Q8_BLOCK, columns - k);
            for (int lane = 0; lane < PANEL; lane++) {
                source.read(panel * PANEL + lane, k, count, scratch.block, lane * Q8_BLOCK);
            }
            turn(scratch.block, count, scratch.turned);
            long at = address(panel, k);
            switch (formats.get(panel)) {
                case F32 -> MemorySegment.copy(scratch.turned, 0, ALL, FLOAT, at, count * PANEL);
                case BF16 -> PackKernels.halves(scratch.turned, count, at);
                case BF16_PAIRS -> PackKernels.pairs(scratch.turned, count, at);
                default -> PackKernels.bytes(scratch.turned, count, scratch.scales, at);
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

    /** Gathers the weights of one output: the embedding of a token where it is also the output projection. */
    void row(int output, float[] target, int offset) {
        int panel = output / PANEL;
        int lane = output % PANEL;
        switch (formats.get(panel)) {
            case F32 -> {
                for (int k = 0; k < columns; k++) {
                    target[offset + k] = ALL.get(FLOAT, address(panel, k) + 4L * lane);
                }
            }
            case BF16 -> {
                for (int k = 0; k < columns; k++) {
                    target[offset + k] =
                            Float.intBitsToFloat(ALL.get(SHORT, PackKernels.halfAt(address(panel, k), lane)) << 16);
                }
            }
            case BF16_PAIRS -> {
                for (int k = 0; k < columns; k++) {
                    long at = address(panel, k - k % 2) + 4L * lane + 2L * (k % 2);
                    target[offset + k] = Float.intBitsToFloat(ALL.get(SHORT, at) << 16);
                }
            }
            case Q8_0 -> {
                for (int k = 0; k < columns; k++) {
                    long block = address(panel, k);
                    long at = block + 2 * VECTOR + k % Q8_BLOCK * VECTOR + 4L * (lane % LANES) + lane / LANES;
                    target[offset + k] = ((ALL.get(BYTE, at) & 0xFF) - 128) * half(block, lane);
                }
            }
            case MXFP4 -> {
                for (int k = 0; k < columns; k++) {
                    long block = address(panel, k);
                    int e = ALL.get(BYTE, block + 4L * (lane % LANES) + lane / LANES) & 0xFF;
                    int in = k % Mxfp4Kernels.BLOCK;
                    int word = ALL.get(INT, block + VECTOR + in / 8 * 4 * VECTOR + 4L * lane);
                    target[offset + k] = Mxfp4Kernels.number(word >>> 4 * (in % 8) & 15) * Mxfp4Kernels.power(e);
                }
            }
            case Q4_K -> blocks(panel, lane, 32, 4, 0, 0, target, offset);
            case Q5_K -> blocks(panel, lane, 32, 4, 1, 0, target, offset);
            case Q6_K -> blocks(panel, lane, 16, 2, 2, 32, target, offset);
        }
    }

    /**
     * Gathers from blocks of 256.
     *
     * @param group inputs that share a scale
     * @param header vectors before the first group: with offsets 4, without 2
     * @param upper bits above the lower four
     * @param bias what numbers are stored more than they are
     */
    private void blocks(int panel, int lane, int group, int header, int upper, int bias, float[] target, int offset) {
        long perBlock = formats.get(panel).panelBytes(K_BLOCK);
        long perGroup = (perBlock - header * VECTOR) / (K_BLOCK / group);
        long byteAt = 4L * (lane % LANES) + lane / LANES;
        for (int k = 0; k < columns; k++) {
            long block = starts[panel] + k / K_BLOCK * perBlock;
            long at = block + header * VECTOR + k % K_BLOCK / group * perGroup;
            float scale = half(block, lane) * ALL.get(BYTE, at + byteAt);
            float below = 0;
            at += VECTOR;
            if (header == 4) {
                below = half(block + 2 * VECTOR, lane) * (ALL.get(BYTE, at + byteAt) & 0xFF);
                at += VECTOR;
            }
            int i = k % group;
            int number = 0;
            if (upper > 0) {
                int word = ALL.get(INT, at + 4L * lane);
                number = (word >>> upper * i & (1 << upper) - 1) << 4;
                at += 4 * VECTOR;
            }
            number |= ALL.get(INT, at + i / 8 * 4 * VECTOR + 4L * lane) >>> 4 * (i % 8) & 15;
            target[offset + k] = scale * (number - bias) - below;
        }
    }

    private static float half(long at, int output) {
        return Float.float16ToFloat(ALL.get(SHORT, PackKernels.halfAt(at, output)));
    }
}
