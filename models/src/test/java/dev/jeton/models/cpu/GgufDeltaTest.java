package dev.jeton.models.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.Delta;
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
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** GGUF files of families with layers of linear attention. */
class GgufDeltaTest {

    private static final long SEED = 20_261_204;
    private static final double TOLERANCE = 3e-4;
    private static final EngineOptions OPTIONS = KvTypes.precise(new EngineOptions(0, 1 << 22, 4, 64, 16, 2, "none"));

    @TempDir
    Path folder;

    /** In rows of whole blocks. */
    private TinyModel tiny(String config) throws IOException {
        String wide = config.replace("\"linear_value_head_dim\": 20", "\"linear_value_head_dim\": 24")
                .replace("\"moe_intermediate_size\": 40", "\"moe_intermediate_size\": 32")
                .replace("intermediate_size\": 56", "intermediate_size\": 64");
        return new TinyModel(folder.resolve("folder"), wide, TensorType.F32, SEED);
    }

    /** Weights are random: value heads of the file go with key heads by turns, whatever they were drawn for. */
    @ParameterizedTest
    @ValueSource(strings = {"F32", "BF16", "Q8_0"})
    void matchesTheReferenceForQwen35(String types) throws IOException {
        TinyModel tiny = tiny(Configs.qwen35(""));
        GgufModel model = new GgufModel("qwen35", tiny.spec, tiny.weights, name -> TensorType.valueOf(types));
        model.writer.put("qwen35.full_attention_interval", 2);
        DecoderSpec spec = check(model);
        assertThat(spec.delta().layers()).containsExactly(true, false, true);
        assertThat(spec.delta().byTurns()).isTrue();
    }

    @Test
    void readsWhichLayersAreOfLinearAttentionOneByOne() throws IOException {
        TinyModel tiny = tiny(Configs.qwen35(""));
        GgufModel model = new GgufModel("qwen35", tiny.spec, tiny.weights, name -> TensorType.F32);
        model.writer.put("qwen35.attention.recurrent_layers", true, false, true);
        assertThat(check(model).delta().layers()).containsExactly(true, false, true);
    }

    @ParameterizedTest
    @ValueSource(strings = {"F32", "Q8_0"})
    void matchesTheReferenceForQwen3Next(String types) throws IOException {
        TinyModel tiny = tiny(Configs.qwen3Next("").replace(", \"mlp_only_layers\": [1]", ""));
        Map<String, double[]> apart = new LinkedHashMap<>();
        tiny.weights.forEach((name, values) -> {
            if (name.endsWith("in_proj_qkvz.weight")) {
                apart(tiny.spec, name.replace("in_proj_qkvz.weight", ""), values, apart);
            } else {
                apart.put(name, values);
            }
        });
        GgufModel model = new GgufModel("qwen3next", tiny.spec, apart, name -> TensorType.valueOf(types));
        model.writer.put("qwen3next.full_attention_interval", 2);
        DecoderSpec spec = check(model);
        assertThat(spec.delta().byTurns()).isFalse();
        assertThat(spec.experts().shared().gated()).isTrue();
    }

    @Test
    void refusesHeadsThatValuesDoNotDivideInto() throws IOException {
        TinyModel tiny = tiny(Configs.llama(""));
        GgufModel model = new GgufModel("qwen35", tiny.spec, tiny.weights, name -> TensorType.F32);
        model.writer.put("qwen35.ssm.time_step_rank", 4).put("qwen35.ssm.inner_size", 97);
        Path file = model.write(folder.resolve("m.gguf"));
        assertThatThrownBy(() -> DecoderSpec.read(file))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("\"qwen35.ssm.inner_size\" 97");
    }

    /** As files were made at first: as in folders. */
    @Test
    void readsProjectionsKeyHeadByKeyHead() throws IOException {
        TinyModel tiny = tiny(Configs.qwen3Next("").replace(", \"mlp_only_layers\": [1]", ""));
        GgufModel model = new GgufModel("qwen3next", tiny.spec, tiny.weights, name -> TensorType.F32);
        model.writer.put("qwen3next.full_attention_interval", 2);
        assertThat(check(model).delta().exists()).isTrue();
    }

