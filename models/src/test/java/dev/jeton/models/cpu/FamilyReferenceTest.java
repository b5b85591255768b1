package dev.jeton.models.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.SafetensorsWriter;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.FamilyContract;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is computed without the kernels in C, which round inputs: see {@link NativeFamilyTest}. */
class FamilyReferenceTest extends FamilyContract {

    @TempDir
    Path folder;

    @Override
    protected Engine load(Path model, EngineOptions options) {
        return CpuEngine.load(model, KvTypes.precise(options), false);
    }

    @Test
    void shouldMatchTheReferenceOverQuantisedWeights() throws IOException {
        TinyModel model = new TinyModel(folder, Configs.llama(""), TensorType.BF16, SEED);
        model.weights.replaceAll(
                (name, values) -> name.contains("norm") ? values : quantised(name, values, model.spec));
        check(model, plain(24), 1, 2e-4, "q8_0");
    }

    /** Blocks of 32 inputs: whole numbers up to 127 times a scale of sixteen bits. */
    private static double[] quantised(String name, double[] values, DecoderSpec spec) {
        int columns = name.contains("down")
                ? spec.intermediate()
                : name.contains("o_proj") ? spec.queryWidth() : spec.hidden();
        double[] result = new double[values.length];
        double error = 0;
        for (int row = 0; row < values.length; row += columns) {
            for (int from = row; from < row + columns; from += 32) {
                int end = Math.min(from + 32, row + columns);
                float most = 0;
                for (int i = from; i < end; i++) {
                    most = Math.max(most, (float) Math.abs(values[i]));
                }
                float scale = SafetensorsWriter.rounded(TensorType.F16, most / 127);
                for (int i = from; i < end; i++) {
                    result[i] = Math.rint((float) values[i] * (1 / scale)) * (double) scale;
                    error = Math.max(error, Math.abs(result[i] - values[i]) / scale);
                }
            }
        }
        assertThat(error).as("in units of the scale").isLessThan(0.57);
        return result;
    }
}
