package dev.jeton.models.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.ModelException;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.FamilyContract;
import dev.jeton.models.reference.PackedWeights;
import dev.jeton.models.reference.ReferenceCheck;
import dev.jeton.models.reference.ReferenceDecoder;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Checkpoints in fewer bits that two GPUs share: which part of each tensor is whose. */
class TensorParallelFormatTest {

    private static final long SEED = 20_260_109;
    private static final double SIXTEEN = 0.005;
    private static final String BLOCKS = "{\"quant_method\": \"fp8\", \"weight_block_size\": [128, 128]}";
    private static final String COMPRESSED =
            "{\"quant_method\": \"compressed-tensors\", \"format\": \"pack-quantized\", \"config_groups\": {\"group_0\":"
                    + " {\"weights\": {\"num_bits\": %d, \"type\": \"int\", \"strategy\": \"%s\", \"group_size\": 128}}}}";
    private static final String GPTQ =
            "{\"quant_method\": \"gptq\", \"bits\": 4, \"group_size\": 128, \"desc_act\": true}";

    @RegisterExtension
    static final StandInMachine MACHINE = new StandInMachine(2);

    @TempDir
    Path folder;

    private TinyModel model(String quantization, TinyModel.Storage storage, int keyHeads) throws IOException {
        return model(quantization, storage, keyHeads, 301);
    }

    private TinyModel model(String quantization, TinyModel.Storage storage, int keyHeads, int vocabulary)
            throws IOException {
        String more = "\"attention_bias\": true, \"quantization_config\": " + quantization;
        String config = Configs.config("LlamaForCausalLM", 128, 16, keyHeads, 16, 256, more)
                .replace("\"vocab_size\": 301", "\"vocab_size\": " + vocabulary);
        return new TinyModel(folder, config, TensorType.F16, SEED, storage);
    }

    private static Engine load(TinyModel model) {
        return CudaEngine.load(model.folder, TensorParallelTest.options(2, "none"), MACHINE.libraries());
    }

    private double error(TinyModel model) {
        ReferenceDecoder reference = new ReferenceDecoder(model.spec, model.weights, FamilyContract.plain(16), 1);
        return ReferenceCheck.errors(
                        (path, options) -> load(model),
                        model,
                        reference,
                        TensorParallelTest.options(2, "none"),
                        SEED,
                        12,
                        12,
                        ReferenceCheck.GENERATED_TO_SEE_WEIGHTS)
                .getAverage();
    }

    @Test
    void blocksOfFp8() throws IOException {
        assertThat(error(model(BLOCKS, PackedWeights.fp8Blocks(".weight_scale_inv"), 16)))
                .isLessThan(SIXTEEN);
    }

    @Test
    void packedEightBits() throws IOException {
        assertThat(error(model(COMPRESSED.formatted(8, "channel"), PackedWeights.int8(true), 8)))
                .isLessThan(SIXTEEN);
    }

    /** Parts of groups of 64, of one group of two, and of whole rows, whose scale and zero all parts have. */
    @ParameterizedTest
    @CsvSource({"4, group, 64, true", "4, channel, 0, false", "8, group, 64, false", "8, group, 128, true"})
    void packedIntegers(int bits, String strategy, int group, boolean symmetric) throws IOException {
        TinyModel model = model(
                COMPRESSED.formatted(bits, strategy).replace("\"group_size\": 128", "\"group_size\": " + group),
                PackedWeights.packed(bits, group, symmetric, index -> index),
                8);
        assertThat(error(model)).isLessThan(SIXTEEN);
    }

    @Test
    void wholeRowsOfGptq() throws IOException {
        TinyModel model = model(GPTQ.replace("128", "-1"), PackedWeights.gptq(1, 0, index -> index), 8);
        assertThat(error(model)).isLessThan(SIXTEEN);
    }

    @Test
    void outputProjectionsOfFourBits() throws IOException {
        TinyModel model = model(GPTQ, PackedWeights.gptq(1, index -> index).andHead(), 8, 304);
        assertThat(error(model)).isLessThan(SIXTEEN);
    }

    /** Of 37 times eight tokens. */
    @Test
    void refusesOutputProjectionsThatDoNotDivide() throws IOException {
        TinyModel model = model(GPTQ, PackedWeights.gptq(1, index -> index).andHead(), 8, 296);
        assertThatThrownBy(() -> load(model))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("lm_head")
                .hasMessageContaining("--tensor-parallel-size may be one of 1");
    }

    /** Key heads of 64 outputs on each GPU. */
    @Test
    void refusesBlocksThatTwoGpusWouldShare() throws IOException {
        TinyModel model = model(BLOCKS, PackedWeights.fp8Blocks(".weight_scale_inv"), 8);
        assertThatThrownBy(() -> load(model))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("k_proj would have 64 rows or columns on each of 2 GPUs");
    }

    /** Of which each GPU would have one group, too. */
    @ParameterizedTest
    @ValueSource(ints = {4, 8})
    void refusesInputsThatAreReorderedAcrossGpus(int bits) throws IOException {
        TinyModel model = model(
                COMPRESSED.formatted(bits, "group"), PackedWeights.packed(bits, 128, true, PackedWeights::shuffled), 8);
        assertThatThrownBy(() -> load(model))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("o_proj.weight_g_idx")
                .hasMessageContaining("2 GPUs");
    }
}
