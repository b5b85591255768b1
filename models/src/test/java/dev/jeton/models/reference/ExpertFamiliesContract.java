package dev.jeton.models.reference;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.DecoderSpec.Norms.Heads;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import java.io.IOException;
import org.junit.jupiter.api.Test;

/** Those of experts, too. */
public abstract class ExpertFamiliesContract extends DenseFamiliesContract {

    private static final EngineOptions OPTIONS = new EngineOptions(0, 1 << 22, 4, 64, 16, 2, "none");

    /**
     * Rows are compared where the router's logits of experts chosen and not chosen are so far apart. Inputs rounded to
     * bf16 shift these models' logits by 0.01 on average, and choices differed where they were less than 0.01 apart.
     */
    private static final double CLEAR = 0.05;

    /**
     * Whether the engine rounds inputs of products with weights of a type. A token whose router's logits are nearly
     * equal may then go to another expert than in float64, which no tolerance describes.
     */
    protected boolean roundsInputs(TensorType weights) {
        return false;
    }

    @Test
    void shouldMatchTheReferenceForMixtral() throws IOException {
        checkExperts(model(Configs.mixtral(""), "F32"), 16);
    }

    @Test
    void shouldMatchTheReferenceForMixtralInBf16() throws IOException {
        checkExperts(model(Configs.mixtral(""), "BF16"), 16);
    }

    @Test
    void shouldMatchTheReferenceForMixtralWithAWindow() throws IOException {
        check(model(Configs.mixtral("\"sliding_window\": 21"), "F32"), plain(16));
    }

    @Test
    void shouldMatchTheReferenceForExpertsWhereNoneIsLeftOut() throws IOException {
        String all = Configs.mixtral("").replace("\"num_experts_per_tok\": 2", "\"num_experts_per_tok\": 5");
        for (String type : TYPES) {
            check(model(all, type), plain(16));
        }
    }

    @Test
    void shouldMatchTheReferenceForQwen3WithExperts() throws IOException {
        checkExperts(model(Configs.qwen3Moe("\"norm_topk_prob\": true"), "F32"), 32);
    }

    @Test
    void shouldMatchTheReferenceForQwen3WithExpertsInBf16() throws IOException {
        checkExperts(model(Configs.qwen3Moe("\"norm_topk_prob\": true"), "BF16"), 32);
    }

    @Test
    void shouldMatchTheReferenceForQwen3WithExpertsInSomeLayers() throws IOException {
        TinyModel every = model(Configs.qwen3Moe("\"decoder_sparse_step\": 2"), "F32");
        assertThat(every.spec.experts().layers()).containsExactly(false, true, false);
        check(every, plain(32));
        TinyModel but = model(Configs.qwen3Moe("\"mlp_only_layers\": [1], \"norm_topk_prob\": false"), "BF16");
        assertThat(but.spec.experts().layers()).containsExactly(true, false, true);
        checkExperts(but, 32);
    }

    @Test
    void shouldMatchTheReferenceForGraniteWithExperts() throws IOException {
        checkExperts(model(Configs.graniteMoe(""), "F32"), 16);
    }

    @Test
    void shouldMatchTheReferenceForOlmoe() throws IOException {
        TinyModel model = model(Configs.olmoe(""), "F32");
        assertThat(model.spec.norms()).isEqualTo(new DecoderSpec.Norms(Heads.TOGETHER, true, false));
        checkExperts(model, 16);
    }

    @Test
    void shouldMatchTheReferenceForMiniMaxM2() throws IOException {
        TinyModel model = model(Configs.minimaxM2(""), "F32");
        assertThat(model.spec.norms()).isEqualTo(new DecoderSpec.Norms(Heads.TOGETHER, true, false));
        checkExperts(model, 16);
    }

    private void checkExperts(TinyModel model, int width) {
        if (roundsInputs(model.type)) {
            ReferenceDecoder reference = new ReferenceDecoder(model.spec, model.weights, plain(width), 1);
            ReferenceCheck.checkClear(this::load, model, reference, tolerance(TOLERANCE, model.type), OPTIONS, CLEAR);
        } else {
            check(model, plain(width));
        }
    }
}
