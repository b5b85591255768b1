package dev.jeton.models.reference;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import java.io.IOException;
import java.nio.file.Path;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Each family and each rotary scaling against the float64 reference, on random weights. An engine subclasses this; one
 * that computes in fewer bits states its tolerance.
 */
public abstract class FamilyContract {

    protected static final long SEED = 20_260_101;

    @TempDir
    Path folder;

    /** Loads a model folder onto the engine. */
    protected abstract Engine load(Path model, EngineOptions options);

    /** The type of weights to test with in place of another: those that the engine keeps exactly. */
    protected TensorType exactly(TensorType type) {
        return type;
    }

    /**
     * Most that a log-probability may be off, as given for float32, with weights of a type; the average is an eighth.
     */
    protected double tolerance(double ofFloat32, TensorType weights) {
        return ofFloat32;
    }

    @Test
    void shouldMatchTheReferenceForLlama() throws IOException {
        check(new TinyModel(folder, Configs.llama(""), exactly(TensorType.F32), SEED), plain(24), 1, 2e-4);
    }

    @Test
    void shouldMatchTheReferenceForLlamaWithBiases() throws IOException {
        check(
                new TinyModel(folder, Configs.llama("\"attention_bias\": true"), exactly(TensorType.F32), SEED),
                plain(24),
                1,
                2e-4);
    }

    @Test
    void shouldMatchTheReferenceForBf16AndF16Weights() throws IOException {
        check(
                new TinyModel(folder.resolve("b"), Configs.llama(""), exactly(TensorType.BF16), SEED),
                plain(24),
                1,
                2e-4);
        check(new TinyModel(folder.resolve("h"), Configs.llama(""), exactly(TensorType.F16), SEED), plain(24), 1, 2e-4);
    }

    @Test
    void shouldMatchTheReferenceForMistralWithAWindow() throws IOException {
        check(new TinyModel(folder, Configs.mistral(21), exactly(TensorType.F32), SEED), plain(16), 1, 2e-4);
    }

    @Test
    void shouldMatchTheReferenceForQwen2() throws IOException {
        check(new TinyModel(folder, Configs.qwen2(""), exactly(TensorType.F32), SEED), plain(16), 1, 2e-4);
    }

    @Test
    void shouldMatchTheReferenceForQwen2WithWindowsInUpperLayers() throws IOException {
        String windows = "\"use_sliding_window\": true, \"sliding_window\": 19, \"max_window_layers\": 1";
        TinyModel model = new TinyModel(folder, Configs.qwen2(windows), exactly(TensorType.F32), SEED);
        assertThat(model.spec.windows()).containsExactly(0, 19, 19);
        check(model, plain(16), 1, 2e-4);
    }

    @Test
    void shouldMatchTheReferenceForQwen3() throws IOException {
        check(new TinyModel(folder, Configs.qwen3(""), exactly(TensorType.F32), SEED), plain(32), 1, 2e-4);
    }

    @Test
    void shouldMatchTheReferenceForQwen3WithLayerTypes() throws IOException {
        String types = "\"use_sliding_window\": true, \"sliding_window\": 33, "
                + "\"layer_types\": [\"sliding_attention\", \"full_attention\", \"sliding_attention\"]";
        TinyModel model = new TinyModel(folder, Configs.qwen3(types), exactly(TensorType.BF16), SEED);
        assertThat(model.spec.windows()).containsExactly(33, 0, 33);
        check(model, plain(32), 1, 2e-4);
    }

    @Test
    void shouldMatchTheReferenceForLinearScaling() throws IOException {
        String linear = "\"rope_scaling\": {\"type\": \"linear\", \"factor\": 4.0}";
        check(
                new TinyModel(folder, Configs.llama(linear), exactly(TensorType.F32), SEED),
                DoubleStream.of(plain(24)).map(f -> f / 4).toArray(),
                1,
                2e-4);
    }

    @Test
    void shouldMatchTheReferenceForLlama3Scaling() throws IOException {
        String llama3 = "\"rope_parameters\": {\"rope_type\": \"llama3\", \"factor\": 8.0, \"low_freq_factor\": 1.0,"
                + " \"high_freq_factor\": 4.0, \"original_max_position_embeddings\": 128, \"rope_theta\": 10000.0}";
        double[] frequencies = plain(24);
        for (int i = 0; i < frequencies.length; i++) {
            double turns = 128 * frequencies[i] / (2 * Math.PI);
            if (turns < 1) {
                frequencies[i] /= 8;
            } else if (turns < 4) {
                double smooth = (turns - 1) / 3;
                frequencies[i] = (1 - smooth) * frequencies[i] / 8 + smooth * frequencies[i];
            }
        }
        check(new TinyModel(folder, Configs.llama(llama3), exactly(TensorType.F32), SEED), frequencies, 1, 2e-4);
    }

    @Test
    void shouldMatchTheReferenceForYarnScaling() throws IOException {
        String yarn = "\"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4.0,"
                + " \"original_max_position_embeddings\": 256}";
        double[] frequencies = plain(24);
        double low = Math.floor(24 * Math.log(256 / (32 * 2 * Math.PI)) / (2 * Math.log(10_000)));
        double high = Math.ceil(24 * Math.log(256 / (2 * Math.PI)) / (2 * Math.log(10_000)));
        for (int i = 0; i < frequencies.length; i++) {
            double kept = 1 - Math.min(1, Math.max(0, (i - low) / (high - low)));
            frequencies[i] = frequencies[i] / 4 * (1 - kept) + frequencies[i] * kept;
        }
        check(
                new TinyModel(folder, Configs.llama(yarn), exactly(TensorType.F32), SEED),
                frequencies,
                0.1 * Math.log(4) + 1,
                2e-4);
    }

    /** Rotary frequencies without scaling. */
    public static double[] plain(int headDim) {
        double[] frequencies = new double[headDim / 2];
        for (int i = 0; i < frequencies.length; i++) {
            frequencies[i] = 1 / Math.pow(10_000, 2.0 * i / headDim);
        }
        return frequencies;
    }

    private void check(TinyModel model, double[] frequencies, double factor, double tolerance) {
        check(model, frequencies, factor, tolerance(tolerance, model.type), "none");
    }

    /** Log-probabilities of a prompt in chunks, and of tokens generated after it. */
    protected final void check(
            TinyModel model, double[] frequencies, double factor, double tolerance, String quantize) {
        EngineOptions options = new EngineOptions(0, 1 << 22, 4, 64, 16, 2, quantize);
        ReferenceDecoder reference = new ReferenceDecoder(model.spec, model.weights, frequencies, factor);
        ReferenceCheck.check(this::load, model, reference, tolerance, options, SEED);
    }
}
