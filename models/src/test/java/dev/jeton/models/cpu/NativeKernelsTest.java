package dev.jeton.models.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
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
            HalfRows halves = new HalfRows(HalfRows.size(rows, matrix.columns()), memory);
            halves.round(x, from, stride, matrix.columns(), 0, rows);
            NativeKernels.bf16(matrix.start(0), halves.row(0, matrix.columns()), matrix.columns(), rows, tile);
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
                            java.util.Arrays.copyOfRange(before, r * PANEL, (r + 1) * PANEL));
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
}
