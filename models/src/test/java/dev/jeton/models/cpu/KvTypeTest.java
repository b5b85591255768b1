package dev.jeton.models.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.ModelException;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.FamilyContract;
import dev.jeton.models.reference.ReferenceCheck;
import dev.jeton.models.reference.ReferenceDecoder;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** K and V in BF16 against the float64 reference that keeps them so, too. */
class KvTypeTest {

    private static final long SEED = 20_261_129;
    private static final EngineOptions OPTIONS = new EngineOptions(0, 1 << 22, 4, 64, 16, 2, "none");

    @TempDir
    Path folder;

    private static Engine load(Path model, EngineOptions options) {
        return CpuEngine.load(model, options, false);
    }

    private static double[] bf16(double[] head) {
        return Arrays.stream(head)
                .map(value -> Float.intBitsToFloat(KvArena.bf16((float) value)))
                .toArray();
    }

    private double error(TinyModel model, boolean reckonedAsBf16) {
        ReferenceDecoder reference = new ReferenceDecoder(
                model.spec, model.weights, FamilyContract.plain(24), 1, head -> reckonedAsBf16 ? bf16(head) : head);
        return ReferenceCheck.errors(KvTypeTest::load, model, reference, KvTypes.with(OPTIONS, "bf16"), SEED, 70, 23)
                .getAverage();
    }

    private static long blockBytes(TinyModel model, EngineOptions options) {
        try (Engine engine = load(model.folder, options)) {
            return engine.info().groups().getFirst().bytesPerBlock();
        }
    }

    /** Values that lie near the middle of two steps may fall to either side, so the error does not vanish. */
    @Test
    void bf16IsThatOfItsDefinition() throws IOException {
        TinyModel model = new TinyModel(folder, Configs.llama(""), TensorType.F32, SEED);
        assertThat(error(model, true)).isLessThan(error(model, false) / 4);
    }

    @Test
    void keepsThemInBf16WhereWeightsAreNoMorePrecise() throws IOException {
        TinyModel precise = new TinyModel(folder.resolve("a"), Configs.llama(""), TensorType.F32, SEED);
        TinyModel coarse = new TinyModel(folder.resolve("b"), Configs.llama(""), TensorType.BF16, SEED);
        TinyModel half = new TinyModel(folder.resolve("c"), Configs.llama(""), TensorType.F16, SEED);
        long f32 = blockBytes(precise, KvTypes.with(OPTIONS, "f32"));
        long bf16 = blockBytes(precise, KvTypes.with(OPTIONS, "bf16"));
        assertThat(bf16).isLessThan(f32);
        assertThat(blockBytes(precise, OPTIONS)).isEqualTo(f32);
        assertThat(blockBytes(precise, new EngineOptions(0, 1 << 22, 4, 64, 16, 2, "q8_0")))
                .isEqualTo(bf16);
        assertThat(blockBytes(half, OPTIONS)).isEqualTo(f32);
        assertThat(blockBytes(coarse, OPTIONS)).isEqualTo(bf16);
        assertThat(blockBytes(coarse, KvTypes.with(OPTIONS, "f32"))).isEqualTo(f32);
    }

    @Test
    void refusesTypesOfOtherEngines() throws IOException {
        TinyModel model = new TinyModel(folder, Configs.llama(""), TensorType.F32, SEED);
        assertThatThrownBy(() -> load(model.folder, KvTypes.with(OPTIONS, "fp8")))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("fp8")
                .hasMessageContaining("bf16");
    }
}
