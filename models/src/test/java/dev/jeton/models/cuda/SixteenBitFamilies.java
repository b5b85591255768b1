package dev.jeton.models.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.TensorType;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.ExpertFamiliesContract;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import org.junit.jupiter.api.Test;

/** Families beyond the common plan in sixteen bits, wherever kernels run. */
abstract class SixteenBitFamilies extends ExpertFamiliesContract {

    @Override
    protected TensorType exactly(TensorType type) {
        return type == TensorType.F32 ? TensorType.F16 : type;
    }

    @Override
    protected double tolerance(double ofFloat32, TensorType weights) {
        return weights == TensorType.BF16 ? 1 : 0.15;
    }

    @Override
    protected boolean roundsInputs(TensorType weights) {
        return weights == TensorType.BF16;
    }

    /**
     * Widths of whole steps of 128 inputs, so that few rows go through our own product, which joins and adds by itself.
     */
    @Test
    void shouldMatchTheReferenceForGemma2ThroughProductsOfFewRows() throws IOException {
        String caps = "\"attn_logit_softcapping\": 5.0, \"final_logit_softcapping\": 8.0,"
                + " \"query_pre_attn_scalar\": 30, \"sliding_window\": 21, \"attention_bias\": true";
        TinyModel model = model(Configs.config("Gemma2ForCausalLM", 128, 4, 2, 32, 256, caps), "F16");
        assertThat(model.spec.outputBias()).isTrue();
        check(model, plain(32));
    }

    /** Chunks of 23 tokens by 3 of 4 experts have more than sixteen rows each, decode steps fewer. */
    @Test
    void shouldMatchTheReferenceForExpertsThroughProductsOfFewRowsAndOfMany() throws IOException {
        String experts = "\"num_experts\": 4, \"num_experts_per_tok\": 3, \"moe_intermediate_size\": 128,"
                + " \"norm_topk_prob\": true, \"tie_word_embeddings\": true";
        TinyModel model = model(Configs.config("Qwen3MoeForCausalLM", 128, 4, 2, 32, 256, experts), "F16");
        check(model, plain(32));
    }
}
