package dev.jeton.models.reference;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.TensorType;
import java.io.IOException;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

/**
 * Families whose keys and values are computed from a narrow vector, against a float64 reference that does compute them.
 */
public abstract class LatentContract extends ReferenceContract {

    private static final long SEED = 20_261_202;
    /** As in {@link SharedExpertsContract}. */
    private static final double CLEAR = 0.03;

    @Test
    void shouldMatchTheReferenceForDeepSeekV2() throws IOException {
        TinyModel model = check(Configs.deepSeekV2(""), TensorType.F32, FamilyContract.plain(8));
        assertThat(model.spec.latent().queryRank()).isZero();
    }

    @Test
    void shouldMatchTheReferenceForDeepSeekV2InBf16() throws IOException {
        String narrow = Configs.deepSeekV2("").replace("\"q_lora_rank\": null", "\"q_lora_rank\": 40");
        check(narrow, TensorType.BF16, FamilyContract.plain(8));
    }

    @Test
    void shouldMatchTheReferenceForDeepSeekV3() throws IOException {
        TinyModel model = check(Configs.deepSeekV3(""), TensorType.F32, yarn(16, 256));
        double longer = 0.1 * Math.log(4) + 1;
        assertThat(model.spec.scales().query()).isCloseTo(longer * longer / Math.sqrt(32), Offset.offset(1e-12));
        assertThat(model.spec.rotary().attentionFactor()).isEqualTo(1);
    }

    @Test
    void shouldMatchTheReferenceForDeepSeekV3InBf16() throws IOException {
        check(Configs.deepSeekV3(""), TensorType.BF16, yarn(16, 256));
    }

    @Test
    void shouldMatchTheReferenceForGlm4LiteWhoseTurnedElementsAreHalvesApart() throws IOException {
        String types = "\"rope_interleave\": false, \"mlp_layer_types\": [\"dense\", \"sparse\", \"dense\"]";
        String config = Configs.deepSeekV3(types)
                .replace("DeepseekV3ForCausalLM", "Glm4MoeLiteForCausalLM")
                .replaceAll("\"rope_scaling\": \\{.*?}, ", "");
        TinyModel model = check(config, TensorType.F32, FamilyContract.plain(16));
        assertThat(model.spec.experts().layers()).containsExactly(false, true, false);
        assertThat(model.spec.latent().paired()).isFalse();
    }

    @Test
    void shouldMatchTheReferenceForMistral4() throws IOException {
        TinyModel model = check(Configs.mistral4(""), TensorType.F32, yarn(16, Configs.GROWTH_CONTEXT));
        double longer = 0.1 * Math.log(4) + 1;
        assertThat(model.spec.scales().query()).isCloseTo(longer * longer / Math.sqrt(32), Offset.offset(1e-12));
        assertThat(model.spec.rotary().width()).isEqualTo(16);
        assertThat(model.spec.scales().growth().exists()).isTrue();
    }

    /** Frequencies of YaRN by four from so many positions. */
    public static double[] yarn(int width, int original) {
        double[] frequencies = FamilyContract.plain(width);
        double low = Math.floor(width * Math.log(original / (32 * 2 * Math.PI)) / (2 * Math.log(10_000)));
        double high = Math.ceil(width * Math.log(original / (2 * Math.PI)) / (2 * Math.log(10_000)));
        low = Math.max(low, 0);
        for (int i = 0; i < frequencies.length; i++) {
            double kept = 1 - Math.min(1, Math.max(0, (i - low) / (high - low)));
            frequencies[i] = frequencies[i] / 4 * (1 - kept) + frequencies[i] * kept;
        }
        return frequencies;
    }

    private TinyModel check(String config, TensorType asked, double[] frequencies) throws IOException {
        return check(
                config, asked, SEED, CLEAR, model -> new ReferenceDecoder(model.spec, model.weights, frequencies, 1));
    }
}
