package dev.jeton.models.torch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.FamilyContract;
import dev.jeton.models.reference.GgufModel;
import dev.jeton.models.reference.ReferenceCheck;
import dev.jeton.models.reference.ReferenceDecoder;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** GGUF files through the torch engine; the files themselves are held against the reference on the cpu engine. */
@ExtendWith(NeedsTorch.class)
class TorchGgufTest {

    private static final long SEED = 20_260_203;
    private static final EngineOptions OPTIONS = new EngineOptions(0, 1 << 22, 4, 64, 16, 1, "none");

    @TempDir
    Path folder;

    /** Blocks are widened to bf16, whose products are rounded to eight bits, too. */
    @ParameterizedTest
    @CsvSource({"F32, 6e-4", "F16, 6e-4", "BF16, 2", "Q8_0, 2", "Q4_K, 2"})
    void matchesTheReferenceOverTheWeightsOfTheFile(TensorType type, double tolerance) throws IOException {
        String config = Configs.config("LlamaForCausalLM", 256, 8, 4, 32, 256, "\"tie_word_embeddings\": false");
        check("llama", config, type, tolerance);
    }

    /** Experts of a layer are one tensor there. */
    @ParameterizedTest
    @CsvSource({"llama, F32", "qwen3moe, F16"})
    void matchesTheReferenceOverTheExpertsOfTheFile(String architecture, TensorType type) throws IOException {
        String config =
                architecture.equals("llama") ? Configs.mixtral("") : Configs.qwen3Moe("\"norm_topk_prob\": true");
        check(architecture, config, type, 6e-4);
    }

    private void check(String architecture, String config, TensorType type, double tolerance) throws IOException {
        TinyModel tiny = new TinyModel(folder.resolve("hf"), config, TensorType.F32, SEED);
        DecoderSpec spec = tiny.spec;
        GgufModel model = new GgufModel(architecture, spec, tiny.weights, name -> type);
        Path file = model.write(folder.resolve("m.gguf"));
        assertThat(new TorchEngineProvider().refusal(file)).isEmpty();
        ReferenceDecoder reference = new ReferenceDecoder(spec, model.weights, FamilyContract.plain(spec.headDim()), 1);
        ReferenceCheck.check(
                (path, options) -> TorchEngine.load(file, options, TorchDevice.PROCESSORS),
                tiny,
                reference,
                tolerance,
                OPTIONS,
                SEED);
    }
}
