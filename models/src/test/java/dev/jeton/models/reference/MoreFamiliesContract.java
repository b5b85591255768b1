package dev.jeton.models.reference;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.SafetensorsWriter;
import dev.jeton.models.TensorType;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Test;

/** Those of experts too, and all over weights that the engine quantises at load. */
public abstract class MoreFamiliesContract extends DenseFamiliesContract {

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
    void shouldMatchTheReferenceForMixtralOverQuantisedWeights() throws IOException {
        checkQuantised(model(Configs.mixtral(""), "BF16"), plain(16), plain(16));
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

    @Test
    void shouldMatchTheReferenceForPhi3OverQuantisedWeights() throws IOException {
        checkQuantised(model(Configs.phi3(""), "BF16"), plain(24), plain(24));
    }

    @Test
    void shouldMatchTheReferenceForGemma2OverQuantisedWeights() throws IOException {
        checkQuantised(model(Configs.gemma2(""), "BF16"), plain(24), plain(24));
    }

    @Test
    void shouldMatchTheReferenceForGemma3OverQuantisedWeights() throws IOException {
        double[] wide = DoubleStream.of(plain(24)).map(f -> f / 8).toArray();
        checkQuantised(model(Configs.gemma3(""), "BF16"), wide, local());
    }

    /** All but the router is in eight bits. */
    private void checkQuantised(TinyModel model, double[] frequencies, double[] windowFrequencies) {
        Map<String, double[]> quantised = new LinkedHashMap<>(model.weights);
        quantised.replaceAll((name, values) -> model.shapes.get(name).length == 1 || name.endsWith("gate.weight")
                ? values
                : eights(values, model.shapes.get(name)[1]));
        check(model, quantised, frequencies, windowFrequencies, 1, new Served(0, "q8_0"));
    }

    /** Blocks of 32 inputs: whole numbers up to 127 times a scale of sixteen bits. */
    private static double[] eights(double[] values, int columns) {
        double[] result = new double[values.length];
        for (int row = 0; row < values.length; row += columns) {
            for (int from = row; from < row + columns; from += 32) {
                int end = Math.min(from + 32, row + columns);
                float most = 0;
                for (int i = from; i < end; i++) {
                    most = Math.max(most, (float) Math.abs(values[i]));
                }
                float scale = SafetensorsWriter.rounded(TensorType.F16, most / 127);
                for (int i = from; i < end; i++) {
                    result[i] = Math.rint((float) values[i] * (1 / scale)) * (double) scale;
                }
            }
        }
        return result;
    }
}
