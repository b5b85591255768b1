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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Latent attention in every format, on one GPU and on several, against the float64 reference. A token goes through all
 * experts, so that no choice hangs on rounding.
 */
class LatentFormatTest {

    private static final long SEED = 20_261_204;
    /** Most that sixteen bits may be off on average. */
    private static final double SIXTEEN = 0.008;

    @RegisterExtension
    static final StandInMachine MACHINE = new StandInMachine(4);

    @TempDir
    Path folder;

    private static EngineOptions options(int ranks, String quantize, String kv) {
        return new EngineOptions(256, 1 << 22, 4, 64, 16, 2, quantize)
                .with(new DeviceOptions("", false, kv, Duration.ZERO, ranks));
    }

    private static Engine load(Path model, EngineOptions options) {
        return CudaEngine.load(model, options, MACHINE.libraries());
    }

    private TinyModel model(int queryRank, String more, TinyModel.Storage storage) throws IOException {
        return new TinyModel(folder, config(queryRank, more), TensorType.F16, SEED, storage);
    }

    /** Eight heads; of what queries are computed from so many elements, 0 for the layer's input. */
    private static String config(int queryRank, String more) {
        String plan = "\"n_routed_experts\": 4, \"num_experts_per_tok\": 4, \"moe_intermediate_size\": 128,"
                + " \"n_shared_experts\": 1, \"routed_scaling_factor\": 1.7, \"first_k_dense_replace\": 1,"
                + " \"kv_lora_rank\": 128, \"qk_nope_head_dim\": 32, \"qk_rope_head_dim\": 16, \"v_head_dim\": 32,"
                + " \"q_lora_rank\": " + (queryRank == 0 ? "null" : Integer.toString(queryRank));
        return Configs.config("DeepseekV3ForCausalLM", 128, 8, 8, 16, 128, more.isEmpty() ? plan : plan + ", " + more)
                .replace("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 2");
    }

    private static double error(TinyModel model, int ranks, String quantize) {
        return error(model, model.folder, model.weights, ranks, quantize);
    }

