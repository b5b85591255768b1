package dev.jeton.models.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.DeviceOptions;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.FamilyContract;
import dev.jeton.models.reference.PackedWeights;
import dev.jeton.models.reference.ReferenceCheck;
import dev.jeton.models.reference.ReferenceDecoder;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** GPUs that give a block 99 KB of shared memory, as an L4 or an RTX, in place of an H100's 227. */
class SmallBlocksTest {

    private static final long SEED = 4_711;

    @RegisterExtension
    static final StandInMachine MACHINE = new StandInMachine();

    @TempDir
    Path folder;

    /** The bounds are two to three times what was seen, 0.013 and 0.070. */
    @ParameterizedTest
    @CsvSource({"256, none, auto, 0.03", "64, int8, fp8, 0.2"})
    void computesWithFewerStages(int headDim, String quantize, String kv, double most) throws IOException {
        MACHINE.knobs().devices(1, 8, 9, 1L << 30);
        String config = Configs.config("LlamaForCausalLM", 64, 4, 2, headDim, 128, "\"rms_norm_eps\": 1e-6");
        TinyModel tiny = new TinyModel(folder.resolve("hf"), config, TensorType.F32, SEED);
        EngineOptions options = new EngineOptions(0, 1 << 22, 4, 160, 16, 2, quantize)
                .with(new DeviceOptions("", false, kv, Duration.ZERO));
        ReferenceDecoder reference = new ReferenceDecoder(tiny.spec, tiny.weights, FamilyContract.plain(headDim), 1);

        double error = ReferenceCheck.errors(
                        (path, given) -> CudaEngine.load(path, given, MACHINE.libraries()),
                        tiny,
                        reference,
                        options,
                        SEED,
                        40,
                        40)
                .getAverage();

        assertThat(error).isLessThan(most);
    }

    /**
     * Products of few rows and of more, which are what a block's room decides the stages of. The bound is that of
     * {@code WeightFormatTest}.
     */
    @ParameterizedTest
    @ValueSource(ints = {128, 64, 32})
    void readsEightBitsInGroups(int group) throws IOException {
        MACHINE.knobs().devices(1, 8, 9, 1L << 30);
        String quantised =
                "\"quantization_config\": {\"quant_method\": \"gptq\", \"bits\": 8, \"group_size\": %d, \"desc_act\": false}"
                        .formatted(group);
        String config = Configs.config("LlamaForCausalLM", 128, 4, 2, 32, 256, quantised)
                .replace("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 2");
        TinyModel tiny = new TinyModel(
                folder, config, TensorType.F16, SEED, PackedWeights.gptq(8, 1, group, UnaryOperator.identity()));
        ReferenceDecoder reference = new ReferenceDecoder(tiny.spec, tiny.weights, FamilyContract.plain(32), 1);
        EngineOptions options = new EngineOptions(0, 1 << 22, 4, 96, 16, 2, "none")
                .with(new DeviceOptions("", false, "auto", Duration.ZERO));

        double error = ReferenceCheck.errors(
                        (path, given) -> CudaEngine.load(path, given, MACHINE.libraries()),
                        tiny,
                        reference,
                        options,
                        SEED,
                        40,
                        40)
                .getAverage();

        assertThat(error).isLessThan(0.005);
    }
}
