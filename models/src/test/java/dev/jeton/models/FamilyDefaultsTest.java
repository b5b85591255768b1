package dev.jeton.models;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.jeton.models.Experts.Routing;
import dev.jeton.models.Experts.Scoring;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What configurations leave out, and what released ones of these families say, as transformers 5.18's classes of
 * configurations and models take it.
 */
class FamilyDefaultsTest {

    private static final String SHAPE = "\"vocab_size\": 97, \"hidden_size\": 64, \"num_hidden_layers\": 8,"
            + " \"num_attention_heads\": 4, \"intermediate_size\": 96";

    @TempDir
    private Path folder;

    private DecoderSpec read(String architecture, String more) throws IOException {
        return config("{\"architectures\": [\"%s\"], %s%s}".formatted(architecture, SHAPE, more));
    }

    private DecoderSpec config(String json) throws IOException {
        Files.writeString(folder.resolve("config.json"), json);
        return DecoderSpec.readQuantized(folder);
    }

    @Test
    void olmo2HasKeyHeadsAsManyAsQueryHeads() throws IOException {
        DecoderSpec spec = read("Olmo2ForCausalLM", "");
        assertThat(spec.normEpsilon()).isEqualTo(1e-5);
        assertThat(spec.keyValueHeads()).isEqualTo(4);
        assertThat(spec.rotary().theta()).isEqualTo(10_000);
        assertThat(spec.windows()).containsOnly(0);
        assertThat(spec.features()).contains(DecoderFeature.NORMS_TOGETHER, DecoderFeature.NORMS_BEHIND);
    }

    @Test
    void olmo3LooksBackOnAllInEveryFourthLayer() throws IOException {
        DecoderSpec spec = read("Olmo3ForCausalLM", "");
        assertThat(spec.windows()).containsExactly(4096, 4096, 4096, 0, 4096, 4096, 4096, 0);
        assertThat(spec.rotary().theta()).isEqualTo(500_000);
        assertThat(spec.windowRotary()).isEqualTo(spec.rotary());
    }

    private static final String YARN = "'rope_type': 'yarn', 'factor': 8.0, 'attention_factor': 1.2,"
            + " 'original_max_position_embeddings': 8192";

