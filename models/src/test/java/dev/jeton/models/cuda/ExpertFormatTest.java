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
import dev.jeton.models.reference.PackedWeights;
import dev.jeton.models.reference.ReferenceCheck;
import dev.jeton.models.reference.ReferenceDecoder;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Layers of experts with weights in fewer bits, against the float64 reference on the values that they stand for. */
class ExpertFormatTest {

    private static final long SEED = 20_260_505;
    private static final double SIXTEEN = 0.005;

    @RegisterExtension
    static final StandInMachine MACHINE = new StandInMachine();

    @TempDir
    Path folder;

    private static EngineOptions options(String quantize) {
        return new EngineOptions(0, 1 << 22, 4, 96, 16, 2, quantize)
                .with(new DeviceOptions("", false, "auto", Duration.ZERO));
    }

    private Engine load(Path model, EngineOptions options) {
        return CudaEngine.load(model, options, MACHINE.libraries());
    }

    /** Three experts of four, so that 40 tokens in a step give an expert more than 16 rows, and decodes fewer. */
    private TinyModel qwen3(String quantization, TinyModel.Storage storage, int width) throws IOException {
        return model(
                Configs.config(
                        "Qwen3MoeForCausalLM",
                        128,
                        4,
                        2,
                        32,
                        256,
                        "\"num_experts\": 4, \"num_experts_per_tok\": 3, \"moe_intermediate_size\": %d, \"norm_topk_prob\": true"
                                .formatted(width)),
                quantization,
                storage);
    }

    private TinyModel model(String config, String quantization, TinyModel.Storage storage) throws IOException {
        String layers = config.replace("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 2");
        String whole = quantization.isEmpty()
                ? layers
                : layers.stripTrailing().replaceFirst("}$", ", \"quantization_config\": " + quantization + "}");
        return new TinyModel(folder, whole, TensorType.F16, SEED, storage);
    }

    private double error(TinyModel model, String quantize) {
        ReferenceDecoder reference =
                new ReferenceDecoder(model.spec, model.weights, FamilyContract.plain(model.spec.headDim()), 1);
        return ReferenceCheck.errors(
                        this::load,
                        model,
                        reference,
                        options(quantize),
                        SEED,
                        40,
                        40,
                        ReferenceCheck.GENERATED_TO_SEE_WEIGHTS)
                .getAverage();
    }

    @ParameterizedTest
    @ValueSource(strings = {"int8", "fp8"})
    void quantisesExpertsAtLoad(String quantize) throws IOException {
        MACHINE.knobs().devices(1, 8, 0, 1L << 30);
        TinyModel model =
                qwen3("", PackedWeights.atLoad(quantize.equals("int8") ? EightBits::int8 : EightBits::scaledE4m3), 128);
        assertThat(error(model, quantize)).isLessThan(SIXTEEN);
        assertThat(error(model, "none")).as("the comparison would notice").isGreaterThan(2 * SIXTEEN);
    }

    /** A width of whole steps of few rows' products, and one that only the products of many rows have. */
    @ParameterizedTest
    @ValueSource(ints = {128, 208})
    void readsExpertsOfFp8InBlocks(int width) throws IOException {
        TinyModel model = qwen3(
                "{\"quant_method\": \"fp8\", \"weight_block_size\": [128, 128]}",
                PackedWeights.fp8Blocks(".weight_scale_inv"),
                width);
        assertThat(error(model, "none")).isLessThan(SIXTEEN);
    }

    /** None is left out, so that no near tie of the router can tell. */
    @Test
    void readsExpertsOfAwqUnderTheNamesOfMixtral() throws IOException {
        String experts = "\"num_local_experts\": 3, \"num_experts_per_tok\": 3";
        TinyModel model = model(
                Configs.config("MixtralForCausalLM", 128, 4, 2, 32, 256, experts),
                "{\"quant_method\": \"awq\", \"bits\": 4, \"group_size\": 128, \"modules_to_not_convert\": [\"gate\"]}",
                PackedWeights.awq());
        assertThat(error(model, "none")).isLessThan(SIXTEEN);
    }

