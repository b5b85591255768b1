package dev.jeton.models.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.Experts;
import dev.jeton.models.GgufWriter;
import dev.jeton.models.ModelException;
import dev.jeton.models.TensorType;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.GgufModel;
import dev.jeton.models.reference.ReferenceCheck;
import dev.jeton.models.reference.ReferenceDecoder;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** GGUF files of families whose experts, or attention, are in the manner of DeepSeek. */
class GgufDeepSeekTest {

    private static final long SEED = 20_261_203;
    private static final double TOLERANCE = 3e-4;
    private static final EngineOptions OPTIONS = KvTypes.precise(new EngineOptions(0, 1 << 22, 4, 64, 16, 2, "none"));

    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource({
        "qwen2moe, F32",
        "qwen2moe, Q8_0",
        "glm4moe, BF16",
        "glm4moe, Q8_0",
        "deepseek2, F32",
        "deepseek2, Q8_0",
        "deepseek3, BF16",
        "deepseek3, Q8_0",
        "ernie4_5-moe, F32",
        "ernie4_5-moe, Q8_0"
    })
    void matchesTheReferenceOverTheWeightsOfTheFile(String family, String types) throws IOException {
        check(family, types, false);
    }

    @ParameterizedTest
    @ValueSource(strings = {"F32", "BF16", "Q8_0"})
    void matchesTheReferenceWhereKeysAndValuesOfHeadsAreApart(String types) throws IOException {
        check("deepseek2", types, true);
    }

    /** In rows of whole blocks. */
    private TinyModel tiny(String family) throws IOException {
        String config = switch (family) {
            case "qwen2moe" -> Configs.qwen2Moe("");
            case "glm4moe" -> Configs.glm4Moe("\"use_qk_norm\": true");
            case "deepseek2" -> Configs.deepSeekV2("");
            case "ernie4_5-moe" -> Configs.ernie45Moe("");
            default -> Configs.deepSeekV3("");
        };
        String whole = config.replace("\"moe_intermediate_size\": 40", "\"moe_intermediate_size\": 64")
                .replace("\"shared_expert_intermediate_size\": 168", "\"shared_expert_intermediate_size\": 160")
                .replace("\"kv_lora_rank\": 48", "\"kv_lora_rank\": 64")
                .replace("\"q_lora_rank\": 40", "\"q_lora_rank\": 32")
                .replace("\"qk_nope_head_dim\": 24", "\"qk_nope_head_dim\": 32");
        return new TinyModel(folder.resolve("tiny"), whole, TensorType.F32, SEED);
    }

    private void check(String family, String types, boolean headsApart) throws IOException {
        TinyModel tiny = tiny(family);
        String architecture = family.startsWith("deepseek") ? "deepseek2" : family;
        // of ERNIE's converters write nothing
        int scores = family.startsWith("ernie")
                ? 0
                : tiny.spec.experts().routing().scoring() == Experts.Scoring.SIGMOID ? 2 : 1;
        GgufModel model =
                new GgufModel(architecture, tiny.spec, tiny.weights, GgufReferenceTest.type(types), headsApart, scores);
        if (family.equals("deepseek3")) {
            model.writer
                    .put("deepseek2.rope.scaling.type", "yarn")
                    .put("deepseek2.rope.scaling.factor", 4f)
                    .put("deepseek2.rope.scaling.original_context_length", 256)
                    .put("deepseek2.rope.scaling.yarn_log_multiplier", 0.1f);
        }
        if (family.startsWith("ernie")) {
            model.writer
                    .put("ernie4_5-moe.interleave_moe_layer_step", 1)
                    .put("ernie4_5-moe.expert_shared_feed_forward_length", 128);
        }
        Path file = model.write(folder.resolve("m.gguf"));
        ReferenceDecoder reference = new ReferenceDecoder(
                tiny.spec,
                model.weights,
                tiny.spec.rotary().frequencies(),
                tiny.spec.rotary().attentionFactor());
        ReferenceCheck.check((path, o) -> CpuEngine.load(file, o, false), tiny, reference, TOLERANCE, OPTIONS, SEED);
    }

