package dev.jeton.models.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.DeviceOptions;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.ModelException;
import dev.jeton.models.TensorType;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.FamilyContract;
import dev.jeton.models.reference.GgufModel;
import dev.jeton.models.reference.ReferenceCheck;
import dev.jeton.models.reference.ReferenceDecoder;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** GGUF files on a device, in sixteen bits whatever they are in the file. */
class CudaGgufTest {

    private static final long SEED = 31_337;

    @RegisterExtension
    static final StandInMachine MACHINE = new StandInMachine();

    @TempDir
    Path folder;

    /**
     * Weights of blocks become bf16, which has an eighth of fp16's precision; the bounds are four times what was seen.
     */
    @ParameterizedTest
    @CsvSource({"F16, 0.005", "Q8_0, 0.06", "Q6_K, 0.06", "Q4_K, 0.06"})
    void computesInSixteenBitsFromAnyType(TensorType type, double most) throws IOException {
        TinyModel tiny = tiny();
        GgufModel gguf = new GgufModel("llama", tiny.spec, tiny.weights, name -> type);
        Path file = gguf.write(folder.resolve("m.gguf"));
        ReferenceDecoder reference = new ReferenceDecoder(tiny.spec, gguf.weights, FamilyContract.plain(32), 1);

        double error = ReferenceCheck.errors(
                        (path, options) -> CudaEngine.load(file, options, MACHINE.libraries()),
                        tiny,
                        reference,
                        options("none"),
                        SEED,
                        40,
                        40)
                .getAverage();

        assertThat(error).isLessThan(most);
    }

    @Test
    void refusesToQuantiseAgain() throws IOException {
        TinyModel tiny = tiny();
        Path file = new GgufModel("llama", tiny.spec, tiny.weights, name -> TensorType.Q4_K)
                .write(folder.resolve("m.gguf"));
        assertThatThrownBy(() -> CudaEngine.load(file, options("int8"), MACHINE.libraries()))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("quantised already")
                .hasMessageContaining("leave --quantize");
    }

    private static EngineOptions options(String quantize) {
        return new EngineOptions(0, 1 << 22, 4, 160, 16, 2, quantize)
                .with(new DeviceOptions("", false, "auto", Duration.ZERO));
    }

    private TinyModel tiny() throws IOException {
        String config = Configs.config("LlamaForCausalLM", 256, 8, 2, 32, 256, "\"rms_norm_eps\": 1e-6");
        return new TinyModel(folder.resolve("hf"), config, TensorType.F32, SEED);
    }
}