    /** Of files that stand for other weights than the model's own. */
    private static double error(
            TinyModel model, Path files, Map<String, double[]> weights, int ranks, String quantize) {
        return ReferenceCheck.errors(
                        (path, options) -> load(files, options),
                        model,
                        new ReferenceDecoder(model.spec, weights, FamilyContract.plain(16), 1),
                        options(ranks, quantize, "auto"),
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

    @ParameterizedTest
    @CsvSource({"1, 0", "2, 0", "4, 0", "1, 64", "2, 64", "4, 64"})
    void dividesHeads(int ranks, int queryRank) throws IOException {
        assertThat(error(model(queryRank, "", TinyModel.Storage.PLAIN), ranks, "none"))
                .isLessThan(SIXTEEN);
    }

    /** As DeepSeek publishes its weights: heads' own matrices are written out when they are loaded. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void readsFp8InBlocks(int ranks) throws IOException {
        String fp8 = "\"quantization_config\": {\"quant_method\": \"fp8\", \"weight_block_size\": [128, 128]}";
        TinyModel.Storage blocks = (writer, name, type, rows, columns, values) -> (name.contains("self_attn")
                        ? PackedWeights.fp8Blocks(".weight_scale_inv")
                        : TinyModel.Storage.PLAIN)
                .store(writer, name, type, rows, columns, values);
        // so many heads of such widths that each of two devices has whole blocks
        String whole = config(128, fp8)
                .replace("\"num_attention_heads\": 8", "\"num_attention_heads\": 16")
                .replace("\"qk_nope_head_dim\": 32", "\"qk_nope_head_dim\": 48")
                .replace("\"v_head_dim\": 32", "\"v_head_dim\": 16");
        assertThat(error(new TinyModel(folder, whole, TensorType.F16, SEED, blocks), ranks, "none"))
                .isLessThan(SIXTEEN);
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void readsAwq(int ranks) throws IOException {
        String awq = "\"quantization_config\": {\"quant_method\": \"awq\", \"bits\": 4, \"group_size\": 32}";
        assertThat(error(model(64, awq, PackedWeights.awq(32)), ranks, "none")).isLessThan(SIXTEEN);
    }

    @Test
    void leavesHeadsOwnMatricesAsTheyAreWhereItQuantisesAtLoad() throws IOException {
        withoutProductsOfFp8();
        TinyModel.Storage rounded = (writer, name, type, rows, columns, values) -> (name.contains("kv_b_proj")
                        ? TinyModel.Storage.PLAIN
                        : PackedWeights.atLoad(EightBits::int8))
                .store(writer, name, type, rows, columns, values);
        TinyModel model = model(64, "", rounded);
        assertThat(error(model, 1, "int8")).isLessThan(SIXTEEN);
        assertThat(error(model, 1, "none")).as("the comparison would notice").isGreaterThan(2 * SIXTEEN);
    }

    @ParameterizedTest
    @CsvSource({"true, 1", "true, 2", "false, 1", "false, 2"})
    void readsGgufFiles(boolean headsApart, int ranks) throws IOException {
        TinyModel tiny = model(64, "", TinyModel.Storage.PLAIN);
        GgufModel gguf = new GgufModel(
                "deepseek2",
                tiny.spec,
                tiny.weights,
                name -> name.contains("kv_b") ? TensorType.Q8_0 : TensorType.F16,
                headsApart);
        Path file = gguf.write(folder.resolve("m.gguf"));
        assertThat(error(tiny, file, gguf.weights, ranks, "none")).isLessThan(SIXTEEN);
    }

    /** Queries and the vector are computed from the same inputs, and each may have them in an order of its own. */
    @ParameterizedTest
    @CsvSource({"0, 7", "0, 5", "64, 7"})
    void readsInputsInTheOrderOfEachMatrix(int queryRank, int ofQueries) throws IOException {
        String gptq = "\"quantization_config\": {\"quant_method\": \"gptq\", \"bits\": 4, \"group_size\": 32,"
                + " \"desc_act\": true}";
        TinyModel.Storage reordered = (writer, name, type, rows, columns, values) -> (name.contains("kv_b_proj")
                        ? TinyModel.Storage.PLAIN
                        : PackedWeights.gptq(
                                4,
                                1,
                                32,
                                index -> PackedWeights.shuffled(index, name.contains("q_proj") ? ofQueries : 7)))
                .store(writer, name, type, rows, columns, values);
        assertThat(error(model(queryRank, gptq, reordered), 1, "none")).isLessThan(SIXTEEN);
    }

    @Test
    void readsHeadsWhoseMatricesAreReordered() throws IOException {
        String gptq = "\"quantization_config\": {\"quant_method\": \"gptq\", \"bits\": 4, \"group_size\": 32,"
                + " \"desc_act\": true}";
        TinyModel model = model(64, gptq, PackedWeights.gptq(4, 1, 32, index -> PackedWeights.shuffled(index, 7)));
        assertThat(error(model, 1, "none")).isLessThan(SIXTEEN);
    }

    @Test
    void refusesPagesOfFewerBits() throws IOException {
        TinyModel model = model(0, "", TinyModel.Storage.PLAIN);
        assertThatThrownBy(() -> load(model.folder, options(1, "none", "fp8")))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("leave --kv-cache-dtype");
    }

    @ParameterizedTest
    @CsvSource({"q_lora_rank, 64, 36", "qk_rope_head_dim, 16, 12"})
    void refusesWidthsThatAreNotReadInVectors(String key, int width, int other) throws IOException {
        String odd = config(64, "").replace("\"%s\": %d".formatted(key, width), "\"%s\": %d".formatted(key, other));
        TinyModel model = new TinyModel(folder, odd, TensorType.F16, SEED);
        assertThatThrownBy(() -> load(model.folder, options(1, "none", "auto")))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("multiples of 8, not " + other);
    }
}
