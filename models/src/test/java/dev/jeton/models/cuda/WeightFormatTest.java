package dev.jeton.models.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

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

/**
 * Quantised weights against the float64 reference on the very values that they stand for, so that an engine that reads
 * them rightly is as near as with sixteen bits. On a machine that stands in for a GPU.
 */
class WeightFormatTest {

    private static final long SEED = 20_260_103;
    private static final String AWQ =
            "{\"quant_method\": \"awq\", \"bits\": 4, \"group_size\": 128, \"version\": \"gemm\", \"zero_point\": true}";
    private static final String GPTQ =
            "{\"quant_method\": \"gptq\", \"bits\": 4, \"group_size\": %d, \"desc_act\": %s}";
    private static final String BLOCKS = "{\"quant_method\": \"fp8\", \"weight_block_size\": [128, 128]}";

    /**
     * Most that sixteen bits may be off on average; here they are by 0.0012, and fp8 weights, whose scales round, by
     * 0.004.
     */
    private static final double SIXTEEN = 0.005;

    @RegisterExtension
    static final StandInMachine MACHINE = new StandInMachine();

    @TempDir
    Path folder;

    private static EngineOptions options(String quantize) {
        return new EngineOptions(0, 1 << 22, 4, 288, 16, 2, quantize)
                .with(new DeviceOptions("", false, "auto", Duration.ZERO));
    }

    private Engine load(Path model, EngineOptions options) {
        return CudaEngine.load(model, options, MACHINE.libraries());
    }

    /** Widths are multiples of 128, so few rows go through our own kernel. */
    private TinyModel model(String quantization, TinyModel.Storage storage) throws IOException {
        return model(quantization, storage, 128, 256);
    }

    private TinyModel model(String quantization, TinyModel.Storage storage, int hidden, int intermediate)
            throws IOException {
        String more = "\"attention_bias\": true"
                + (quantization.isEmpty() ? "" : ", \"quantization_config\": " + quantization);
        return model("LlamaForCausalLM", more, storage, hidden, intermediate);
    }

    private TinyModel model(String architecture, String more, TinyModel.Storage storage, int hidden, int intermediate)
            throws IOException {
        String config = Configs.config(architecture, hidden, 4, 2, hidden / 4, intermediate, more)
                .replace("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 2")
                .replace("\"vocab_size\": 301", "\"vocab_size\": " + (storage.ofHead() ? 304 : 301));
        return new TinyModel(folder, config, TensorType.F16, SEED, storage);
    }

    /** Average error with a prompt in one step of so many tokens, and decodes after it. */
    private double error(TinyModel model, String quantize, int rows) {
        ReferenceDecoder reference =
                new ReferenceDecoder(model.spec, model.weights, FamilyContract.plain(model.spec.headDim()), 1);
        return ReferenceCheck.errors(
                        this::load,
                        model,
                        reference,
                        options(quantize),
                        SEED,
                        rows,
                        rows,
                        ReferenceCheck.GENERATED_TO_SEE_WEIGHTS)
                .getAverage();
    }

    private static UnaryOperator<int[]> same() {
        return UnaryOperator.identity();
    }

    @Test
    void sixteenBitsAreTheMeasure() throws IOException {
        assertThat(error(model("", TinyModel.Storage.PLAIN), "none", 70)).isLessThan(SIXTEEN);
    }

    /** Rows of our kernel for few rows, of that for more, and of more than it takes. */
    @ParameterizedTest
    @ValueSource(ints = {12, 40, 270})
    void quantisesToInt8AtLoad(int rows) throws IOException {
        TinyModel model = model("", PackedWeights.atLoad(EightBits::int8));
        assertThat(error(model, "int8", rows)).isLessThan(SIXTEEN);
    }

    @Test
    void noticesWhereWeightsAreNotWhatTheyWereTakenFor() throws IOException {
        assertThat(error(model("", PackedWeights.atLoad(EightBits::int8)), "none", 12))
                .isGreaterThan(2 * SIXTEEN);
        assertThat(error(model("", PackedWeights.atLoad(EightBits::scaledE4m3)), "none", 12))
                .isGreaterThan(8 * SIXTEEN);
    }

    /** A device without fp8 products multiplies in sixteen bits whatever the rows. */
    @ParameterizedTest
    @ValueSource(ints = {12, 40})
    void quantisesToFp8AtLoadForADeviceWithoutItsProducts(int rows) throws IOException {
        MACHINE.knobs().devices(1, 8, 0, 1L << 30);
        TinyModel model = model("", PackedWeights.atLoad(EightBits::scaledE4m3));
        assertThat(error(model, "fp8", rows)).isLessThan(SIXTEEN);
    }

