package dev.jeton.models.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.DeviceOptions;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.ModelException;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.EightBits;
import dev.jeton.models.reference.FamilyContract;
import dev.jeton.models.reference.ReferenceCheck;
import dev.jeton.models.reference.ReferenceDecoder;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** K and V in eight bits against the float64 reference, on a machine that stands in for a GPU. */
class KvTypeTest {

    private static final long SEED = 20_260_102;

    @RegisterExtension
    static final StandInMachine MACHINE = new StandInMachine();

    @TempDir
    Path folder;

    private static EngineOptions options(String kvType) {
        return new EngineOptions(0, 1 << 22, 4, 64, 16, 2, "none")
                .with(new DeviceOptions("", false, kvType, Duration.ZERO));
    }

    private Engine load(Path model, EngineOptions options) {
        return CudaEngine.load(model, options, MACHINE.libraries());
    }

    /** What a head of K or V is in memory. */
    private static double[] cached(String kvType, double scale, double[] head) {
        return switch (kvType) {
            case "int8" -> EightBits.int8(head);
            case "fp8" -> EightBits.e4m3(head, scale);
            default -> head;
        };
    }

    private double error(TinyModel model, String kvType, double scale, String reckonedAs) {
        ReferenceDecoder reference = new ReferenceDecoder(
                model.spec, model.weights, FamilyContract.plain(24), 1, head -> cached(reckonedAs, scale, head));
        return ReferenceCheck.errors(this::load, model, reference, options(kvType), SEED, 70, 23)
                .getAverage();
    }

    /** Values that lie near the middle of two steps may fall to either side, so the errors do not vanish. */
    @Test
    void fp8IsThatOfItsDefinition() throws IOException {
        TinyModel model = new TinyModel(folder, Configs.llama(""), TensorType.F16, SEED);
        double own = error(model, "fp8", 1, "fp8");
        assertThat(own).isLessThan(0.25).isLessThan(error(model, "fp8", 1, "auto") / 2);
    }

    @Test
    void int8IsThatOfItsDefinition() throws IOException {
        TinyModel model = new TinyModel(folder, Configs.llama(""), TensorType.F16, SEED);
        double own = error(model, "int8", 1, "int8");
        assertThat(own).isLessThan(0.12).isLessThan(error(model, "int8", 1, "fp8") / 4);
    }

    @Test
    void fp8IsDividedByTheScalesOfTheCheckpoint() throws IOException {
        TinyModel model = scaled(0.3f);
        double own = error(model, "fp8", 0.3, "fp8");
        assertThat(own).isLessThan(0.25).isLessThan(error(model, "fp8", 1, "fp8") / 2);
    }

    private TinyModel scaled(float scale) throws IOException {
        return new TinyModel(folder, Configs.llama(""), TensorType.F16, SEED, writer -> {
            for (int layer = 0; layer < 3; layer++) {
                for (String name : List.of("k_scale", "v_scale")) {
                    writer.add(
                            "model.layers.%d.self_attn.%s".formatted(layer, name),
                            TensorType.F32,
                            new int[] {1},
                            new float[] {scale});
                }
            }
        });
    }

    @Test
    void refusesAScaleThatIsNone() throws IOException {
        TinyModel model = scaled(-1);
        assertThatThrownBy(() -> load(model.folder, options("fp8")))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("k_scale");
    }

    @Test
    void takesHalfTheMemory() throws IOException {
        TinyModel model = new TinyModel(folder, Configs.llama(""), TensorType.F16, SEED);
        long[] bytes = new long[3];
        String[] types = {"auto", "fp8", "int8"};
        for (int i = 0; i < 3; i++) {
            try (Engine engine = load(model.folder, options(types[i]))) {
                bytes[i] = engine.info().groups().getFirst().bytesPerBlock();
            }
        }
        assertThat(bytes[1]).isEqualTo(bytes[0] / 2);
        // heads of 24 lie in 32 bytes; a scale takes four
        assertThat(bytes[2]).isEqualTo(bytes[1] / 32 * 36);
    }

    @Test
    void namesTheTypesThatThereAre() throws IOException {
        TinyModel model = new TinyModel(folder, Configs.llama(""), TensorType.F16, SEED);
        assertThatThrownBy(() -> load(model.folder, options("int4")))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("auto, fp8 and int8");
    }
}
