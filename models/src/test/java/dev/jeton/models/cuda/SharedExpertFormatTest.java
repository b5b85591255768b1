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
import dev.jeton.models.reference.GgufModel;
import dev.jeton.models.reference.PackedWeights;
import dev.jeton.models.reference.ReferenceCheck;
import dev.jeton.models.reference.ReferenceDecoder;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What all tokens go through beside their experts in every format, on one GPU and on several, against the float64
 * reference. A token goes through all experts, so that no choice hangs on rounding.
 */
class SharedExpertFormatTest {

    private static final long SEED = 20_261_202;
    /** Most that sixteen bits may be off on average. */
    private static final double SIXTEEN = 0.005;

    private static final String AWQ =
            "\"quantization_config\": {\"quant_method\": \"awq\", \"bits\": 4, \"group_size\": 32}";

    @RegisterExtension
    static final StandInMachine MACHINE = new StandInMachine(4);

    @TempDir
    Path folder;

    private static EngineOptions options(int ranks, String quantize) {
        return new EngineOptions(256, 1 << 22, 4, 64, 16, 2, quantize)
                .with(new DeviceOptions("", false, "auto", Duration.ZERO, ranks));
    }

    private static Engine load(Path model, EngineOptions options) {
        return CudaEngine.load(model, options, MACHINE.libraries());
    }

    /** With corrections, a scale and a first layer without experts; what is shared is not gated. */
    private TinyModel glm4(int width, String more, TinyModel.Storage storage) throws IOException {
        String experts = "\"n_routed_experts\": 4, \"num_experts_per_tok\": 4, \"n_group\": 2,"
                + " \"routed_scaling_factor\": 1.7, \"n_shared_experts\": 2, \"moe_intermediate_size\": " + width;
        return model("Glm4MoeForCausalLM", experts, more, storage);
    }

    /** With a gate, a logit of the router behind three of experts. */
    private TinyModel qwen2(int width, String more, TinyModel.Storage storage) throws IOException {
        String experts = "\"num_experts\": 3, \"num_experts_per_tok\": 3, \"moe_intermediate_size\": 64,"
                + " \"shared_expert_intermediate_size\": " + width;
        return model("Qwen2MoeForCausalLM", experts, more, storage);
    }

    private TinyModel model(String architecture, String experts, String more, TinyModel.Storage storage)
            throws IOException {
        String all = more.isEmpty() ? experts : experts + ", " + more;
        String config = Configs.config(architecture, 128, 8, 4, 16, 128, all)
                .replace("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 2");
        return new TinyModel(folder, config, TensorType.F16, SEED, storage);
    }

    private static double error(TinyModel model, int ranks, String quantize) {
        return error(model, model.folder, model.weights, ranks, quantize);
    }

    /** Of files that stand for other weights than the model's own. */
    private static double error(
            TinyModel model, Path files, Map<String, double[]> weights, int ranks, String quantize) {
        double[] turned = FamilyContract.plain(model.spec.rotary().width());
        return ReferenceCheck.errors(
                        (path, options) -> load(files, options),
                        model,
                        new ReferenceDecoder(model.spec, weights, turned, 1),
                        options(ranks, quantize),
                        SEED,
                        40,
                        40,
                        ReferenceCheck.GENERATED_TO_SEE_WEIGHTS)
                .getAverage();
    }

    /** Else inputs of many rows would be rounded, too. */
    private static void withoutProductsOfFp8() {
        MACHINE.knobs().devices(4, 8, 0, 1L << 30);
    }

