package dev.jeton.models.reference;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.DecoderSpec.Norms.Heads;
import dev.jeton.models.TensorType;
import java.io.IOException;
import org.junit.jupiter.api.Test;

/**
 * Families with experts that all tokens go through, and experts chosen by corrected sigmoids out of the best groups,
 * against the float64 reference.
 */
public abstract class SharedExpertsContract extends ReferenceContract {

    private static final long SEED = 20_261_201;
    /** As in {@link ExpertFamiliesContract}; margins here are lower bounds of it. */
    private static final double CLEAR = 0.03;

    @Test
    void shouldMatchTheReferenceForQwen2WithExperts() throws IOException {
        check(Configs.qwen2Moe(""), TensorType.F32, 16);
    }

    @Test
    void shouldMatchTheReferenceForQwen2WithExpertsInBf16() throws IOException {
        check(Configs.qwen2Moe("\"norm_topk_prob\": true, \"mlp_only_layers\": [1]"), TensorType.BF16, 16);
    }

    @Test
    void shouldMatchTheReferenceForGlm4WithExperts() throws IOException {
        TinyModel model = check(Configs.glm4Moe(""), TensorType.F32, 16);
        assertThat(model.spec.experts().layers()).containsExactly(false, true, true);
        assertThat(model.spec.norms().heads()).isEqualTo(Heads.NONE);
    }

    @Test
    void shouldMatchTheReferenceForGlm4WithExpertsAndHeadNormsInBf16() throws IOException {
        String more = "\"use_qk_norm\": true, \"first_k_dense_replace\": 0";
        TinyModel model = check(Configs.glm4Moe(more), TensorType.BF16, 16);
        assertThat(model.spec.norms().heads()).isEqualTo(Heads.EACH);
        assertThat(model.spec.outputBias()).isFalse();
    }

    @Test
    void shouldMatchTheReferenceForGlm4WithoutGroupsAndWhatIsShared() throws IOException {
        String more = "\"n_shared_experts\": 0, \"norm_topk_prob\": false";
        String config = Configs.glm4Moe(more)
                .replace("\"n_group\": 4, \"topk_group\": 2", "\"n_group\": 1")
                .replace("\"n_shared_experts\": 2, ", "");
        TinyModel model = check(config, TensorType.F32, 16);
        assertThat(model.spec.experts().shared().exists()).isFalse();
    }

    @Test
    void shouldMatchTheReferenceForErnie45WithExpertsByCorrectedProbabilities() throws IOException {
        TinyModel model = check(Configs.ernie45Moe(""), TensorType.F32, 16);
        assertThat(model.spec.experts().layers()).containsExactly(false, true, true);
    }

    /** @param turned elements of a head that are turned */
    private TinyModel check(String config, TensorType asked, int turned) throws IOException {
        double[] frequencies = FamilyContract.plain(turned);
        return check(
                config, asked, SEED, CLEAR, model -> new ReferenceDecoder(model.spec, model.weights, frequencies, 1));
    }
}