    /** As Olmo-3-7B-Instruct has it; in the newer spelling, each type of layer may leave its base out. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "'rope_theta': 300000, 'rope_scaling': {YARN}",
                "'rope_theta': 300000, 'rope_parameters': {YARN}",
                "'rope_theta': 300000, 'rope_parameters': {'full_attention': {YARN}}",
                "'rope_parameters': {'full_attention': {'rope_theta': 300000, YARN},"
                        + " 'sliding_attention': {'rope_type': 'default', 'rope_theta': 300000}}"
            })
    void olmo3StretchesOnlyLayersThatSeeAll(String rope) throws IOException {
        DecoderSpec spec =
                read("Olmo3ForCausalLM", ", " + rope.replace("YARN", YARN).replace('\'', '"'));
        assertThat(spec.rotary().scaling()).isInstanceOf(RotaryScaling.Yarn.class);
        assertThat(spec.rotary().attentionFactor()).isEqualTo(1.2);
        assertThat(spec.windowRotary().scaling()).isEqualTo(new RotaryScaling.None());
        assertThat(spec.rotary().theta()).isEqualTo(300_000);
        assertThat(spec.windowRotary().theta()).isEqualTo(300_000);
    }

    @Test
    void olmoeCountsProbabilitiesAsTheyAre() throws IOException {
        DecoderSpec spec = read("OlmoeForCausalLM", ", \"num_experts\": 16, \"clip_qkv\": null");
        assertThat(spec.normEpsilon()).isEqualTo(1e-5);
        assertThat(spec.experts().perToken()).isEqualTo(8);
        assertThat(spec.experts().intermediate()).isEqualTo(96);
        assertThat(spec.experts().routing()).isEqualTo(Routing.softmax(false));
        assertThatThrownBy(() -> read("OlmoeForCausalLM", ", \"num_experts\": 16, \"clip_qkv\": 8.0"))
                .hasMessageContaining("clip_qkv is not supported");
    }

    private static final String MINIMAX =
            ", \"num_local_experts\": 16, \"num_experts_per_tok\": 4, \"num_key_value_heads\": 2";

    @Test
    void minimaxM2TurnsAsManyElementsAsItSays() throws IOException {
        DecoderSpec spec = read(
                "MiniMaxM2ForCausalLM",
                MINIMAX + ", \"rotary_dim\": 64, \"use_qk_norm\": true, \"qk_norm_type\": \"per_layer\","
                        + " \"scoring_func\": \"sigmoid\", \"use_routing_bias\": true, \"use_mtp\": true,"
                        + " \"shared_intermediate_size\": 0, \"attn_type_list\": [1, 1, 1, 1, 1, 1, 1, 1],"
                        + " \"quantization_config\": {\"quant_method\": \"fp8\", \"weight_block_size\": [128, 128]}");
        assertThat(spec.headDim()).isEqualTo(128);
        assertThat(spec.rotary().width()).isEqualTo(64);
        assertThat(spec.rotary().theta()).isEqualTo(5_000_000);
        assertThat(spec.queryNormWidth()).isEqualTo(4 * 128);
        assertThat(spec.keyNormWidth()).isEqualTo(2 * 128);
        assertThat(spec.experts().routing()).isEqualTo(new Routing(Scoring.SIGMOID, true, true, 1, 1, 2, 1));
    }

    @ParameterizedTest
    @CsvSource({
        "'\"attn_type_list\": [0, 1, 1, 1, 1, 1, 1, 1]', attn_type_list",
        "'\"use_qk_norm\": false', use_qk_norm",
        "'\"qk_norm_type\": \"per_head\"', qk_norm_type",
        "'\"use_routing_bias\": false', use_routing_bias",
        "'\"shared_intermediate_size\": 96', shared_intermediate_size",
        "'\"scoring_func\": \"softmax\"', scoring_func"
    })
    void minimaxModelsOfAnotherPlanAreRefused(String setting, String named) {
        assertThatThrownBy(() -> read("MiniMaxM2ForCausalLM", MINIMAX + ", " + setting))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining(named);
    }

    @Test
    void exaone4TurnsLayersWithWindowsAlone() throws IOException {
        DecoderSpec spec = read("Exaone4ForCausalLM", ", \"sliding_window\": 4096");
        assertThat(spec.windows()).containsExactly(4096, 4096, 4096, 0, 4096, 4096, 4096, 0);
        assertThat(spec.turned()).containsExactly(true, true, true, false, true, true, true, false);
        assertThat(spec.normEpsilon()).isEqualTo(1e-5);
        String all = "\"full_attention\", ".repeat(7) + "\"full_attention\"";
        assertThat(read("Exaone4ForCausalLM", ", \"sliding_window\": 4096, \"layer_types\": [%s]".formatted(all))
                        .turned())
                .containsOnly(false);
    }

    /** As EXAONE-4.0-1.2B and 32B have it. */
    @Test
    void exaone4WithoutWindowsTurnsAllLayers() throws IOException {
        DecoderSpec small = read("Exaone4ForCausalLM", ", \"sliding_window\": null, \"sliding_window_pattern\": null");
        assertThat(small.windows()).containsOnly(0);
        assertThat(small.turned()).containsOnly(true);
        String types = "\"sliding_attention\", \"sliding_attention\", \"sliding_attention\", \"full_attention\"";
        DecoderSpec large = read(
                "Exaone4ForCausalLM",
                ", \"sliding_window\": 64, \"sliding_window_pattern\": \"LLLG\", \"layer_types\": [%s, %s]"
                        .formatted(types, types));
        assertThat(large.windows()).containsExactly(64, 64, 64, 0, 64, 64, 64, 0);
    }