    /** Of the second width each of four ranks has 40, which no product of few rows reads. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 4})
    void dividesWhatIsShared(int ranks) throws IOException {
        assertThat(error(glm4(64, "", TinyModel.Storage.PLAIN), ranks, "none")).isLessThan(SIXTEEN);
        assertThat(error(qwen2(160, "", TinyModel.Storage.PLAIN), ranks, "none"))
                .isLessThan(SIXTEEN);
    }

    @Test
    void padsAWidthThatIsNoMultipleOfEightOnOneGpu() throws IOException {
        TinyModel model = qwen2(44, "", TinyModel.Storage.PLAIN);
        assertThat(error(model, 1, "none")).isLessThan(SIXTEEN);
        assertThatThrownBy(() -> load(model.folder, options(2, "none")))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("width 44 of what all tokens go through beside experts")
                .hasMessageContaining("may be one of 1");
    }

    @ParameterizedTest
    @ValueSource(strings = {"int8", "fp8"})
    void quantisesWhatIsSharedAtLoad(String quantize) throws IOException {
        withoutProductsOfFp8();
        TinyModel.Storage rounded =
                PackedWeights.atLoad(quantize.equals("int8") ? EightBits::int8 : EightBits::scaledE4m3);
        TinyModel model = glm4(64, "", rounded);
        assertThat(error(model, 1, quantize)).isLessThan(SIXTEEN);
        assertThat(error(model, 1, "none")).as("the comparison would notice").isGreaterThan(2 * SIXTEEN);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void readsWhatIsSharedInFp8(int ranks) throws IOException {
        withoutProductsOfFp8();
        String fp8 =
                "\"quantization_config\": {\"quant_method\": \"compressed-tensors\", \"format\": \"float-quantized\","
                        + " \"config_groups\": {\"group_0\": {\"weights\": {\"num_bits\": 8, \"type\": \"float\","
                        + " \"strategy\": \"channel\"}}}}";
        assertThat(error(qwen2(256, fp8, PackedWeights.fp8(true)), ranks, "none"))
                .isLessThan(SIXTEEN);
    }

    @Test
    void readsWhatIsSharedInFp8InBlocks() throws IOException {
        String fp8 = "\"quantization_config\": {\"quant_method\": \"fp8\", \"weight_block_size\": [128, 128]}";
        TinyModel model = glm4(128, fp8, PackedWeights.fp8Blocks(".weight_scale_inv"));
        assertThat(error(model, 1, "none")).isLessThan(SIXTEEN);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void readsWhatIsSharedInAwq(int ranks) throws IOException {
        assertThat(error(qwen2(128, AWQ, PackedWeights.awq(32)), ranks, "none")).isLessThan(SIXTEEN);
    }

    /** As checkpoints have it whose makers left what is shared as it was. */
    @Test
    void readsWhatIsSharedInSixteenBitsBesideExpertsInAwq() throws IOException {
        TinyModel.Storage experts = (writer, name, type, rows, columns, values) -> (name.contains("shared_expert")
                        ? TinyModel.Storage.PLAIN
                        : PackedWeights.awq(32))
                .store(writer, name, type, rows, columns, values);
        assertThat(error(qwen2(72, AWQ, experts), 1, "none")).isLessThan(SIXTEEN);
    }

    /** Each expert in an order of its own, and what is shared in another. */
    @ParameterizedTest
    @CsvSource({"4", "8"})
    void readsWhatIsSharedWhoseInputsAreReordered(int bits) throws IOException {
        String gptq =
                "\"quantization_config\": {\"quant_method\": \"gptq\", \"bits\": %d, \"group_size\": 32, \"desc_act\": true}"
                        .formatted(bits);
        TinyModel.Storage reordered = (writer, name, type, rows, columns, values) -> {
            String expert = name.replaceFirst(".*\\.experts\\.(\\d+)\\..*", "$1");
            long seed = expert.equals(name) ? 7 : Long.parseLong(expert);
            UnaryOperator<int[]> index = of -> PackedWeights.shuffled(of, seed);
            return PackedWeights.gptq(bits, 1, 32, index).store(writer, name, type, rows, columns, values);
        };
        assertThat(error(glm4(64, gptq, reordered), 1, "none")).isLessThan(SIXTEEN);
    }

    @ParameterizedTest
    @CsvSource({"true, 1", "true, 2", "false, 1", "false, 2"})
    void readsGgufFiles(boolean gated, int ranks) throws IOException {
        TinyModel tiny = gated ? qwen2(128, "", TinyModel.Storage.PLAIN) : glm4(64, "", TinyModel.Storage.PLAIN);
        GgufModel gguf = new GgufModel(
                gated ? "qwen2moe" : "glm4moe",
                tiny.spec,
                tiny.weights,
                name -> name.contains("expert") ? TensorType.Q8_0 : TensorType.F16);
        Path file = gguf.write(folder.resolve("m.gguf"));
        assertThat(error(tiny, file, gguf.weights, ranks, "none")).isLessThan(SIXTEEN);
    }

    @Test
    void refusesMoreGroupsThanLanes() throws IOException {
        String groups = "\"n_routed_experts\": 66, \"num_experts_per_tok\": 2, \"n_group\": 33,"
                + " \"moe_intermediate_size\": 8";
        TinyModel model = model("Glm4MoeForCausalLM", groups, "", TinyModel.Storage.PLAIN);
        assertThatThrownBy(() -> load(model.folder, options(1, "none")))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("at most 32 groups; this model has 33");
    }
}