    /** Where many rows are multiplied in fp8, activations are rounded, too; few are not. */
    @Test
    void multipliesManyRowsInFp8WhereTheDeviceCan() throws IOException {
        TinyModel model = model("", PackedWeights.atLoad(EightBits::scaledE4m3));
        assertThat(error(model, "fp8", 12)).isLessThan(SIXTEEN);
        assertThat(error(model, "fp8", 60)).isBetween(2 * SIXTEEN, 40 * SIXTEEN);
    }

    /** Libraries refuse some sizes and take others; no weight is rounded more, so errors are those of sixteen bits. */
    @ParameterizedTest
    @CsvSource({"32, 32, 60", "1, 256, 60", "288, 288, 270", "1, 4096, 270"})
    void multipliesInSixteenBitsWhereTheLibraryRefusesSizes(int from, int to, int rows) throws IOException {
        MACHINE.knobs().refuseRowScales(from, to);
        TinyModel model = model("", PackedWeights.atLoad(EightBits::scaledE4m3));
        assertThat(error(model, "fp8", rows)).isLessThan(SIXTEEN);
    }

    /** One side of what our own kernel takes does not decide for the other. */
    @Test
    void multipliesFewerRowsInFp8WhereTheLibraryRefusesMany() throws IOException {
        MACHINE.knobs().refuseRowScales(257, 4096);
        TinyModel model = model("", PackedWeights.atLoad(EightBits::scaledE4m3));
        assertThat(error(model, "fp8", 60)).isBetween(2 * SIXTEEN, 40 * SIXTEEN);
    }

