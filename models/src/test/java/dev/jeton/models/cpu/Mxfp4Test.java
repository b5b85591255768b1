package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.ModelException;
import dev.jeton.models.Tensor;
import dev.jeton.models.TensorType;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Panels of MXFP4: every number times every power of two. */
class Mxfp4Test {

    private static final double[] NUMBERS = {0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6};
    private static final int BLOCK = 32;
    private static final int POWERS = 255;
    /** The first power of which some numbers are beyond the floats. */
    private static final int BEYOND = 253;

    private static final int PANELS = PackedMatrix.panelsFor(POWERS);

    private final NativeMemory memory = new NativeMemory();

    @AfterEach
    void free() {
        memory.close();
    }

    /** Output n, of one block, has the power n and each of the sixteen numbers twice. */
    private static Tensor everything() {
        byte[] bytes = new byte[POWERS * 17];
        for (int e = 0; e < POWERS; e++) {
            bytes[e * 17] = (byte) e;
            for (int i = 0; i < BLOCK; i++) {
                bytes[e * 17 + 1 + i % 16] |= (byte) (code(e, i) << 4 * (i / 16));
            }
        }
        return tensor(POWERS, bytes);
    }

    private static Tensor tensor(long outputs, byte[] bytes) {
        return new Tensor("w", TensorType.MXFP4, List.of(outputs, (long) BLOCK), MemorySegment.ofArray(bytes));
    }

    private static int code(int output, int input) {
        return (7 * input + output) % 16;
    }

    private static float weight(int output, int input) {
        return output >= POWERS ? 0 : (float) (NUMBERS[code(output, input)] * Math.pow(2, output - 127));
    }

    private PackedMatrix packed(Tensor tensor, int panels, boolean halves) {
        var formats = Collections.nCopies(panels, PackedMatrix.Format.MXFP4);
        PackedMatrix matrix = new PackedMatrix(formats, BLOCK, true, halves, memory);
        for (int panel = 0; panel < panels; panel++) {
            matrix.pack(panel, new TensorBlocks(tensor), new PackedMatrix.Scratch());
        }
        return matrix;
    }

    @Test
    void keepsEveryNumberOfEveryPowerExactly() {
        PackedMatrix matrix = packed(everything(), PANELS, false);
        float[] row = new float[BLOCK];
        for (int n = 0; n < POWERS; n++) {
            matrix.row(n, row, 0);
            for (int i = 0; i < BLOCK; i++) {
                assertThat(Float.floatToRawIntBits(row[i]))
                        .as("power %d, input %d", n, i)
                        .isEqualTo(Float.floatToRawIntBits(weight(n, i)));
            }
        }
        assertThat(matrix.bytes() * 8).isEqualTo((long) (4.25 * PANELS * PANEL * BLOCK));
    }

    /** Read as they are kept for one and two rows, widened for more. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 9, 32})
    void multipliesByEveryNumberOfEveryPowerExactly(int rows) {
        PackedMatrix matrix = packed(everything(), PANELS, false);
        check(matrix, rows, MatMul::panel);
        check(matrix, rows, MatMul::vectors);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 9, 32})
    void multipliesHalvesByEveryNumberOfEveryPowerExactly(int rows) {
        assumeTrue(NativeKernels.halves(PackedMatrix.Format.MXFP4), "no C compiler in the build, or no AVX-512 for it");
        check(packed(everything(), PANELS, true), rows, MatMul::panel);
    }

    private interface Way {
        void multiply(PackedMatrix w, int panel, float[] x, int from, int stride, int rows, long end, Workspace work);
    }

    /** By rows of the identity, some at a time. */
    private void check(PackedMatrix matrix, int rows, Way way) {
        float[] identity = new float[(BLOCK + rows + MatMul.SPARE_ROWS) * BLOCK];
        for (int i = 0; i < BLOCK; i++) {
            identity[i * BLOCK + i] = 1;
        }
        Workspace work = new Workspace(rows, 1, 2, 1, memory);
        HalfRows halves = new HalfRows((long) (BLOCK + rows) * HalfRows.stride(matrix), memory);
        if (matrix.order() != HalfRows.Order.FLOATS) {
            halves.round(identity, 0, BLOCK, matrix, 0, BLOCK + rows);
        }
        for (int panel = 0; panel < PANELS; panel++) {
            for (int first = 0; first < BLOCK; first += rows) {
                Arrays.fill(work.tile, 0);
                work.inputHalves = halves.row(first, matrix);
                way.multiply(matrix, panel, identity, first * BLOCK, BLOCK, rows, matrix.start(panel + 1), work);
                for (int r = 0; r < Math.min(rows, BLOCK - first); r++) {
                    for (int lane = 0; lane < PANEL && panel * PANEL + lane < BEYOND; lane++) {
                        int output = panel * PANEL + lane;
                        assertThat(work.tile[r * PANEL + lane])
                                .as("power %d, input %d", output, first + r)
                                .isEqualTo(weight(output, first + r));
                    }
                }
            }
        }
    }

    @Test
    void refusesAPowerThatIsNoNumber() {
        byte[] bytes = new byte[17];
        bytes[0] = (byte) 255;
        assertThatThrownBy(() -> packed(tensor(1, bytes), 1, false))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("damaged");
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void leavesExpertsOfACheckpointAsTheyAre(boolean quantize, @TempDir Path folder) throws IOException {
        TinyModel model = new TinyModel(folder, Configs.gptOss(Configs.MXFP4), TensorType.BF16, 3);
        DecoderSpec spec = DecoderSpec.readQuantized(folder);
        try (ComputeTeam team = new ComputeTeam(1);
                DecoderWeights weights = DecoderWeights.load(folder, spec, quantize, false, memory, team)) {
            DecoderWeights.Dense expert = weights.sparse(0).experts().get(2);
            assertThat(expert.gateUp().formats()).containsOnly(PackedMatrix.Format.MXFP4);
            assertThat(expert.down().formats()).containsOnly(PackedMatrix.Format.MXFP4);
            assertThat(weights.formats().getFirst()).isEqualTo(PackedMatrix.Format.MXFP4);
            double[] exact = model.weights.getOrDefault("model.layers.0.mlp.experts.2.down_proj.weight", new double[0]);
            float[] row = new float[spec.experts().intermediate()];
            for (int output = 0; output < spec.hidden(); output++) {
                expert.down().row(output, row, 0);
                for (int i = 0; i < row.length; i++) {
                    assertThat((double) row[i]).isEqualTo(exact[output * row.length + i] + 0.0);
                }
            }
        }
    }
}
