package dev.jeton.models.reference;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.DecoderSpec.Norms.Heads;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Families beyond the common plan but those of experts against the float64 reference. */
public abstract class DenseFamiliesContract {

    private static final long SEED = 20_260_303;
    static final double TOLERANCE = 2e-4;
    static final String[] TYPES = {"F32", "BF16"};

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
    void shouldMatchTheReferenceForPhi3() throws IOException {
        for (String type : TYPES) {
            check(model(Configs.phi3("\"sliding_window\": 21"), type), plain(24));
        }
    }

    @Test
    void shouldMatchTheReferenceForPhi3WithAPartOfEachHeadTurned() throws IOException {
        check(model(Configs.phi3("\"partial_rotary_factor\": 0.75"), "F32"), plain(18));
    }

    /** 1024 positions of 128 in training: long factors; 100 of them served: short ones. */
    @Test
    void shouldMatchTheReferenceForBothFactorsOfLongRope() throws IOException {
        String longRope = "\"original_max_position_embeddings\": 128, \"rope_scaling\": {\"type\": \"longrope\","
                + " \"short_factor\": %s, \"long_factor\": %s}".formatted(ramp(1), ramp(3));
        double attention = Math.sqrt(1 + Math.log(8) / Math.log(128));
        TinyModel model = model(Configs.phi3(longRope), "F32");
        for (int context : new int[] {0, 100}) {
            double[] frequencies = plain(24);
            for (int i = 0; i < frequencies.length; i++) {
                frequencies[i] /= (context == 0 ? 3 : 1) + i / 4.0;
            }
            check(model, model.weights, frequencies, frequencies, attention, new Served(context, "none"));
        }
    }

    @Test
    void shouldMatchTheReferenceForGemma2() throws IOException {
        TinyModel model = model(Configs.gemma2(""), "F32");
        assertThat(model.spec.windows()).containsExactly(21, 0, 21);
        check(model, plain(24));
        check(model(Configs.gemma2(""), "BF16"), plain(24));
    }

    @Test
    void shouldMatchTheReferenceForGemma3() throws IOException {
        TinyModel model = model(Configs.gemma3(""), "F32");
        assertThat(model.spec.windows()).containsExactly(21, 0, 21);
        for (String type : TYPES) {
            checkGemma3(model(Configs.gemma3(""), type));
        }
    }

    @Test
    void shouldServeTheTextOfGemma3WithImages() throws IOException {
        String text = Configs.gemma3("").replace("\"architectures\": [\"Gemma3ForCausalLM\"], ", "");
        String config =
                "{\"architectures\": [\"Gemma3ForConditionalGeneration\"], \"text_config\": %s}".formatted(text);
        checkGemma3(model(config, "BF16"));
    }

    @Test
    void shouldMatchTheReferenceForSeedOss() throws IOException {
        TinyModel model = model(Configs.seedOss(""), "F32");
        assertThat(model.spec.queryKeyValueBias()).isTrue();
        assertThat(model.spec.outputBias()).isTrue();
        check(model, plain(24));
        assertThat(model(Configs.seedOss("").replace("true", "false"), "F32")
                        .spec
                        .outputBias())
                .isFalse();
    }

    /** What is multiplied before it is added is not multiplied here: the stream is kept divided. */
    @Test
    void shouldMatchTheReferenceForGranite() throws IOException {
        for (String type : TYPES) {
            check(model(Configs.granite(""), type), plain(16));
        }
    }

    @Test
    void shouldMatchTheReferenceForGraniteOfAttentionAlone() throws IOException {
        check(model(Configs.graniteHybrid(""), "F32"), plain(16));
    }

    @Test
    void shouldMatchTheReferenceForOlmo2() throws IOException {
        for (String type : TYPES) {
            TinyModel model = model(Configs.olmo2(""), type);
            assertThat(model.spec.norms()).isEqualTo(new DecoderSpec.Norms(Heads.TOGETHER, false, true));
            check(model, plain(24));
        }
    }

    @Test
    void shouldMatchTheReferenceForOlmo2WithBiases() throws IOException {
        check(model(Configs.olmo2("\"attention_bias\": true"), "F32"), plain(24));
    }

    @Test
    void shouldMatchTheReferenceForOlmo3() throws IOException {
        TinyModel model = model(Configs.olmo3(""), "F32");
        assertThat(model.spec.norms()).isEqualTo(new DecoderSpec.Norms(Heads.TOGETHER, false, true));
        assertThat(model.spec.windows()).containsExactly(21, 0, 21);
        double[] wide = DoubleStream.of(plain(16)).map(f -> f / 8).toArray();
        check(model, model.weights, wide, plain(16), 1, new Served(0, "none"));
    }

