package dev.jeton.models.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.jeton.models.Tensor;
import dev.jeton.models.TensorType;
import dev.jeton.models.reference.GgmlBlocks;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The kernels in C, where the build compiled them and the processor has what they need. */
class NativeKernelsTest {

    private static final int PANEL = Kernels.PANEL;

    @BeforeAll
    static void available() {
        assumeTrue(NativeKernels.AVAILABLE, "no C compiler in the build, or no AVX-512 with BF16");
    }

    private static float half(float value) {
        int bits = Float.floatToRawIntBits(value);
        return Float.intBitsToFloat((bits + 0x7FFF + (bits >>> 16 & 1)) & 0xFFFF0000);
    }

    private static float[] random(Random random, int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    private static float[] product(PackedMatrix matrix, float[] x, int from, int stride, int rows, float[] before) {
        float[] tile = new float[(rows + MatMul.SPARE_ROWS) * PANEL];
        System.arraycopy(before, 0, tile, 0, rows * PANEL);
        try (NativeMemory memory = new NativeMemory()) {
            HalfRows halves = new HalfRows((long) rows * HalfRows.stride(matrix), memory);
            halves.round(x, from, stride, matrix, 0, rows);
            NativeKernels.bf16(matrix.start(0), halves.row(0, matrix), matrix.columns(), rows, tile);
        }
        return tile;
    }

    /** Of every number of rows, and of inputs that fill no slice and no vector. */
    @ParameterizedTest(name = "{0} inputs")
    @ValueSource(ints = {2, 30, 32, 256, 258, 770})
    void multipliesAsInFloat64AndEachRowAsAlone(int columns) {
        Random random = new Random(columns);
        float[] weights = random(random, PANEL * columns);
        for (int i = 0; i < weights.length; i++) {
            weights[i] = half(weights[i]);
        }
        int stride = columns + 6;
        float[] x = random(random, 15 * stride);
        float[] before = random(random, 14 * PANEL);
        try (NativeMemory memory = new NativeMemory()) {
            PackedMatrix matrix = new PackedMatrix(PackedMatrix.Format.BF16_PAIRS, columns, 1, true, memory);
            matrix.pack(
                    0,
                    (output, first, count, target, offset) ->
                            System.arraycopy(weights, output * columns + first, target, offset, count),
                    new PackedMatrix.Scratch());
            float[] gathered = new float[columns];
            matrix.row(17, gathered, 0);
            for (int k = 0; k < columns; k++) {
                assertThat(gathered[k]).isEqualTo(weights[17 * columns + k]);
            }
            for (int rows = 1; rows <= 14; rows++) {
                float[] together = product(matrix, x, 3, stride, rows, before);
                for (int r = 0; r < rows; r++) {
                    float[] alone = product(
                            matrix,
                            x,
                            3 + r * stride,
                            stride,
                            1,
                            Arrays.copyOfRange(before, r * PANEL, (r + 1) * PANEL));
                    for (int n = 0; n < PANEL; n++) {
                        assertThat(together[r * PANEL + n]).isEqualTo(alone[n]);
                        double exact = before[r * PANEL + n];
                        double size = Math.abs(exact);
                        for (int k = 0; k < columns; k++) {
                            double term = (double) weights[n * columns + k] * half(x[3 + r * stride + k]);
                            exact += term;
                            size += Math.abs(term);
                        }
                        assertThat((double) alone[n]).isBetween(exact - 2e-6 * size, exact + 2e-6 * size);
                    }
                }
            }
        }
    }

    /** Of every number of rows: read as they are, unpacked, and in several goes. */
    @ParameterizedTest
    @CsvSource({
        "Q8_0, Q8_0, 32",
        "Q8_0, Q8_0, 1056",
        "Q4_0, Q8_0, 160",
        "MXFP4, MXFP4, 32",
        "MXFP4, MXFP4, 1184",
        "Q4_K, Q4_K, 256",
        "Q4_K, Q4_K, 1280",
        "Q5_K, Q5_K, 768",
        "Q6_K, Q6_K, 256",
        "Q6_K, Q6_K, 1024"
    })
    void multipliesQuantisedWeightsByHalvesAsInFloat64AndEachRowAsAlone(
            TensorType type, PackedMatrix.Format format, int columns) {
        assumeTrue(NativeKernels.halves(format), "no AVX-512 with VBMI");
        Random random = new Random(columns);
        GgmlBlocks.Stored stored = GgmlBlocks.store(type, random(random, PANEL * columns));
        Tensor tensor =
                new Tensor("w", type, List.of((long) PANEL, (long) columns), MemorySegment.ofArray(stored.bytes()));
        int stride = columns + 6;
        float[] x = random(random, 20 * stride);
        float[] before = random(random, 20 * PANEL);
        try (NativeMemory memory = new NativeMemory()) {
            PackedMatrix matrix = new PackedMatrix(List.of(format), columns, true, true, memory);
            matrix.pack(0, new TensorBlocks(tensor), new PackedMatrix.Scratch());
            for (int rows : new int[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 19}) {
                float[] together = byHalves(matrix, x, 3, stride, rows, before);
                for (int r = 0; r < rows; r++) {
                    float[] start = Arrays.copyOfRange(before, r * PANEL, (r + 1) * PANEL);
                    float[] alone = byHalves(matrix, x, 3 + r * stride, stride, 1, start);
                    for (int n = 0; n < PANEL; n++) {
                        assertThat(together[r * PANEL + n]).isEqualTo(alone[n]);
                        double exact = start[n];
                        double size = Math.abs(exact);
                        for (int k = 0; k < columns; k++) {
                            double term = stored.values()[n * columns + k] * half(x[3 + r * stride + k]);
                            exact += term;
                            size += Math.abs(term);
                        }
                        assertThat((double) alone[n]).isBetween(exact - 4e-6 * size, exact + 4e-6 * size);
                    }
                }
            }
        }
    }

    private static float[] byHalves(PackedMatrix matrix, float[] x, int from, int stride, int rows, float[] before) {
        try (NativeMemory memory = new NativeMemory()) {
            HalfRows halves = new HalfRows((long) rows * HalfRows.stride(matrix), memory);
            halves.round(x, from, stride, matrix, 0, rows);
            Workspace work = new Workspace(rows, 1, 2, 1, memory);
            System.arraycopy(before, 0, work.tile, 0, rows * PANEL);
            work.inputHalves = halves.row(0, matrix);
            MatMul.panel(matrix, 0, x, from, stride, rows, matrix.start(1), work);
            return Arrays.copyOf(work.tile, rows * PANEL);
        }
    }

    @Test
    void readsFloatsOfQuantisedPanelsBesideOnesOfPairs() {
        assumeTrue(NativeKernels.halves(PackedMatrix.Format.Q8_0), "no AVX-512 with VBMI");
        try (NativeMemory memory = new NativeMemory()) {
            var formats = List.of(PackedMatrix.Format.BF16_PAIRS, PackedMatrix.Format.Q8_0);
            PackedMatrix mixed = new PackedMatrix(formats, 32, true, true, memory);
            PackedMatrix alone = new PackedMatrix(PackedMatrix.Format.Q8_0, 32, 2, true, memory);
            float[] weights = random(new Random(1), PANEL * 32);
            PackedMatrix.RowSource source = (output, first, count, target, offset) ->
                    System.arraycopy(weights, output % PANEL * 32 + first, target, offset, count);
            for (PackedMatrix matrix : List.of(mixed, alone)) {
                matrix.pack(0, source, new PackedMatrix.Scratch());
                matrix.pack(1, source, new PackedMatrix.Scratch());
            }
            Workspace work = new Workspace(3, 1, 2, 1, memory);
            float[] x = random(new Random(2), 5 * 32);
            MatMul.panel(mixed, 1, x, 0, 32, 3, mixed.start(2), work);
            float[] beside = work.tile.clone();
            Arrays.fill(work.tile, 0);
            MatMul.panel(alone, 1, x, 0, 32, 3, alone.start(2), work);
            assertThat(beside).isEqualTo(work.tile);
        }
    }
}