    /** By scratch memory of activations or of written weights, which steps overwrite. */
    @ParameterizedTest
    @CsvSource({"int8, 260", "fp8, 60"})
    void timesAlgorithmsForQuantisedWeightsAndComputesTheSame(String quantize, int rows) throws IOException {
        TinyModel model = model("", TinyModel.Storage.PLAIN);
        MACHINE.knobs().clock(1);
        MACHINE.knobs().product(1, 10);
        MACHINE.knobs().product(2, 20);
        double[] errors = new double[2];
        long[] products = new long[2];
        for (int i = 0; i < 2; i++) {
            long before = MACHINE.knobs().calls("cublasLtMatmul");
            EngineOptions options = new EngineOptions(0, 1 << 22, 4, rows, 16, 2, quantize)
                    .with(new DeviceOptions("", false, "auto", i == 0 ? Duration.ZERO : Duration.ofHours(1)));
            ReferenceDecoder reference = new ReferenceDecoder(model.spec, model.weights, FamilyContract.plain(32), 1);
            errors[i] = ReferenceCheck.errors(
                            this::load,
                            model,
                            reference,
                            options,
                            SEED,
                            rows,
                            rows,
                            ReferenceCheck.GENERATED_TO_SEE_WEIGHTS)
                    .getAverage();
            products[i] = MACHINE.knobs().calls("cublasLtMatmul") - before;
        }
        assertThat(products[1]).isGreaterThan(2 * products[0]);
        assertThat(errors[1]).isCloseTo(errors[0], within(SIXTEEN / 5));
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void readsCheckpointsOfFp8(boolean ofRows) throws IOException {
        MACHINE.knobs().devices(1, 8, 0, 1L << 30);
        TinyModel model = model(
                compressed("float-quantized", 8, "float", ofRows ? "channel" : "tensor"), PackedWeights.fp8(ofRows));
        assertThat(error(model, "none", 40)).isLessThan(SIXTEEN);
    }

    /** As Ministral 3 is released: one scale a matrix, below the decoder of a model with images. */
    @Test
    void readsTheTextOfMinistral3InFp8() throws IOException {
        MACHINE.knobs().devices(1, 8, 0, 1L << 30);
        String plan = "\"model_type\": \"ministral3\", " + Configs.GROWN;
        String text = Configs.config("Ministral3ForCausalLM", 128, 4, 2, 32, 256, plan)
                .replace("\"architectures\": [\"Ministral3ForCausalLM\"], ", "");
        String config = ("{\"architectures\": [\"Mistral3ForConditionalGeneration\"], \"text_config\": %s,"
                        + " \"quantization_config\": {\"quant_method\": \"fp8\", \"activation_scheme\": \"static\","
                        + " \"weight_block_size\": null}}")
                .formatted(text);
        TinyModel model = new TinyModel(folder, config, TensorType.F16, SEED, PackedWeights.fp8Whole());
        assertThat(error(model, "none", 40)).isLessThan(SIXTEEN);
    }

    /** K and V have 64 rows each, gate and up 320, so blocks end within all of them; down has 320 inputs. */
    @ParameterizedTest
    @ValueSource(ints = {12, 40, 270})
    void readsCheckpointsOfFp8InBlocks(int rows) throws IOException {
        TinyModel model = model(BLOCKS, PackedWeights.fp8Blocks(".weight_scale_inv"), 128, 320);
        assertThat(error(model, "none", rows)).isLessThan(SIXTEEN);
    }

    @Test
    void readsCompressedCheckpointsOfFp8InBlocks() throws IOException {
        String blocks = compressed("float-quantized", 8, "float", "block")
                .replace("\"strategy\"", "\"block_structure\": [128, 128], \"strategy\"");
        TinyModel model = model(blocks, PackedWeights.fp8Blocks(".weight_scale"), 128, 320);
        assertThat(error(model, "none", 30)).isLessThan(SIXTEEN);
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void readsCompressedCheckpointsOfInt8(boolean packed) throws IOException {
        String format = packed ? "pack-quantized" : "int-quantized";
        TinyModel model = model(compressed(format, 8, "int", "channel"), PackedWeights.int8(packed));
        assertThat(error(model, "none", 30)).isLessThan(SIXTEEN);
    }

    @Test
    void readsCompressedCheckpointsOfFourBits() throws IOException {
        TinyModel groups =
                model(compressed("pack-quantized", 4, "int", "group"), PackedWeights.packed(128, true, same()));
        assertThat(error(groups, "none", 30)).isLessThan(SIXTEEN);
        TinyModel rows =
                model(compressed("pack-quantized", 4, "int", "channel"), PackedWeights.packed(0, false, same()));
        assertThat(error(rows, "none", 30)).isLessThan(SIXTEEN);
    }

    /**
     * In groups; of whole rows with zeros, which a format of one scale a row has not; of one group a row, which it has;
     * with inputs that are reordered.
     */
    @ParameterizedTest
    @CsvSource({"12, 64, true, false", "30, 0, false, false", "30, 128, true, false", "70, 32, false, true"})
    void readsCompressedCheckpointsOfEightBitsInGroups(int rows, int group, boolean symmetric, boolean reordered)
            throws IOException {
        String quantization = compressed("pack-quantized", 8, "int", group == 0 ? "channel" : "group")
                .replace("\"group_size\": 128", "\"group_size\": " + group);
        TinyModel model = model(
                quantization, PackedWeights.packed(8, group, symmetric, reordered ? PackedWeights::shuffled : same()));
        assertThat(error(model, "none", rows)).isLessThan(SIXTEEN);
    }

    /** As writers have them that do not pack zeros. */
    @ParameterizedTest
    @ValueSource(strings = {"channel", "group"})
    void refusesZerosInBytes(String strategy) throws IOException {
        TinyModel.Storage symmetric =
                strategy.equals("group") ? PackedWeights.packed(8, 64, true, same()) : PackedWeights.int8(true);
        TinyModel model =
                model(compressed("pack-quantized", 8, "int", strategy), (writer, name, type, rows, columns, values) -> {
                    byte[] zeros = new byte[rows * (strategy.equals("group") ? columns / 64 : 1)];
                    zeros[5] = 1;
                    writer.add(name + ".weight_zero_point", "I8", new int[] {rows, zeros.length / rows}, zeros);
                    return symmetric.store(writer, name, type, rows, columns, values);
                });
        refused(model, "none", "weight_zero_point", "zeros in bytes");
    }

    private static String compressed(String format, int bits, String type, String strategy) {
        return ("{\"quant_method\": \"compressed-tensors\", \"format\": \"%s\", \"config_groups\": {\"group_0\":"
                        + " {\"weights\": {\"num_bits\": %d, \"type\": \"%s\", \"strategy\": \"%s\"%s}}}}")
                .formatted(format, bits, type, strategy, strategy.equals("group") ? ", \"group_size\": 128" : "");
    }

    /**
     * Groups of 32 also with widths that end within a stage of products of many rows, and that few rows' do not take.
     */
    @ParameterizedTest
    @CsvSource({"12, 128, 128, 256", "70, 64, 128, 256", "12, 32, 128, 256", "40, 32, 96, 160"})
    void readsCheckpointsOfAwq(int rows, int group, int hidden, int intermediate) throws IOException {
        String quantization = AWQ.replace("128", Integer.toString(group));
        TinyModel model = model(quantization, PackedWeights.awq(group), hidden, intermediate);
        assertThat(error(model, "none", rows)).isLessThan(SIXTEEN);
    }

    @Test
    void readsCheckpointsOfGptqInBothVersions() throws IOException {
        TinyModel first = model(GPTQ.formatted(64, "false"), PackedWeights.gptq(1, 64, same()));
        assertThat(error(first, "none", 30)).isLessThan(SIXTEEN);
        TinyModel second = model(
                GPTQ.formatted(-1, "false, \"checkpoint_format\": \"gptq_v2\""), PackedWeights.gptq(0, 0, same()));
        assertThat(error(second, "none", 30)).isLessThan(SIXTEEN);
    }

    @ParameterizedTest
    @CsvSource({"12, 128", "70, 32"})
    void readsCheckpointsOfGptqWhoseInputsAreReordered(int rows, int group) throws IOException {
        TinyModel model =
                model(GPTQ.formatted(group, "true"), PackedWeights.gptq(1, group, PackedWeights::shuffled), 256, 256);
        assertThat(error(model, "none", rows)).isLessThan(SIXTEEN);
    }

    private static String gptqOfEight(int group, int less, boolean reordered) {
        return GPTQ.formatted(group, reordered + ", \"checkpoint_format\": \"gptq" + (less == 1 ? "\"" : "_v2\""))
                .replace("\"bits\": 4", "\"bits\": 8");
    }

    /**
     * Rows of our kernel for few, of that for more, and of more than it takes; widths of whole steps of all, and those
     * that end within a stage of many rows' and that few rows' do not take.
     */
    @ParameterizedTest
    @CsvSource({
        "12, 128, 1, true, 256, 256",
        "12, 32, 0, true, 128, 256",
        "40, 32, 1, false, 96, 160",
        "70, 64, 1, false, 128, 256",
        "270, -1, 0, false, 128, 256"
    })
    void readsCheckpointsOfGptqOfEightBits(
            int rows, int group, int less, boolean reordered, int hidden, int intermediate) throws IOException {
        UnaryOperator<int[]> index = reordered ? PackedWeights::shuffled : same();
        TinyModel model = model(
                gptqOfEight(group, less, reordered),
                PackedWeights.gptq(8, less, Math.max(0, group), index),
                hidden,
                intermediate);
        assertThat(error(model, "none", rows)).isLessThan(SIXTEEN);
    }

    @Test
    void noticesZerosOfTheOtherVersion() throws IOException {
        TinyModel model = model(gptqOfEight(64, 0, false), PackedWeights.gptq(8, 1, 64, same()));
        assertThat(error(model, "none", 12)).isGreaterThan(2 * SIXTEEN);
    }

    /** The norm before it gives inputs in its order; prompts of 270 in one step are logits of two pieces. */
    @Test
    void readsOutputProjectionsOfFourBits() throws IOException {
        TinyModel gptq = model(
                GPTQ.formatted(32, "true, \"lm_head\": true"),
                PackedWeights.gptq(1, 32, PackedWeights::shuffled).andHead());
        assertThat(error(gptq, "none", 30)).isLessThan(SIXTEEN);
        TinyModel packed = model(
                compressed("pack-quantized", 4, "int", "group"),
                PackedWeights.packed(128, true, same()).andHead());
        assertThat(error(packed, "none", 270)).isLessThan(SIXTEEN);
    }

    @Test
    void readsOutputProjectionsOfEightBitsInGroups() throws IOException {
        TinyModel model = model(
                gptqOfEight(32, 1, true).replace("}", ", \"lm_head\": true}"),
                PackedWeights.gptq(8, 1, 32, PackedWeights::shuffled).andHead());
        assertThat(error(model, "none", 30)).isLessThan(SIXTEEN);
    }

    /** Whatever the device can, logits are of inputs in sixteen bits. */
    @Test
    void readsOutputProjectionsOfEightBits() throws IOException {
        TinyModel.Storage fp8 = PackedWeights.fp8(true);
        TinyModel model = model(
                compressed("float-quantized", 8, "float", "channel"),
                ((TinyModel.Storage) (writer, name, type, rows, columns, values) -> (name.equals("lm_head")
                                        ? fp8
                                        : TinyModel.Storage.PLAIN)
                                .store(writer, name, type, rows, columns, values))
                        .andHead());
        assertThat(error(model, "none", 40)).isLessThan(SIXTEEN);
    }

    @Test
    void readsCompressedCheckpointsWhoseInputsAreReordered() throws IOException {
        TinyModel model = model(
                compressed("pack-quantized", 4, "int", "group"),
                PackedWeights.packed(128, false, PackedWeights::shuffled),
                256,
                256);
        assertThat(error(model, "none", 30)).isLessThan(SIXTEEN);
    }

    @Test
    void refusesGroupsOfDifferentSizes() throws IOException {
        TinyModel model = model(GPTQ.formatted(128, "true"), PackedWeights.gptq(1, index -> {
            index[5] = index[index.length - 1];
            index[6] = index[index.length - 1];
            return index;
        }));
        refused(model, "none", "g_idx", "does not put 128 inputs into each group");
    }

    @Test
    void refusesMatricesMultipliedTogetherThatReorderInputsEachInItsOwnWay() throws IOException {
        TinyModel.Storage shuffled = PackedWeights.gptq(1, PackedWeights::shuffled);
        TinyModel.Storage plain = PackedWeights.gptq(1, same());
        TinyModel model = model(
                GPTQ.formatted(128, "true"),
                (writer, name, type, rows, columns, values) ->
                        (name.endsWith("up_proj") ? plain : shuffled).store(writer, name, type, rows, columns, values),
                256,
                256);
        refused(model, "none", "gate_proj", "up_proj", "in its own way");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"quant_method\": \"awq\", \"bits\": 8}",
                "{\"quant_method\": \"gptq\", \"bits\": 4, \"group_size\": 16}",
                "{\"quant_method\": \"gptq\", \"bits\": 3, \"group_size\": 128}",
                "{\"quant_method\": \"fp8\", \"weight_block_size\": [64, 128]}",
                "{\"quant_method\": \"modelopt\", \"quant_algo\": \"NVFP4\"}",
                "{\"quant_method\": \"compressed-tensors\", \"format\": \"nvfp4-pack-quantized\"}",
                "{\"quant_method\": \"bitsandbytes\"}"
            })
    void namesWhatOfAFormatIsNotSupported(String quantization) throws IOException {
        refused(model(quantization, TinyModel.Storage.PLAIN), "none", "is supported");
    }

    @Test
    void readsMatricesThatAreOneInTheFiles() throws IOException {
        String quantization = "\"quantization_config\": ";
        TinyModel blocks =
                model("Phi3ForCausalLM", quantization + BLOCKS, PackedWeights.fp8Blocks(".weight_scale_inv"), 128, 256);
        assertThat(error(blocks, "none", 20)).isLessThan(SIXTEEN);
        TinyModel awq = model("Phi3ForCausalLM", quantization + AWQ, PackedWeights.awq(), 128, 256);
        assertThat(error(awq, "none", 20)).isLessThan(SIXTEEN);
    }

    @Test
    void refusesToQuantiseAgain() throws IOException {
        refused(model(AWQ, PackedWeights.awq()), "int8", "quantised already");
    }

    @Test
    void refusesMatricesOfDifferentFormatsThatAreMultipliedTogether() throws IOException {
        TinyModel.Storage awq = PackedWeights.awq();
        TinyModel model = model(
                AWQ,
                (writer, name, type, rows, columns, values) -> (name.endsWith("k_proj") ? TinyModel.Storage.PLAIN : awq)
                        .store(writer, name, type, rows, columns, values));
        refused(model, "none", "q_proj", "INT4, SIXTEEN");
    }

    /** A matrix that the checkpoint left in sixteen bits stays so; k has shorter groups than q and v. */
    @Test
    void mixesFormatsFromMatrixToMatrix() throws IOException {
        TinyModel.Storage awq = PackedWeights.awq();
        TinyModel.Storage fine = PackedWeights.awq(64);
        TinyModel model = model(
                AWQ,
                (writer, name, type, rows, columns, values) -> (name.endsWith("down_proj")
                                ? TinyModel.Storage.PLAIN
                                : name.endsWith("k_proj") ? fine : awq)
                        .store(writer, name, type, rows, columns, values));
        assertThat(error(model, "none", 20)).isLessThan(SIXTEEN);
    }

    @Test
    void namesTheFormatsThatThereAre() throws IOException {
        refused(model("", TinyModel.Storage.PLAIN), "q8_0", "none, int8 and fp8");
    }

    private void refused(TinyModel model, String quantize, String... words) {
        assertThatThrownBy(() -> load(model.folder, options(quantize)))
                .isInstanceOf(ModelException.class)
                .hasMessageContainingAll(words);
    }
}
