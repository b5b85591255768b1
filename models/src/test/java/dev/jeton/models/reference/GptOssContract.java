package dev.jeton.models.reference;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.TensorType;
import java.io.IOException;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;

/** gpt-oss against the float64 reference: sinks, biases of experts, limited gates, experts in MXFP4. */
public abstract class GptOssContract extends ReferenceContract {

    private static final long SEED = 20_261_130;
    private static final double CLEAR = 0.05;

    @Test
    void shouldMatchTheReferenceForGptOss() throws IOException {
        check(Configs.gptOss(""), TensorType.F32);
    }

    @Test
    void shouldMatchTheReferenceForGptOssInBf16() throws IOException {
        check(Configs.gptOss(""), TensorType.BF16);
    }

    @Test
    void shouldMatchTheReferenceForGptOssWithExpertsInFourBits() throws IOException {
        check(Configs.gptOss(Configs.MXFP4), TensorType.BF16);
    }

    @Test
    void shouldMatchTheReferenceForGptOssWhereAllLayersSeeAll() throws IOException {
        String full = "\"layer_types\": [\"full_attention\", \"full_attention\", \"full_attention\"], ";
        check(Configs.gptOss(full + Configs.MXFP4), TensorType.BF16);
    }

    private void check(String config, TensorType asked) throws IOException {
        check(config, asked, SEED, CLEAR, GptOssContract::reference);
    }

    /** The reference of a model of {@link Configs#gptOss}. */
    public static ReferenceDecoder reference(TinyModel model) {
        return reference(model.spec, model.weights);
    }

    /** The same of such weights, where heads and scaling are as there. */
    public static ReferenceDecoder reference(DecoderSpec spec, Map<String, double[]> weights) {
        return new ReferenceDecoder(spec, weights, frequencies(32), 0.1 * Math.log(4) + 1, UnaryOperator.identity());
    }

    private static double[] frequencies(int headDim) {
        double[] frequencies = FamilyContract.plain(headDim);
        double low = headDim * Math.log(256 / (32 * 2 * Math.PI)) / (2 * Math.log(10_000));
        double high = headDim * Math.log(256 / (2 * Math.PI)) / (2 * Math.log(10_000));
        for (int i = 0; i < frequencies.length; i++) {
            double kept = 1 - Math.min(1, Math.max(0, (i - low) / (high - low)));
            frequencies[i] = frequencies[i] / 4 * (1 - kept) + frequencies[i] * kept;
        }
        return frequencies;
    }
}
