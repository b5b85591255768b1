package dev.jeton.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DecoderSpecTest {

    private static final String SHAPE = "\"vocab_size\": 100, \"hidden_size\": 64, \"num_hidden_layers\": 4,"
            + " \"num_attention_heads\": 4, \"intermediate_size\": 128";

    @TempDir
    Path folder;

    private DecoderSpec read(String architecture, String more) throws IOException {
        Files.writeString(
                folder.resolve("config.json"),
                "{\"architectures\": [\"%s\"], %s%s}".formatted(architecture, SHAPE, more));
        return DecoderSpec.read(folder);
    }

    @Test
    void shouldFillInWhatAConfigurationLeavesOut() throws IOException {
        DecoderSpec spec = read("LlamaForCausalLM", "");
        assertThat(spec.headDim()).isEqualTo(16);
        assertThat(spec.keyValueHeads()).isEqualTo(4);
        assertThat(spec.rotaryTheta()).isEqualTo(10_000);
        assertThat(spec.rotaryScaling()).isEqualTo(new RotaryScaling.None());
        assertThat(spec.windows()).containsOnly(0);
        assertThat(spec.tiedEmbedding()).isFalse();
        assertThat(spec.queryKeyValueBias()).isFalse();
    }

    @Test
    void shouldKnowWhatEachFamilyAdds() throws IOException {
        assertThat(read("MistralForCausalLM", ", \"sliding_window\": 4096").windows())
                .containsOnly(4096);
        assertThat(read("MistralForCausalLM", ", \"sliding_window\": null").windows())
                .containsOnly(0);
        DecoderSpec qwen2 = read(
                "Qwen2ForCausalLM", ", \"sliding_window\": 8, \"use_sliding_window\": true, \"max_window_layers\": 3");
        assertThat(qwen2.queryKeyValueBias()).isTrue();
        assertThat(qwen2.outputBias()).isFalse();
        assertThat(qwen2.windows()).containsExactly(0, 0, 0, 8);
        assertThat(read("Qwen2ForCausalLM", ", \"sliding_window\": 8, \"use_sliding_window\": false")
                        .windows())
                .containsOnly(0);
        assertThat(read("Qwen3ForCausalLM", ", \"head_dim\": 32").headNorms()).isTrue();
        assertThat(read("Qwen3ForCausalLM", ", \"head_dim\": 32").queryWidth()).isEqualTo(128);
    }

    @Test
    void shouldReadBothSpellingsOfRotaryScaling() throws IOException {
        assertThat(read("LlamaForCausalLM", ", \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}")
                        .rotaryScaling())
                .isEqualTo(new RotaryScaling.Linear(2));
        DecoderSpec spec = read(
                "LlamaForCausalLM", ", \"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 500000.0}");
        assertThat(spec.rotaryTheta()).isEqualTo(500_000);
        assertThat(read("LlamaForCausalLM", ", \"rope_scaling\": null").rotaryScaling())
                .isEqualTo(new RotaryScaling.None());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "GPT2LMHeadModel | '' | GPT2LMHeadModel",
                "LlamaForCausalLM | ', \"hidden_act\": \"gelu\"' | gelu",
                "LlamaForCausalLM | ', \"rope_scaling\": {\"type\": \"longrope\"}' | longrope",
                "LlamaForCausalLM | ', \"rope_scaling\": {\"type\": \"linear\"}' | factor",
                "LlamaForCausalLM | ', \"mlp_bias\": true' | mlp_bias",
                "LlamaForCausalLM | ', \"num_key_value_heads\": 3' | num_key_value_heads",
                "LlamaForCausalLM | ', \"head_dim\": 15' | head_dim",
                "LlamaForCausalLM | ', \"head_dim\": \"x\"' | head_dim",
                "LlamaForCausalLM | ', \"rms_norm_eps\": -1' | rms_norm_eps",
                "LlamaForCausalLM | ', \"quantization_config\": {}' | quantised",
                "Qwen3ForCausalLM | ', \"sliding_window\": 4, \"use_sliding_window\": true, \"layer_types\": [\"x\"]' | layer_types",
            })
    void shouldRefuseByNameWhatItCannotRun(String architecture, String more, String named) {
        assertThatThrownBy(() -> read(architecture, more))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining(named);
    }

    @Test
    void shouldReadSeveralEndTokensAndSamplingDefaults() throws IOException {
        read("LlamaForCausalLM", ", \"eos_token_id\": 2, \"bos_token_id\": 1");
        assertThat(GenerationDefaults.read(folder).endTokens()).containsExactly(2);
        Files.writeString(
                folder.resolve("generation_config.json"),
                "{\"eos_token_id\": [5, 6], \"temperature\": 0.6, \"top_p\": 0.9, \"top_k\": 20}");
        GenerationDefaults defaults = GenerationDefaults.read(folder);
        assertThat(defaults.endTokens()).containsExactly(5, 6);
        assertThat(defaults.beginToken()).hasValue(1);
        assertThat(defaults.temperature()).hasValue(0.6);
        assertThat(defaults.topK()).hasValue(20);
        assertThat(defaults.minP()).isEmpty();
    }

    @Test
    void shouldFindModelsInTheHuggingFaceCache() throws IOException {
        Path repository = folder.resolve("hub").resolve("models--some-org--a.model");
        Path snapshot = repository.resolve("snapshots").resolve("0123abc");
        Files.createDirectories(snapshot);
        Files.createDirectories(repository.resolve("refs"));
        Files.writeString(repository.resolve("refs").resolve("main"), "0123abc\n");
        Files.writeString(snapshot.resolve("config.json"), "{}");
        ModelFolders folders = ModelFolders.of(Map.of("HF_HOME", folder.toString()), Path.of("/nowhere"));
        assertThat(folders.resolve("some-org/a.model")).isEqualTo(snapshot);
        assertThat(folders.resolve(snapshot.toString())).isEqualTo(snapshot);
        assertThatThrownBy(() -> folders.resolve("some-org/b"))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("neither a folder nor in the cache");
        assertThatThrownBy(() -> folders.resolve("../../etc")).isInstanceOf(ModelException.class);
        Files.writeString(repository.resolve("refs").resolve("main"), "../../..");
        assertThatThrownBy(() -> folders.resolve("some-org/a.model")).isInstanceOf(ModelException.class);
    }
}
