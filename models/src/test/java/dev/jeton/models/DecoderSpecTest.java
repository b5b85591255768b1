package dev.jeton.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.DecoderSpec.Norms.Heads;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
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
        assertThat(spec.rotary().theta()).isEqualTo(10_000);
        assertThat(spec.rotary().scaling()).isEqualTo(new RotaryScaling.None());
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
        assertThat(read("MistralForCausalLM", ", \"sliding_window\": 0").windows())
                .as("as transformers 5 writes what is off")
                .containsOnly(0);
        DecoderSpec qwen2 = read(
                "Qwen2ForCausalLM", ", \"sliding_window\": 8, \"use_sliding_window\": true, \"max_window_layers\": 3");
        assertThat(qwen2.queryKeyValueBias()).isTrue();
        assertThat(qwen2.outputBias()).isFalse();
        assertThat(qwen2.windows()).containsExactly(0, 0, 0, 8);
        assertThat(read("Qwen2ForCausalLM", ", \"sliding_window\": 8, \"use_sliding_window\": false")
                        .windows())
                .containsOnly(0);
        assertThat(read("Qwen3ForCausalLM", ", \"head_dim\": 32").norms().heads())
                .isEqualTo(Heads.EACH);
        assertThat(read("Qwen3ForCausalLM", ", \"head_dim\": 32").queryWidth()).isEqualTo(128);
    }

    @Test
    void shouldKnowWhichLayersAreOfExperts() throws IOException {
        Experts mixtral = read("MixtralForCausalLM", "").experts();
        assertThat(mixtral)
                .isEqualTo(new Experts(
                        8,
                        2,
                        128,
                        Experts.Routing.softmax(true),
                        false,
                        Experts.Shared.NONE,
                        List.of(true, true, true, true)));
        String experts = ", \"num_experts\": 16, \"num_experts_per_tok\": 4, \"moe_intermediate_size\": 24";
        DecoderSpec qwen =
                read("Qwen3MoeForCausalLM", experts + ", \"decoder_sparse_step\": 2, \"mlp_only_layers\": [3]");
        assertThat(qwen.experts())
                .isEqualTo(new Experts(
                        16,
                        4,
                        24,
                        Experts.Routing.softmax(false),
                        false,
                        Experts.Shared.NONE,
                        List.of(false, true, false, false)));
        assertThat(read(
                                "Qwen3MoeForCausalLM",
                                experts.replace("num_experts\"", "num_local_experts\"")
                                        + ", \"decoder_sparse_step\": 2, \"mlp_only_layers\": [3]")
                        .experts())
                .as("as transformers 5 writes it")
                .isEqualTo(qwen.experts());
        assertThat(qwen.norms().heads()).isEqualTo(Heads.EACH);
        assertThat(read("LlamaForCausalLM", "").experts()).isEqualTo(Experts.NONE);
    }

    @Test
    void shouldKnowHowExpertsAreChosenAndWhatIsShared() throws IOException {
        String qwen = ", \"num_experts\": 16, \"num_experts_per_tok\": 4, \"moe_intermediate_size\": 24,"
                + " \"shared_expert_intermediate_size\": 96";
        DecoderSpec qwen2 = read("Qwen2MoeForCausalLM", qwen);
        assertThat(qwen2.experts().routing()).isEqualTo(Experts.Routing.softmax(false));
        assertThat(qwen2.experts().shared()).isEqualTo(new Experts.Shared(96, true));
        assertThat(qwen2.queryKeyValueBias()).isTrue();
        String glm = ", \"n_routed_experts\": 16, \"num_experts_per_tok\": 4, \"moe_intermediate_size\": 24,"
                + " \"n_shared_experts\": 2, \"routed_scaling_factor\": 2.5, \"attention_bias\": true,"
                + " \"first_k_dense_replace\": 3, \"head_dim\": 32";
        DecoderSpec glm4 = read("Glm4MoeForCausalLM", glm);
        assertThat(glm4.experts().routing())
                .isEqualTo(new Experts.Routing(Experts.Scoring.SIGMOID, true, true, 1, 1, 2, 2.5));
        assertThat(glm4.experts().shared()).isEqualTo(new Experts.Shared(48, false));
        assertThat(glm4.experts().layers()).containsExactly(false, false, false, true);
        assertThat(glm4.queryKeyValueBias()).isTrue();
        assertThat(glm4.outputBias()).isFalse();
        assertThat(glm4.rotary().width()).as("half of a head by default").isEqualTo(16);
    }

    @Test
    void shouldKnowWhatLatentAttentionIsOf() throws IOException {
        String latent = ", \"n_routed_experts\": 16, \"num_experts_per_tok\": 4, \"moe_intermediate_size\": 24,"
                + " \"kv_lora_rank\": 32, \"q_lora_rank\": 48, \"qk_nope_head_dim\": 24, \"qk_rope_head_dim\": 8,"
                + " \"v_head_dim\": 20, \"head_dim\": 8, \"num_key_value_heads\": 4";
        DecoderSpec v3 = read("DeepseekV3ForCausalLM", latent);
        assertThat(v3.latent()).isEqualTo(new Latent(48, 32, 24, 8, 20, true));
        assertThat(v3.headDim()).isEqualTo(32);
        assertThat(v3.keyValueHeads()).isEqualTo(1);
        assertThat(v3.attendedWidth()).isEqualTo(v3.heads() * 20);
        assertThat(v3.rotary().width()).isEqualTo(8);
        assertThat(v3.features()).contains(DecoderFeature.LATENT, DecoderFeature.EXPERT_ROUTING);
        assertThatThrownBy(() -> read("DeepseekV3ForCausalLM", latent + ", \"scoring_func\": \"softmax\""))
                .hasMessageContaining("scoring_func \"softmax\" is not supported");
        assertThatThrownBy(() -> read("DeepseekV2ForCausalLM", latent + ", \"topk_method\": \"noaux_tc\""))
                .hasMessageContaining("greedy and group_limited_greedy are");
        assertThatThrownBy(() -> read("DeepseekV2ForCausalLM", latent + ", \"norm_topk_prob\": true"))
                .hasMessageContaining("norm_topk_prob is not supported");
    }

    @Test
    void shouldRefuseGroupsThatExpertsDoNotGoInto() {
        String glm = ", \"n_routed_experts\": 16, \"num_experts_per_tok\": 4, \"moe_intermediate_size\": 24";
        assertThatThrownBy(() -> read("Glm4MoeForCausalLM", glm + ", \"n_group\": 3"))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("16 experts do not go into 3 groups");
        assertThatThrownBy(() -> read("Glm4MoeForCausalLM", glm + ", \"n_group\": 8, \"topk_group\": 1"))
                .hasMessageContaining("of which 1 have 4 to choose");
        assertThatThrownBy(() -> read("Glm4MoeForCausalLM", glm + ", \"n_group\": 2, \"topk_group\": 3"))
                .hasMessageContaining("3 of 2 groups");
        assertThatThrownBy(() -> read("Glm4MoeForCausalLM", glm + ", \"routed_scaling_factor\": 0"))
                .hasMessageContaining("multiplied with 0.0");
    }

    @Test
    void shouldRefuseSharedExpertsThatAreTooWideTogether() {
        String glm = ", \"n_routed_experts\": 16, \"num_experts_per_tok\": 4, \"moe_intermediate_size\": 1048576";
        assertThatThrownBy(() -> read("Glm4MoeForCausalLM", glm + ", \"n_shared_experts\": 4096"))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("4096 shared experts of width 1048576 are wider");
    }

    @Test
    void shouldFillInWhatConfigurationsOfGemmaLeaveOut() throws IOException {
        DecoderSpec gemma2 = read(
                "Gemma2ForCausalLM",
                ", \"attn_logit_softcapping\": 50.0, \"final_logit_softcapping\": 30.0, \"sliding_window\": 4096,"
                        + " \"query_pre_attn_scalar\": 144");
        assertThat(gemma2.headDim()).isEqualTo(256);
        assertThat(gemma2.tiedEmbedding()).isTrue();
        assertThat(gemma2.activation()).isEqualTo(DecoderSpec.Activation.GELU_TANH);
        assertThat(gemma2.scales()).isEqualTo(new DecoderSpec.Scales(8, 1.0 / 12, QueryGrowth.NONE, 50, 30, 1));
        assertThat(gemma2.windows()).containsExactly(4096, 0, 4096, 0);
        Files.writeString(
                folder.resolve("config.json"),
                "{\"architectures\": [\"Gemma3ForConditionalGeneration\"], \"text_config\": {\"hidden_size\": 2560,"
                        + " \"intermediate_size\": 10240, \"num_hidden_layers\": 34, \"sliding_window\": 1024,"
                        + " \"rope_scaling\": {\"factor\": 8.0, \"rope_type\": \"linear\"}}}");
        DecoderSpec gemma3 = DecoderSpec.read(folder);
        assertThat(gemma3.architecture()).isEqualTo("Gemma3ForCausalLM");
        assertThat(gemma3.heads()).isEqualTo(8);
        assertThat(gemma3.keyValueHeads()).isEqualTo(4);
        assertThat(gemma3.vocabulary()).isEqualTo(262_208);
        assertThat(gemma3.context()).isEqualTo(131_072);
        assertThat(gemma3.rotary()).isEqualTo(new Rotary(1_000_000, new RotaryScaling.Linear(8), 256));
        assertThat(gemma3.windowRotary()).isEqualTo(new Rotary(10_000, new RotaryScaling.None(), 256));
        assertThat(gemma3.windows().subList(0, 7)).containsExactly(1024, 1024, 1024, 1024, 1024, 0, 1024);
    }

    @Test
    void shouldChooseTheFactorsOfLongRopeByTheContextServed() throws IOException {
        String scaling = ", \"max_position_embeddings\": 4096, \"original_max_position_embeddings\": 1024,"
                + " \"partial_rotary_factor\": 0.5, \"rope_scaling\": {\"type\": \"su\","
                + " \"short_factor\": [1, 2, 3, 4], \"long_factor\": [5, 6, 7, 8]}";
        DecoderSpec spec = read("Phi3ForCausalLM", scaling);
        double attention = Math.sqrt(1 + Math.log(4) / Math.log(1024));
        assertThat(spec.within(0).rotary().scaling())
                .isEqualTo(new RotaryScaling.Factors(List.of(5.0, 6.0, 7.0, 8.0), attention));
        assertThat(spec.within(1024).rotary().scaling())
                .isEqualTo(new RotaryScaling.Factors(List.of(1.0, 2.0, 3.0, 4.0), attention));
        assertThat(spec.rotary().width()).isEqualTo(8);
    }

    @Test
    void shouldReadBothSpellingsOfRotaryScaling() throws IOException {
        assertThat(read("LlamaForCausalLM", ", \"rope_scaling\": {\"type\": \"linear\", \"factor\": 2}")
                        .rotary()
                        .scaling())
                .isEqualTo(new RotaryScaling.Linear(2));
        DecoderSpec spec = read(
                "LlamaForCausalLM", ", \"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 500000.0}");
        assertThat(spec.rotary().theta()).isEqualTo(500_000);
        assertThat(read("LlamaForCausalLM", ", \"rope_scaling\": null").rotary().scaling())
                .isEqualTo(new RotaryScaling.None());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "GPT2LMHeadModel | '' | GPT2LMHeadModel",
                "LlamaForCausalLM | ', \"hidden_act\": \"gelu\"' | gelu",
                "LlamaForCausalLM | ', \"rope_scaling\": {\"type\": \"longrope\"}' | short_factor",
                "LlamaForCausalLM | ', \"rope_scaling\": {\"type\": \"dynamic\"}' | dynamic",
                "LlamaForCausalLM | ', \"partial_rotary_factor\": 1.5' | partial_rotary_factor",
                "Phi3ForCausalLM | ', \"partial_rotary_factor\": 0.05' | partial_rotary_factor",
                "Qwen3MoeForCausalLM | ', \"num_experts\": 4' | num_experts_per_tok",
                "MixtralForCausalLM | ', \"num_local_experts\": 1' | num_experts_per_tok",
                "Gemma2ForCausalLM | '' | attn_logit_softcapping",
                "Gemma3ForCausalLM | ', \"query_pre_attn_scalar\": 0' | query_pre_attn_scalar",
                "Gemma3ForCausalLM | ', \"use_bidirectional_attention\": true' | use_bidirectional_attention",
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