    /** As the first files of GLM-4.7-Flash, whose configuration does not say it either. */
    @ParameterizedTest
    @ValueSource(strings = {"glm4moe", "deepseek3"})
    void takesScoresForSigmoidsWhereTheFileOnlyHasTheirCorrections(String family) throws IOException {
        Experts.Routing read = DecoderSpec.read(scored(family, 0)).experts().routing();
        assertThat(read).isEqualTo(tiny(family).spec.experts().routing());
    }

    @ParameterizedTest
    @CsvSource({
        "deepseek3, 1, exp_probs_b",
        "deepseek3, 3, expert_gating_func",
        "deepseek3, 4, expert_gating_func",
        "ernie4_5-moe, 2, expert_gating_func"
    })
    void refusesScoresThatItDoesNotCompute(String family, int scores, String message) throws IOException {
        Path file = scored(family, scores);
        assertThatThrownBy(() -> DecoderSpec.read(file))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining(message);
    }

    @Test
    void dividesTheFeedForwardWidthAmongExpertsWhereAnOldFileSaysNoneOfTheirs() throws IOException {
        Path file = described("qwen2moe").write(folder.resolve("m.gguf"));
        Experts experts = DecoderSpec.read(file).experts();
        assertThat(experts.intermediate()).isEqualTo(32);
        assertThat(experts.shared().width()).isEqualTo(96);
    }

    /** Converters write that they do, and newer ones nothing else. */
    @Test
    void sharesOfExpertsSumToOneOnlyWhereTheFileSaysSo() throws IOException {
        GgufWriter writer = described("glm4moe")
                .put("glm4moe.expert_gating_func", 2)
                .put("glm4moe.expert_feed_forward_length", 32)
                .put("glm4moe.rope.dimension_count", 8);
        Path file = writer.write(folder.resolve("m.gguf"));
        assertThat(DecoderSpec.read(file).experts().routing().normalised()).isFalse();
    }

    /** What every converter has written from the first. */
    private static GgufWriter described(String architecture) {
        return new GgufWriter()
                .put("general.architecture", architecture)
                .put(architecture + ".block_count", 2)
                .put(architecture + ".context_length", 64)
                .put(architecture + ".embedding_length", 64)
                .put(architecture + ".feed_forward_length", 96)
                .put(architecture + ".attention.head_count", 4)
                .put(architecture + ".expert_count", 6)
                .put(architecture + ".expert_used_count", 3)
                .tensor("token_embd.weight", TensorType.F32, new int[] {1, 64}, new byte[4 * 64]);
    }

    /** With another number of llama.cpp's for how experts are scored; 0 says nothing. */
    private Path scored(String family, int scores) throws IOException {
        TinyModel tiny = tiny(family);
        String architecture = family.equals("deepseek3") ? "deepseek2" : family;
        return new GgufModel(architecture, tiny.spec, tiny.weights, name -> TensorType.F32, false, scores)
                .write(folder.resolve("m.gguf"));
    }

    /** A layer behind the last predicts the token after the next, which nobody asks for. */
    @Test
    void leavesOutLayersThatPredictTheTokenAfterTheNext() throws IOException {
        TinyModel tiny = tiny("glm4moe");
        GgufModel model = new GgufModel("glm4moe", tiny.spec, tiny.weights, name -> TensorType.F32);
        model.writer
                .put("glm4moe.nextn_predict_layers", 1)
                .tensor("blk.2.nextn.eh_proj.weight", TensorType.F32, new int[] {1}, new byte[4]);
        Path file = model.write(folder.resolve("m.gguf"));
        assertThat(DecoderSpec.read(file).layers()).isEqualTo(tiny.spec.layers() - 1);
        CpuEngine.load(file, OPTIONS).close();
    }
}
