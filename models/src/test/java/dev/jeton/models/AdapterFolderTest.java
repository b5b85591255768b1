package dev.jeton.models;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.AdapterFolder.Target;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.TinyAdapter;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.regex.Pattern;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.Timeout.ThreadMode;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class AdapterFolderTest {

    @TempDir
    Path folder;

    private TinyModel model;
    private Path adapter;

    @BeforeEach
    void write() throws IOException {
        model = new TinyModel(folder.resolve("m"), Configs.llama(""), TensorType.F32, 1);
        adapter = new TinyAdapter(folder.resolve("a"), model, Pattern.compile("(q|down)_proj"), 4, 6, false, 2).folder;
    }

    private void config(String json) throws IOException {
        Files.writeString(adapter.resolve("adapter_config.json"), json);
    }

    private void weights(SafetensorsWriter writer) throws IOException {
        writer.write(adapter.resolve("adapter_model.safetensors"));
    }

    private static SafetensorsWriter pair(SafetensorsWriter writer, String module, int out, int in, int rank) {
        String name = "base_model.model.model.layers." + module;
        return writer.add(name + ".lora_A.weight", TensorType.F32, new int[] {rank, in}, new float[rank * in])
                .add(name + ".lora_B.weight", TensorType.F32, new int[] {out, rank}, new float[out * rank]);
    }

    @Test
    void shouldFindWhatAnAdapterChangesAndWhatItLeavesAlone() {
        try (AdapterFolder opened = AdapterFolder.open(adapter, model.spec)) {
            assertThat(opened.part(1, Target.QUERY)).hasValueSatisfying(part -> {
                assertThat(part.rank()).isEqualTo(4);
                assertThat(part.scale()).isEqualTo(1.5f);
            });
            assertThat(opened.part(2, Target.DOWN)).isPresent();
            assertThat(opened.part(0, Target.VALUE)).isEmpty();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"language_model.model.", "model.language_model."})
    void shouldFindTheDecoderOfAModelOfImages(String prefix) throws IOException {
        String name = "base_model.model." + prefix + "layers.1.self_attn.q_proj";
        weights(new SafetensorsWriter()
                .add(name + ".lora_A.default.weight", TensorType.F32, new int[] {2, 96}, new float[192])
                .add(name + ".lora_B.default.weight", TensorType.F32, new int[] {96, 2}, new float[192]));
        try (AdapterFolder opened = AdapterFolder.open(adapter, model.spec)) {
            assertThat(opened.part(1, Target.QUERY)).isPresent();
            assertThat(opened.part(0, Target.QUERY)).isEmpty();
        }
    }

    @Test
    void shouldScaleModulesThatHaveAnAlphaOfTheirOwn() throws IOException {
        config("""
                {"peft_type": "LORA", "lora_alpha": 6, "use_rslora": true,
                 "alpha_pattern": {"layers.1.self_attn.q_proj": 10, "down_proj": 20}}
                """);
        try (AdapterFolder opened = AdapterFolder.open(adapter, model.spec)) {
            assertThat(opened.part(0, Target.QUERY).orElseThrow().scale()).isEqualTo(3);
            assertThat(opened.part(1, Target.QUERY).orElseThrow().scale()).isEqualTo(5);
            assertThat(opened.part(1, Target.DOWN).orElseThrow().scale()).isEqualTo(10);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "(.+)+\\\\1x",
                ".*(|)(|)(|)(|)(|)(|)(|)(|)(|)(|)(|)(|)(|)(|)(|)(|)(|)(|)(|)(|)(|)(|)(|)(|)(|)(|)(|)(|)(|)(|)(|)(|)x",
                "((((x{5000}){5000}){5000}){5000})"
            })
    @Timeout(value = 20, threadMode = ThreadMode.SEPARATE_THREAD)
    void shouldNotBeHeldUpByPatternsThatTakeYearsToMatch(String pattern) throws IOException {
        config("{\"peft_type\": \"LORA\", \"lora_alpha\": 6, \"alpha_pattern\": {\"%s\": 10}}".formatted(pattern));
        try (AdapterFolder opened = AdapterFolder.open(adapter, model.spec)) {
            assertThat(opened.part(0, Target.QUERY).orElseThrow().scale()).isEqualTo(1.5f);
        } catch (ModelException e) {
            assertThat(e).hasMessageContaining("alpha_pattern");
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{\"peft_type\": \"IA3\", \"lora_alpha\": 1} | peft_type is IA3",
                "{\"lora_alpha\": 1} | peft_type is missing",
                "{\"peft_type\": \"LORA\"} | lora_alpha is missing",
                "{\"peft_type\": \"LORA\", \"lora_alpha\": 1, \"use_dora\": true} | use_dora",
                "{\"peft_type\": \"LORA\", \"lora_alpha\": 1, \"fan_in_fan_out\": true} | fan_in_fan_out",
                "{\"peft_type\": \"LORA\", \"lora_alpha\": 1, \"bias\": \"all\"} | bias is all",
                "{\"peft_type\": \"LORA\", \"lora_alpha\": 1, \"modules_to_save\": [\"lm_head\"]} | modules_to_save",
                "{\"peft_type\": \"LORA\", \"lora_alpha\": 1, \"alora_invocation_tokens\": [1]} | alora_invocation",
                "{\"peft_type\": \"LORA\", \"lora_alpha\": 1, \"layer_replication\": [[0, 4]]} | layer_replication",
                "{\"peft_type\": \"LORA\", \"lora_alpha\": 1, \"alpha_pattern\": {\"(\": 1}} | no regular expression",
                "[] | is not a JSON object"
            })
    void shouldRefuseWhatItDoesNotKnow(String config, String why) throws IOException {
        config(config);
        assertThatThrownBy(() -> AdapterFolder.open(adapter, model.spec))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("adapter_config.json")
                .hasMessageContaining(why);
    }

    @Test
    void shouldRefuseAHeaderThatIsForFarMoreThanAnAdapter() throws IOException {
        byte[] json = "{\"__metadata__\": {\"note\": \"%s\"}}"
                .formatted("x".repeat(1 << 19))
                .getBytes(UTF_8);
        ByteBuffer file = ByteBuffer.allocate(8 + (8 << 20)).order(ByteOrder.LITTLE_ENDIAN);
        Arrays.fill(file.array(), (byte) ' ');
        Files.write(
                adapter.resolve("adapter_model.safetensors"),
                file.putLong(8 << 20).put(json).array());
        assertThatThrownBy(() -> AdapterFolder.open(adapter, model.spec))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("its header is 8388608 bytes")
                .hasMessageContaining("at most 4194304");
    }

    @ParameterizedTest
    @CsvSource({
        "3.self_attn.q_proj, 96, 96",
        "0.self_attn.rotary, 96, 96",
        "0.self_attn.q_proj.more, 96, 96",
        "0.mlp.experts, 96, 96"
    })
    void shouldRefuseTensorsOfOtherLayers(String module, int out, int in) throws IOException {
        weights(pair(new SafetensorsWriter(), module, out, in, 2));
        assertThatThrownBy(() -> AdapterFolder.open(adapter, model.spec))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining(module)
                .hasMessageContaining("for no layer");
    }

    @Test
    void shouldRefuseAFeedForwardPartWhereExpertsAre() throws IOException {
        TinyModel mixtral = new TinyModel(folder.resolve("x"), Configs.mixtral(""), TensorType.F32, 1);
        weights(pair(new SafetensorsWriter(), "0.mlp.down_proj", 64, 96, 2));
        assertThatThrownBy(() -> AdapterFolder.open(adapter, mixtral.spec))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("for no layer");
    }

    @Test
    void shouldRefuseShapesThatAreNotTheModels() throws IOException {
        weights(pair(new SafetensorsWriter(), "0.self_attn.q_proj", 96, 95, 2));
        assertThatThrownBy(() -> AdapterFolder.open(adapter, model.spec))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("has shape [2, 95]");
        weights(pair(new SafetensorsWriter(), "0.self_attn.q_proj", 96, 96, 513));
        assertThatThrownBy(() -> AdapterFolder.open(adapter, model.spec))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("a rank is 1 to 512");
    }

    @ParameterizedTest
    @CsvSource({"A, lora_A and no lora_B", "B, lora_B and no lora_A"})
    void shouldRefuseHalfAPart(String side, String why) throws IOException {
        String name = "base_model.model.model.layers.0.self_attn.q_proj.lora_%s.weight".formatted(side);
        weights(new SafetensorsWriter().add(name, TensorType.F32, new int[] {96, 96}, new float[96 * 96]));
        assertThatThrownBy(() -> AdapterFolder.open(adapter, model.spec))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining(why);
    }

    @Test
    void shouldRefuseALayerThatIsChangedTwice() throws IOException {
        int all = model.spec.queryWidth() + 2 * model.spec.keyValueWidth();
        SafetensorsWriter both = pair(new SafetensorsWriter(), "1.self_attn.q_proj", 96, 96, 2);
        weights(pair(both, "1.self_attn.qkv_proj", all, 96, 2));
        assertThatThrownBy(() -> AdapterFolder.open(adapter, model.spec))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("model.layers.1.self_attn.q_proj is changed twice");
    }

    @Test
    void shouldSayWhatAFolderNeeds() throws IOException {
        Files.delete(adapter.resolve("adapter_model.safetensors"));
        assertThatThrownBy(() -> AdapterFolder.open(adapter, model.spec))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("is no adapter")
                .hasMessageContaining("save_pretrained");
    }
}
