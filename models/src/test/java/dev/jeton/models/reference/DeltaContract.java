package dev.jeton.models.reference;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.TensorType;
import java.io.IOException;
import org.junit.jupiter.api.Test;

/** Families with layers of linear attention against the float64 reference. */
public abstract class DeltaContract extends ReferenceContract {

    private static final long SEED = 20_261_202;
    /** As in {@link ExpertFamiliesContract}. */
    private static final double CLEAR = 0.03;

    @Test
    void shouldMatchTheReferenceForQwen35() throws IOException {
        TinyModel model = check(Configs.qwen35("\"tie_word_embeddings\": true"), TensorType.F32);
        assertThat(model.spec.delta().layers()).containsExactly(true, false, true);
    }

    @Test
    void shouldMatchTheReferenceForQwen35InBf16() throws IOException {
        check(Configs.qwen35(""), TensorType.BF16);
    }

    @Test
    void shouldMatchTheReferenceForQwen35WithoutGatesAndWithOneValueHeadAKeyHead() throws IOException {
        String more = "\"attn_output_gate\": false";
        String config = Configs.qwen35(more)
                .replace("\"linear_num_value_heads\": 4", "\"linear_num_value_heads\": 2")
                .replace("\"linear_conv_kernel_dim\": 4", "\"linear_conv_kernel_dim\": 2");
        TinyModel model = check(config, TensorType.F32);
        assertThat(model.spec.outputGate()).isFalse();
    }

    @Test
    void shouldServeTheTextOfQwen35WithImages() throws IOException {
        String text = Configs.qwen35("")
                .replace("\"architectures\": [\"Qwen3_5ForCausalLM\"]", "\"model_type\": \"qwen3_5_text\"");
        check(
                "{\"architectures\": [\"Qwen3_5ForConditionalGeneration\"], \"text_config\": %s}".formatted(text),
                TensorType.F32);
    }

    @Test
    void shouldMatchTheReferenceForQwen35WithExperts() throws IOException {
        TinyModel model = check(Configs.qwen35Moe(""), TensorType.F32);
        assertThat(model.spec.delta().layers()).containsExactly(true, true, false);
        assertThat(model.spec.experts().layers()).containsExactly(true, true, true);
        assertThat(model.spec.experts().shared().gated()).isTrue();
    }

    @Test
    void shouldMatchTheReferenceForQwen3Next() throws IOException {
        TinyModel model = check(Configs.qwen3Next(""), TensorType.F32);
        assertThat(model.spec.delta().layers()).containsExactly(true, false, true);
        assertThat(model.spec.experts().layers()).containsExactly(true, false, true);
    }

    @Test
    void shouldMatchTheReferenceForQwen3NextInBf16() throws IOException {
        check(Configs.qwen3Next("\"norm_topk_prob\": true"), TensorType.BF16);
    }

    private TinyModel check(String config, TensorType asked) throws IOException {
        double[] frequencies = FamilyContract.plain(8);
        return check(
                config, asked, SEED, CLEAR, model -> new ReferenceDecoder(model.spec, model.weights, frequencies, 1));
    }
}