    @Test
    void smolLm3DoesNotTurnEveryFourthLayer() throws IOException {
        DecoderSpec spec = read("SmolLM3ForCausalLM", "");
        assertThat(spec.turned()).containsExactly(true, true, true, false, true, true, true, false);
        assertThat(spec.tiedEmbedding()).isTrue();
        assertThat(spec.rotary().theta()).isEqualTo(2_000_000);
        assertThat(read("SmolLM3ForCausalLM", ", \"no_rope_layers\": [0, 1, 1, 1, 1, 1, 1, 1, 1]")
                        .turned())
                .containsExactly(false, true, true, true, true, true, true, true);
        assertThatThrownBy(() -> read("SmolLM3ForCausalLM", ", \"no_rope_layers\": [0, 1]"))
                .hasMessageContaining("2 no_rope_layers for 8 layers");
    }

    @Test
    void glm4TurnsHalfOfEachHead() throws IOException {
        DecoderSpec spec = read("Glm4ForCausalLM", "");
        assertThat(spec.headDim()).isEqualTo(128);
        assertThat(spec.keyValueHeads()).isEqualTo(2);
        assertThat(spec.rotary().width()).isEqualTo(64);
        assertThat(spec.normEpsilon()).isEqualTo(1.5625e-7);
        assertThat(spec.context()).isEqualTo(131_072);
        assertThat(spec.queryKeyValueBias()).isTrue();
        assertThatThrownBy(() -> read("Glm4ForCausalLM", ", \"head_dim\": 30"))
                .hasMessageContaining("rotation needs pairs");
        DecoderSpec older = read("GlmForCausalLM", ", \"attention_bias\": false");
        assertThat(older.queryKeyValueBias()).isFalse();
        assertThat(older.outputBias()).isFalse();
        assertThat(older.norms().branches()).isFalse();
        assertThat(older.rotary()).isEqualTo(spec.rotary());
    }

    @Test
    void ernie45TiesItsEmbedding() throws IOException {
        DecoderSpec spec = read("Ernie4_5ForCausalLM", "");
        assertThat(spec.tiedEmbedding()).isTrue();
        assertThat(spec.keyValueHeads()).isEqualTo(2);
        assertThat(spec.rotary().theta()).isEqualTo(500_000);
        assertThat(spec.normEpsilon()).isEqualTo(1e-5);
        assertThat(read("Ernie4_5_ForCausalLM", "")).isEqualTo(spec);
        assertThatThrownBy(() -> read("Ernie4_5ForCausalLM", ", \"use_bias\": true"))
                .hasMessageContaining("use_bias is not supported");
    }

    @Test
    void ernie45CorrectsProbabilitiesFromItsSecondLayerOn() throws IOException {
        DecoderSpec spec = read(
                "Ernie4_5_MoeForCausalLM",
                ", \"moe_num_experts\": 16, \"moe_intermediate_size\": 24, \"moe_layer_interval\": 2,"
                        + " \"moe_layer_end_index\": 6");
        assertThat(spec.keyValueHeads()).isEqualTo(4);
        assertThat(spec.headDim()).isEqualTo(16);
        assertThat(spec.experts().perToken()).isEqualTo(6);
        assertThat(spec.experts().shared().width()).isEqualTo(48);
        assertThat(spec.experts().routing()).isEqualTo(new Routing(Scoring.SOFTMAX, true, true, 1, 1, 1, 1));
        assertThat(spec.experts().layers()).containsExactly(false, true, false, true, false, true, false, false);
    }

    @ParameterizedTest
    @ValueSource(strings = {"GlmForCausalLM", "Glm4ForCausalLM", "Ernie4_5ForCausalLM", "Ernie4_5_MoeForCausalLM"})
    void quantisedRowsOfNeighboursAreRefused(String architecture) {
        String experts = ", \"moe_num_experts\": 16, \"moe_intermediate_size\": 24";
        assertThatThrownBy(() -> read(architecture, experts + ", \"quantization_config\": {\"quant_method\": \"fp8\"}"))
                .hasMessageContaining("quantised weights of " + architecture);
    }

