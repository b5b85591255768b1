package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.Arrays;
import java.util.Collections;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ProductTest {

    private static final long SEED = 20261128;
    private static final int THREADS = 3;

    private final NativeMemory memory = new NativeMemory();
    private final Random random = new Random(SEED);

    @AfterEach
    void free() {
        memory.close();
    }

    private float[] gaussian(int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    private PackedMatrix matrix(PackedMatrix.Format format, int columns, int panels) {
        PackedMatrix matrix = new PackedMatrix(Collections.nCopies(panels, format), columns, false, true, memory);
        PackedMatrix.Scratch scratch = new PackedMatrix.Scratch();
        for (int panel = 0; panel < panels; panel++) {
            matrix.pack(
                    panel,
                    (output, first, count, target, offset) ->
                            System.arraycopy(gaussian(count), 0, target, offset, count),
                    scratch);
        }
        return matrix;
    }

    private Product product(PackedMatrix matrix, int mostRows) {
        return new Product(matrix, HalfRows.stride(matrix), mostRows, THREADS, memory);
    }

    private Workspace workspace(PackedMatrix matrix) {
        long halves = Product.privateHalves(HalfRows.stride(matrix));
        return new Workspace(
                Product.TILE_ROWS, 1, halves, new Attention(HeadWidths.of(2), 0, false, memory), 1, memory);
    }

    /** All rows of a product, {@code [row][output]}, by the tiles of some order. */
    private float[] all(PackedMatrix matrix, float[] x, int stride, int rows) {
        Product product = product(matrix, rows);
        Workspace workspace = workspace(matrix);
        product.begin(matrix, x, stride, rows);
        for (int tile = product.roundTiles() - 1; tile >= 0; tile--) {
            product.round(tile);
        }
        int width = matrix.panels() * PANEL;
        float[] out = new float[rows * width];
        for (int tile = product.tiles() - 1; tile >= 0; tile--) {
            for (int panel = product.panel(tile); panel < product.endPanel(tile); panel++) {
                Arrays.fill(workspace.tile, 0);
                product.multiply(x, tile, panel, matrix.start(product.endPanel(tile)), workspace);
                for (int r = 0; r < product.rows(tile); r++) {
                    int at = (product.row(tile) + r) * width + panel * PANEL;
                    for (int n = 0; n < PANEL; n++) {
                        out[at + n] += workspace.tile[r * PANEL + n];
                    }
                }
            }
        }
        return out;
    }

    @ParameterizedTest
    @CsvSource({
        "F32, 1",
        "F32, 7",
        "F32, 300",
        "BF16_PAIRS, 1",
        "BF16_PAIRS, 60",
        "BF16_PAIRS, 61",
        "BF16_PAIRS, 300",
        "Q8_0, 4",
        "Q8_0, 61"
    })
    void computesEveryRowOnceAndAsAlone(PackedMatrix.Format format, int rows) {
        assumeTrue(format != PackedMatrix.Format.BF16_PAIRS || NativeKernels.AVAILABLE, "no kernels for BF16 here");
        PackedMatrix matrix = matrix(format, 512, 5);
        int stride = 530;
        float[] x = gaussian((rows + MatMul.SPARE_ROWS) * stride);
        float[] together = all(matrix, x, stride, rows);
        int width = matrix.panels() * PANEL;
        for (int r = 0; r < rows; r++) {
            float[] row = Arrays.copyOfRange(x, r * stride, (r + 1 + MatMul.SPARE_ROWS) * stride);
            float[] alone = all(matrix, row, stride, 1);
            assertThat(Arrays.copyOfRange(together, r * width, (r + 1) * width))
                    .as("seed %d, row %d", SEED, r)
                    .isEqualTo(alone);
        }
    }

    @Test
    void roundsManyRowsTogetherAndFewByEachThread() {
        assumeTrue(NativeKernels.AVAILABLE, "no kernels for BF16 here");
        PackedMatrix matrix = matrix(PackedMatrix.Format.BF16_PAIRS, 512, 1);
        Product product = product(matrix, 100);
        product.begin(matrix, new float[100 * 512], 512, 60);
        assertThat(product.roundTiles()).isZero();
        product.begin(matrix, new float[100 * 512], 512, 61);
        assertThat(product.roundTiles()).isEqualTo(8);
    }

    @Test
    void roundsTheInputsOfTheNextProductAnew() {
        assumeTrue(NativeKernels.AVAILABLE, "no kernels for BF16 here");
        PackedMatrix matrix = matrix(PackedMatrix.Format.BF16_PAIRS, 64, 1);
        Product product = product(matrix, 1);
        Workspace workspace = workspace(matrix);
        float[] x = gaussian(64);
        float[] sums = new float[2];
        for (int i = 0; i < 2; i++) {
            product.begin(matrix, x, 64, 1);
            Arrays.fill(workspace.tile, 0);
            product.multiply(x, 0, 0, matrix.start(1), workspace);
            sums[i] = workspace.tile[0];
            for (int k = 0; k < 64; k++) {
                x[k] = -x[k];
            }
        }
        assertThat(sums[1]).isEqualTo(-sums[0]).isNotZero();
    }
}
