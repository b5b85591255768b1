package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;
import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.SafetensorsWriter;
import dev.jeton.models.Tensor;
import dev.jeton.models.TensorType;
import dev.jeton.models.reference.GgmlBlocks;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Every way through the kernels, in C and not, gives the bits of the chain {@code y = fma(w, x, y)} over k = 0, 1, 2,
 * ...
 */
class MatMulTest {

    private static final long SEED = 31;

    @ParameterizedTest
    @CsvSource({
        "F32, 1",
        "F32, 37",
        "F32, 288",
        "BF16, 37",
        "BF16, 128",
        "BF16, 700",
        "Q8_0, 32",
        "Q8_0, 172",
        "Q8_0, 1100"
    })
    void shouldAddInOneOrderForAnyNumberOfRows(PackedMatrix.Format format, int columns) {
        Random random = new Random(SEED);
        int outputs = PANEL + PANEL / 3;
        float[] w = gaussian(random, outputs * columns);
        for (boolean beyondCaches : new boolean[] {false, true}) {
            try (NativeMemory memory = new NativeMemory()) {
                PackedMatrix matrix = new PackedMatrix(format, columns, 2, beyondCaches, memory);
                pack(matrix, w, outputs, columns);
                float[] exact = exact(matrix, outputs, columns);
                Workspace work = new Workspace(140, 1, 64, 10, memory);
                for (int rows : new int[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 31, 132}) {
                    check(matrix, exact, outputs, rows, gaussian(random, (rows + 2) * columns), random, work);
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "Q4_K, Q4_K, 256",
        "Q4_K, Q4_K, 1024",
        "Q5_K, Q5_K, 512",
        "Q6_K, Q6_K, 256",
        "Q6_K, Q6_K, 768",
        "Q8_0, Q8_0, 96",
        "Q4_0, Q8_0, 64",
        "MXFP4, MXFP4, 32",
        "MXFP4, MXFP4, 1184",
        "Q5_0, Q8_0, 160"
    })
    void shouldKeepBlocksOfFilesAsTheyAreAndAddInOneOrder(TensorType type, PackedMatrix.Format format, int columns) {
        Random random = new Random(SEED);
        int outputs = PANEL + PANEL / 3;
        GgmlBlocks.Stored stored = GgmlBlocks.store(type, gaussian(random, outputs * columns));
        Tensor tensor =
                new Tensor("w", type, List.of((long) outputs, (long) columns), MemorySegment.ofArray(stored.bytes()));
        for (boolean beyondCaches : new boolean[] {false, true}) {
            try (NativeMemory memory = new NativeMemory()) {
                PackedMatrix matrix = new PackedMatrix(format, columns, 2, beyondCaches, memory);
                PackedMatrix.Scratch scratch = new PackedMatrix.Scratch();
                matrix.pack(0, new TensorBlocks(tensor), scratch);
                matrix.pack(1, new TensorBlocks(tensor), scratch);
                float[] exact = exact(matrix, outputs, columns);
                for (int i = 0; i < exact.length; i++) {
                    assertThat(exact[i]).as("seed %d, weight %d", SEED, i).isEqualTo((float) stored.values()[i]);
                }
                Workspace work = new Workspace(140, 1, 64, 10, memory);
                for (int rows : new int[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 132}) {
                    check(matrix, exact, outputs, rows, gaussian(random, (rows + 2) * columns), random, work);
                }
            }
        }
    }

    private static void pack(PackedMatrix matrix, float[] w, int outputs, int columns) {
        PackedMatrix.Scratch scratch = new PackedMatrix.Scratch();
        for (int panel = 0; panel < 2; panel++) {
            matrix.pack(
                    panel,
                    (output, first, count, target, offset) -> {
                        for (int i = 0; i < count; i++) {
                            target[offset + i] = output < outputs ? w[output * columns + first + i] : 0;
                        }
                    },
                    scratch);
        }
    }

    /** The weights as they are kept, row by row. */
    private static float[] exact(PackedMatrix matrix, int outputs, int columns) {
        float[] all = new float[outputs * columns];
        for (int n = 0; n < outputs; n++) {
            matrix.row(n, all, n * columns);
        }
        return all;
    }

    /** {@link MatMul#panel} or {@link MatMul#vectors}, which goes by the Vector API where there are kernels in C. */
    private interface Way {
        void multiply(PackedMatrix w, int panel, float[] x, int from, int stride, int rows, long end, Workspace work);
    }

    private static void check(
            PackedMatrix matrix, float[] w, int outputs, int rows, float[] x, Random random, Workspace work) {
        for (Way way : List.<Way>of(MatMul::panel, MatMul::vectors)) {
            check(way, matrix, w, outputs, rows, x, random, work);
        }
    }

    private static void check(
            Way way, PackedMatrix matrix, float[] w, int outputs, int rows, float[] x, Random random, Workspace work) {
        int columns = matrix.columns();
        for (int panel = 0; panel < 2; panel++) {
            float[] start = gaussian(random, rows * PANEL);
            System.arraycopy(start, 0, work.tile, 0, start.length);
            long end = matrix.start(panel + 1);
            MatMul.begin(matrix, panel, end, work);
            way.multiply(matrix, panel, x, 0, columns, rows, end, work);
            for (int r = 0; r < rows; r++) {
                for (int lane = 0; lane < PANEL && panel * PANEL + lane < outputs; lane++) {
                    float expected = start[r * PANEL + lane];
                    for (int k = 0; k < columns; k++) {
                        expected = Math.fma(w[(panel * PANEL + lane) * columns + k], x[r * columns + k], expected);
                    }
                    if (Float.floatToRawIntBits(work.tile[r * PANEL + lane]) != Float.floatToRawIntBits(expected)) {
                        assertThat(work.tile[r * PANEL + lane])
                                .as("seed %d, %d rows, row %d, output %d", SEED, rows, r, panel * PANEL + lane)
                                .isEqualTo(expected);
                    }
                }
            }
        }
    }

    private static float[] gaussian(Random random, int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    @ParameterizedTest
    @CsvSource({"F32, 0", "BF16, 0.004", "Q8_0, 0.005"})
    void shouldKeepWeightsAsExactlyAsTheirFormatAllows(PackedMatrix.Format format, double tolerance) {
        Random random = new Random(SEED);
        int columns = 77;
        float[] w = gaussian(random, PANEL * columns);
        try (NativeMemory memory = new NativeMemory()) {
            PackedMatrix matrix = new PackedMatrix(format, columns, 2, false, memory);
            pack(matrix, w, PANEL, columns);
            float[] kept = exact(matrix, PANEL, columns);
            for (int i = 0; i < w.length; i++) {
                assertThat((double) Math.abs(kept[i] - w[i])).isLessThanOrEqualTo(tolerance * 4);
                if (format == PackedMatrix.Format.BF16) {
                    assertThat(kept[i]).isEqualTo(SafetensorsWriter.rounded(TensorType.BF16, w[i]));
                }
            }
        }
    }
}