    @Test
    void ministral3GrowsFromItsContextInTraining() throws IOException {
        DecoderSpec spec = read("Ministral3ForCausalLM", "");
        assertThat(spec.headDim()).isEqualTo(128);
        assertThat(spec.context()).isEqualTo(262_144);
        assertThat(spec.scales().growth()).isEqualTo(new QueryGrowth(0.1, 16_384));
        assertThat(spec.scales().growth().at(16_383)).isEqualTo(1);
        assertThat(spec.scales().growth().at(3 * 16_384)).isCloseTo(1 + 0.1 * Math.log(4), within(1e-15));
        assertThat(spec.rotary().theta()).isEqualTo(1_000_000);
        assertThat(spec.rotary().scaling()).isEqualTo(new RotaryScaling.Yarn(16, 1, 32, 1, 16_384, true));
        assertThat(read("Ministral3ForCausalLM", ", \"rope_parameters\": {\"rope_type\": \"default\"}")
                        .scales()
                        .growth())
                .isEqualTo(QueryGrowth.NONE);
    }

    private static final String LATENT = "\"n_routed_experts\": 16, \"moe_intermediate_size\": 24,"
            + " \"kv_lora_rank\": 32, \"qk_nope_head_dim\": 64, \"qk_rope_head_dim\": 64, \"v_head_dim\": 20";

    @Test
    void mistral4TurnsWhatItsWidthSays() throws IOException {
        DecoderSpec spec = config("{\"architectures\": [\"Mistral3ForConditionalGeneration\"], \"text_config\": {"
                + "\"model_type\": \"mistral4\", %s, %s, \"q_lora_rank\": 48, \"rope_parameters\": {"
                        .formatted(SHAPE, LATENT)
                + "\"type\": \"yarn\", \"rope_theta\": 10000.0, \"factor\": 128.0, \"mscale\": 1.0,"
                + " \"mscale_all_dim\": 1.0, \"original_max_position_embeddings\": 8192, \"llama_4_scaling_beta\": 0.1,"
                + " \"partial_rotary_factor\": 0.5}}}");
        assertThat(spec.architecture()).isEqualTo("Mistral4ForCausalLM");
        assertThat(spec.rotary().width()).isEqualTo(64);
        assertThat(spec.rotary().attentionFactor()).isEqualTo(1);
        double longer = 0.1 * Math.log(128) + 1;
        assertThat(spec.scales().query()).isCloseTo(longer * longer / Math.sqrt(128), within(1e-12));
        assertThat(spec.scales().growth()).isEqualTo(new QueryGrowth(0.1, 8192));
        assertThat(spec.experts().perToken()).isEqualTo(4);
        assertThat(spec.experts().shared().width()).isEqualTo(24);
        assertThat(spec.experts().routing()).isEqualTo(Routing.softmax(true));
        assertThat(spec.experts().layers()).isEqualTo(Collections.nCopies(8, true));
        DecoderSpec unsaid =
                read("Mistral4ForCausalLM", ", \"q_lora_rank\": 48, \"partial_rotary_factor\": 0.5, " + LATENT);
        assertThat(unsaid.rotary()).isEqualTo(spec.rotary());
        assertThat(unsaid.scales()).isEqualTo(spec.scales());
    }

    @Test
    void mistral4OfAnotherPlanIsRefused() {
        assertThatThrownBy(() -> read("Mistral4ForCausalLM", ", \"q_lora_rank\": 48, \"n_group\": 2, " + LATENT))
                .hasMessageContaining("n_group is not supported");
        assertThatThrownBy(() -> read("Mistral4ForCausalLM", ", " + LATENT)).hasMessageContaining("need q_lora_rank");
    }
}
