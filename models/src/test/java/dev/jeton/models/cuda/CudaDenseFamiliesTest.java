package dev.jeton.models.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.DenseFamiliesContract;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Families beyond the common plan on the stand-in, in sixteen bits. */
class CudaDenseFamiliesTest extends DenseFamiliesContract {

    @RegisterExtension
    static final StandInMachine MACHINE = new StandInMachine();

    @Override
    protected Engine load(Path model, EngineOptions options) {
        return CudaEngine.load(model, options, MACHINE.libraries());
    }

    @Override
    protected TensorType exactly(TensorType type) {
        return type == TensorType.F32 ? TensorType.F16 : type;
    }

    @Override
    protected double tolerance(double ofFloat32, TensorType weights) {
        return weights == TensorType.BF16 ? 1 : 0.15;
    }

    /** Widths of whole steps of 128 inputs, so that few rows go through our own product, which joins and adds by itself. */
    @Test
    void shouldMatchTheReferenceForGemma2ThroughProductsOfFewRows() throws IOException {
        String caps = "\"attn_logit_softcapping\": 5.0, \"final_logit_softcapping\": 8.0,"
                + " \"query_pre_attn_scalar\": 30, \"sliding_window\": 21, \"attention_bias\": true";
        TinyModel model = model(Configs.config("Gemma2ForCausalLM", 128, 4, 2, 32, 256, caps), "F16");
        assertThat(model.spec.outputBias()).isTrue();
        check(model, plain(32));
    }
}
