package dev.jeton.models.reference;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import org.junit.jupiter.api.Test;

/** Families beyond the common plan, those of experts too, against the float64 reference. */
public abstract class ExpertFamiliesContract extends DenseFamiliesContract {

    @Test
    void shouldMatchTheReferenceForMixtral() throws IOException {
        for (String type : TYPES) {
            check(model(Configs.mixtral(""), type), plain(16));
        }
    }

    @Test
    void shouldMatchTheReferenceForMixtralWithAWindow() throws IOException {
        check(model(Configs.mixtral("\"sliding_window\": 21"), "F32"), plain(16));
    }

    @Test
    void shouldMatchTheReferenceForQwen3WithExperts() throws IOException {
        for (String type : TYPES) {
            check(model(Configs.qwen3Moe("\"norm_topk_prob\": true"), type), plain(32));
        }
    }

    @Test
    void shouldMatchTheReferenceForQwen3WithExpertsInSomeLayers() throws IOException {
        TinyModel every = model(Configs.qwen3Moe("\"decoder_sparse_step\": 2"), "F32");
        assertThat(every.spec.experts().layers()).containsExactly(false, true, false);
        check(every, plain(32));
        TinyModel but = model(Configs.qwen3Moe("\"mlp_only_layers\": [1], \"norm_topk_prob\": false"), "BF16");
        assertThat(but.spec.experts().layers()).containsExactly(true, false, true);
        check(but, plain(32));
    }
}