    /** As MiniMax-M2 is released; none is left out. */
    @Test
    void readsExpertsOfFp8InBlocksUnderTheNamesOfMiniMax() throws IOException {
        String experts = "\"num_local_experts\": 3, \"num_experts_per_tok\": 3";
        TinyModel model = model(
                Configs.config("MiniMaxM2ForCausalLM", 128, 4, 2, 32, 128, experts),
                "{\"quant_method\": \"fp8\", \"weight_block_size\": [128, 128]}",
                PackedWeights.fp8Blocks(".weight_scale_inv"));
        assertThat(error(model, "none")).isLessThan(SIXTEEN);
    }

    @Test
    void readsExpertsOfGptqAndOfCompressedTensors() throws IOException {
        TinyModel gptq = qwen3(
                "{\"quant_method\": \"gptq\", \"bits\": 4, \"group_size\": 128}",
                PackedWeights.gptq(1, UnaryOperator.identity()),
                256);
        assertThat(error(gptq, "none")).isLessThan(SIXTEEN);
        TinyModel packed = qwen3(
                "{\"quant_method\": \"compressed-tensors\", \"format\": \"pack-quantized\", \"config_groups\": {\"g\":"
                        + " {\"weights\": {\"num_bits\": 4, \"strategy\": \"group\", \"group_size\": 128}}}}",
                PackedWeights.packed(128, true, UnaryOperator.identity()),
                128);
        assertThat(error(packed, "none")).isLessThan(SIXTEEN);
    }

    @Test
    void refusesWidthsThatNoKernelReads() throws IOException {
        TinyModel model = qwen3("", TinyModel.Storage.PLAIN, 40);
        assertThatThrownBy(() -> load(model.folder, options("int8")))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("experts of 40 inputs")
                .hasMessageContaining("multiples of 16");
    }

    /** Each expert in an order of its own, the first as they are. */
    private static TinyModel.Storage reordered(int bits, int group) {
        return (writer, name, type, rows, columns, values) -> {
            String expert = name.replaceFirst(".*experts\\.(\\d+)\\..*", "$1");
            UnaryOperator<int[]> index = expert.equals("0")
                    ? UnaryOperator.identity()
                    : of -> PackedWeights.shuffled(of, expert.equals(name) ? 0 : Integer.parseInt(expert));
            return PackedWeights.gptq(bits, 1, group, index).store(writer, name, type, rows, columns, values);
        };
    }

    /** A width of whole steps of few rows' products, and one that only the products of many rows have. */
    @ParameterizedTest
    @CsvSource({"4, 128", "4, 96", "8, 128", "8, 96"})
    void readsExpertsWhoseInputsAreReordered(int bits, int width) throws IOException {
        TinyModel model = qwen3(
                "{\"quant_method\": \"gptq\", \"bits\": %d, \"group_size\": 32, \"desc_act\": true}".formatted(bits),
                reordered(bits, 32),
                width);
        assertThat(error(model, "none")).isLessThan(SIXTEEN);
    }

    @Test
    void refusesExpertsWhoseInnerOrderNobodyGives() throws IOException {
        TinyModel.Storage four = reordered(4, 32);
        TinyModel model = qwen3(
                "{\"quant_method\": \"gptq\", \"bits\": 4, \"group_size\": 32, \"desc_act\": true}",
                (writer, name, type, rows, columns, values) -> (name.contains("experts") && !name.endsWith("down_proj")
                                ? TinyModel.Storage.PLAIN
                                : four)
                        .store(writer, name, type, rows, columns, values),
                128);
        assertThatThrownBy(() -> load(model.folder, options("none")))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("down_proj reorders inputs")
                .hasMessageContaining("SIXTEEN");
    }
}