    @Test
    void shouldMatchTheReferenceForExaone4() throws IOException {
        TinyModel model = model(Configs.exaone4(""), "F32");
        assertThat(model.spec.norms()).isEqualTo(new DecoderSpec.Norms(Heads.EACH, false, true));
        assertThat(model.spec.turned()).containsExactly(true, false, true);
        check(model, plain(24));
    }

    @Test
    void shouldMatchTheReferenceForExaone4WithoutWindows() throws IOException {
        TinyModel model =
                model(Configs.exaone4("").replace("\"sliding_window\": 21", "\"sliding_window\": null"), "F32");
        assertThat(model.spec.turned()).containsExactly(true, true, true);
        check(model, plain(24));
    }

    @Test
    void shouldMatchTheReferenceForSmolLm3() throws IOException {
        TinyModel model = model(Configs.smolLm3(""), "F32");
        assertThat(model.spec.turned()).containsExactly(true, true, true, false);
        check(model, plain(16));
    }

    @Test
    void shouldMatchTheReferenceForMinistral3() throws IOException {
        for (String type : TYPES) {
            check(model(Configs.ministral3(""), type), plain(16));
        }
    }

    @Test
    void shouldMatchTheReferenceForGlm() throws IOException {
        TinyModel model = model(Configs.glm(""), "F32");
        assertThat(model.spec.queryKeyValueBias()).isTrue();
        check(model, plain(12));
    }

    @Test
    void shouldMatchTheReferenceForGlm4() throws IOException {
        for (String type : TYPES) {
            TinyModel model = model(Configs.glm4(""), type);
            assertThat(model.spec.norms()).isEqualTo(new DecoderSpec.Norms(Heads.NONE, true, true));
            check(model, plain(12));
        }
    }

    @Test
    void shouldMatchTheReferenceForErnie45() throws IOException {
        check(model(Configs.ernie45(""), "F32"), plain(24));
    }

    @Test
    void shouldServeTheTextOfMistralWithImages() throws IOException {
        String text = Configs.mistral(21)
                .replace("\"architectures\": [\"MistralForCausalLM\"]", "\"model_type\": \"mistral\"");
        String config =
                "{\"architectures\": [\"Mistral3ForConditionalGeneration\"], \"text_config\": %s}".formatted(text);
        check(model(config, "F32"), plain(16));
    }

    @Test
    void shouldReadRotarySettingsByTypeOfLayer() throws IOException {
        String byType = Configs.gemma3(
                        "\"layer_types\": [\"full_attention\", \"sliding_attention\", \"sliding_attention\"]")
                .replace("\"rope_local_base_freq\": 500.0, ", "")
                .replace(
                        "\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 8.0}",
                        "\"rope_parameters\": {\"full_attention\": {\"rope_type\": \"linear\", \"factor\": 8.0,"
                                + " \"rope_theta\": 10000.0}, \"sliding_attention\": {\"rope_type\": \"default\","
                                + " \"rope_theta\": 500.0}}");
        TinyModel model = model(byType, "F32");
        assertThat(model.spec.windows()).containsExactly(0, 21, 21);
        checkGemma3(model);
    }

    private void checkGemma3(TinyModel model) {
        double[] wide = DoubleStream.of(plain(24)).map(f -> f / 8).toArray();
        check(model, model.weights, wide, local(), 1, new Served(0, "none"));
    }

    static double[] local() {
        return IntStream.range(0, 12).mapToDouble(i -> Math.pow(500, -i / 12.0)).toArray();
    }

    protected static double[] plain(int width) {
        return FamilyContract.plain(width);
    }

    private static String ramp(int from) {
        return IntStream.range(0, 12).mapToObj(i -> from + i / 4.0).toList().toString();
    }

    protected final TinyModel model(String config, String type) throws IOException {
        return new TinyModel(
                Files.createTempDirectory(folder, "model"), config, exactly(TensorType.valueOf(type)), SEED);
    }

    record Served(int context, String quantize) {}

    protected final void check(TinyModel model, double[] frequencies) {
        check(model, model.weights, frequencies, frequencies, 1, new Served(0, "none"));
    }

    final void check(
            TinyModel model,
            Map<String, double[]> weights,
            double[] frequencies,
            double[] windowFrequencies,
            double factor,
            Served served) {
        EngineOptions options = new EngineOptions(served.context, 1 << 22, 4, 64, 16, 2, served.quantize);
        ReferenceDecoder reference = new ReferenceDecoder(
                model.spec, weights, frequencies, windowFrequencies, factor, UnaryOperator.identity());
        int length = served.context == 0 ? 70 : 60;
        double tolerance = tolerance(TOLERANCE, model.type);
        ReferenceCheck.check(this::load, model, reference, tolerance, options, SEED, length);
    }
}