    /** Layers are all of experts, so none has a width of its own; the last predicts the token after the next. */
    @ParameterizedTest
    @ValueSource(strings = {"F32", "Q8_0"})
    void matchesTheReferenceForQwen35WithExpertsAndALayerThatIsLeftOut(String types) throws IOException {
        TinyModel tiny =
                tiny(Configs.qwen35Moe("").replace("\"full_attention_interval\": 3", "\"full_attention_interval\": 2"));
        Map<String, double[]> apart = new LinkedHashMap<>();
        tiny.weights.forEach((name, values) -> {
            if (name.endsWith("experts.gate_up_proj") || name.endsWith("experts.down_proj")) {
                ofExperts(tiny.spec, name, values, apart);
            } else {
                apart.put(name, values);
            }
        });
        GgufModel model = new GgufModel("qwen35moe", tiny.spec, apart, name -> TensorType.valueOf(types));
        model.writer
                .put("qwen35moe.attention.recurrent_layers", true, false, true)
                .put("qwen35moe.nextn_predict_layers", 1)
                .tensor("blk.2.nextn.eh_proj.weight", TensorType.F32, new int[] {1}, new byte[4]);
        DecoderSpec spec = check(model);
        assertThat(spec.layers()).isEqualTo(2);
        assertThat(spec.experts().layers()).containsExactly(true, true);
    }

    /** Matrices of each expert, of what folders have in tensors of all. */
    private static void ofExperts(DecoderSpec spec, String name, double[] values, Map<String, double[]> to) {
        int count = spec.experts().count();
        int size = values.length / count;
        String prefix = name.substring(0, name.lastIndexOf('.') + 1);
        for (int i = 0; i < count; i++) {
            double[] own = Arrays.copyOfRange(values, i * size, (i + 1) * size);
            if (name.endsWith("down_proj")) {
                to.put(prefix + i + ".down_proj.weight", own);
            } else {
                to.put(prefix + i + ".gate_proj.weight", Arrays.copyOf(own, size / 2));
                to.put(prefix + i + ".up_proj.weight", Arrays.copyOfRange(own, size / 2, size));
            }
        }
    }

    /** As converters do: q, k and v of all heads, one after the other, and what gates them. */
    private static void apart(DecoderSpec spec, String name, double[] values, Map<String, double[]> to) {
        Delta delta = spec.delta();
        int row = spec.hidden();
        int ofValues = delta.perKeyHead() * delta.valueWidth();
        double[] qkv = new double[delta.channels() * row];
        double[] z = new double[delta.valuesWidth() * row];
        for (int g = 0; g < delta.keyHeads(); g++) {
            int from = g * (2 * delta.keyWidth() + 2 * ofValues) * row;
            int keys = delta.keyWidth() * row;
            System.arraycopy(values, from, qkv, g * keys, keys);
            System.arraycopy(values, from + keys, qkv, delta.keysWidth() * row + g * keys, keys);
            int at = (2 * delta.keysWidth() + g * ofValues) * row;
            System.arraycopy(values, from + 2 * keys, qkv, at, ofValues * row);
            System.arraycopy(values, from + 2 * keys + ofValues * row, z, g * ofValues * row, ofValues * row);
        }
        to.put(name + "in_proj_qkv.weight", qkv);
        to.put(name + "in_proj_z.weight", z);
    }

    private DecoderSpec check(GgufModel model) throws IOException {
        Path file = model.write(folder.resolve("m.gguf"));
        DecoderSpec spec = DecoderSpec.read(file);
        ReferenceDecoder reference = new ReferenceDecoder(
                spec, model.weights, FamilyContract.plain(spec.rotary().width()), 1);
        TinyModel tiny = new TinyModel(folder.resolve("any"), Configs.llama(""), TensorType.F32, SEED);
        ReferenceCheck.check((path, o) -> CpuEngine.load(file, o, false), tiny, reference, TOLERANCE, OPTIONS, SEED);
        return spec;
    }
}
