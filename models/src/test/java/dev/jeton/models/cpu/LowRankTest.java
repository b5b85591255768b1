package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.jeton.models.AdapterFolder;
import dev.jeton.models.AdapterFolder.Part;
import dev.jeton.models.AdapterFolder.Place;
import dev.jeton.models.TensorType;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.TinyAdapter;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Random;
import java.util.regex.Pattern;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A packed adapter against its tensors as they are, of products that not all of an adapter's parts are of. */
class LowRankTest {

    private static final int ROWS = 7;

    @TempDir
    Path files;

    @ParameterizedTest
    @EnumSource(names = {"F32", "BF16"})
    void addsWhatItsPartsGiveWhereverTheirOutputsBegin(TensorType type) throws IOException {
        TinyModel model = new TinyModel(files.resolve("m"), Configs.llama(""), type, 1);
        for (String modules : new String[] {"(q|v)_proj", "(k|up|down)_proj", "_proj"}) {
            TinyAdapter adapter = new TinyAdapter(
                    files.resolve("a" + modules.length()), model, Pattern.compile(modules), 21, 3, false, 2);
            for (Place place : Place.values()) {
                check(adapter, model, place);
            }
        }
    }

    private static void check(TinyAdapter written, TinyModel model, Place place) {
        try (AdapterFolder adapter = AdapterFolder.open(written.folder, model.spec);
                NativeMemory memory = new NativeMemory()) {
            if (adapter.rank(1, place) == 0) {
                assertThat(LowRankPacking.pack(adapter, model.spec, 1, place, memory))
                        .isEmpty();
                return;
            }
            LowRank low =
                    LowRankPacking.pack(adapter, model.spec, 1, place, memory).orElseThrow();
            int columns = place.targets().getFirst().inputs(model.spec);
            float[] x = floats(ROWS * columns);
            float[] z = new float[ROWS * low.paddedRanks()];
            for (int vector = 0; vector < low.vectors(); vector++) {
                low.down(vector, x, 0, columns, ROWS, z, 0, low.paddedRanks());
            }
            int first = 0;
            for (AdapterFolder.Target target : place.targets()) {
                int outputs = target.outputs(model.spec);
                for (int output = 0; output < outputs; output++) {
                    int at = place == Place.GATE_UP
                            ? output / (PANEL / 2) * PANEL + output % (PANEL / 2) + (first > 0 ? PANEL / 2 : 0)
                            : first + output;
                    float[] tile = new float[ROWS * PANEL];
                    low.up(at / PANEL, z, 0, low.paddedRanks(), ROWS, tile, 0);
                    for (int row = 0; row < ROWS; row++) {
                        double expected = adapter.part(1, target).isEmpty()
                                ? 0
                                : sum(adapter.part(1, target).orElseThrow(), output, x, row * columns, columns);
                        assertThat(tile[row * PANEL + at % PANEL])
                                .as("%s of %s, output %d, row %d", target, written.folder, output, row)
                                .isCloseTo((float) expected, within(1e-3f));
                    }
                }
                first += outputs;
            }
        }
    }

    private static double sum(Part part, int output, float[] x, int from, int columns) {
        double sum = 0;
        for (int rank = 0; rank < part.rank(); rank++) {
            double between = 0;
            for (int k = 0; k < columns; k++) {
                between += part.a().at((long) rank * columns + k) * x[from + k];
            }
            sum += part.scale() * between * part.b().at((long) output * part.rank() + rank);
        }
        return sum;
    }

    private static float[] floats(int count) {
        Random random = new Random(7);
        float[] floats = new float[count];
        for (int i = 0; i < count; i++) {
            floats[i] = (float) random.nextGaussian();
        }
        return floats;
    }
}
