package dev.jeton.models.reference;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.SafetensorsWriter;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.stream.DoubleStream;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Families beyond the common plan against the float64 reference, for engines that compute all of them. */
public abstract class MoreFamiliesContract {

    private static final long SEED = 20_260_303;
    private static final double TOLERANCE = 2e-4;
    private static final String[] TYPES = {"F32", "BF16"};

    @TempDir
    Path folder;

    /** Loads a model folder onto the engine. */
    protected abstract Engine load(Path model, EngineOptions options);

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
    void shouldMatchTheReferenceForPhi3() throws IOException {
        for (String type : TYPES) {
            check(model(Configs.phi3("\"sliding_window\": 21"), type), plain(24));
        }
    }

    @Test
    void shouldMatchTheReferenceForPhi3OverQuantisedWeights() throws IOException {
        checkQuantised(model(Configs.phi3(""), "BF16"), plain(24), plain(24));
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
    void shouldMatchTheReferenceForGemma2OverQuantisedWeights() throws IOException {
        checkQuantised(model(Configs.gemma2(""), "BF16"), plain(24), plain(24));
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
    void shouldMatchTheReferenceForGemma3OverQuantisedWeights() throws IOException {
        double[] wide = DoubleStream.of(plain(24)).map(f -> f / 8).toArray();
        checkQuantised(model(Configs.gemma3(""), "BF16"), wide, local());
    }

    @Test
    void shouldServeTheTextOfGemma3WithImages() throws IOException {
        String text = Configs.gemma3("").replace("\"architectures\": [\"Gemma3ForCausalLM\"], ", "");
        String config =
                "{\"architectures\": [\"Gemma3ForConditionalGeneration\"], \"text_config\": %s}".formatted(text);
        checkGemma3(model(config, "BF16"));
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

    private static double[] local() {
        return IntStream.range(0, 12).mapToDouble(i -> Math.pow(500, -i / 12.0)).toArray();
    }

    private static double[] plain(int width) {
        return FamilyContract.plain(width);
    }

    private static String ramp(int from) {
        return IntStream.range(0, 12).mapToObj(i -> from + i / 4.0).toList().toString();
    }

    private TinyModel model(String config, String type) throws IOException {
        return new TinyModel(Files.createTempDirectory(folder, "model"), config, TensorType.valueOf(type), SEED);
    }

    private record Served(int context, String quantize) {}

    private void check(TinyModel model, double[] frequencies) {
        check(model, model.weights, frequencies, frequencies, 1, new Served(0, "none"));
    }

    /** All but the router is in eight bits. */
    private void checkQuantised(TinyModel model, double[] frequencies, double[] windowFrequencies) {
        Map<String, double[]> quantised = new LinkedHashMap<>(model.weights);
        quantised.replaceAll((name, values) -> model.shapes.get(name).length == 1 || name.endsWith("gate.weight")
                ? values
                : eights(values, model.shapes.get(name)[1]));
        check(model, quantised, frequencies, windowFrequencies, 1, new Served(0, "q8_0"));
    }

    private void check(
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
        ReferenceCheck.check(this::load, model, reference, TOLERANCE, options, SEED, length);
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
