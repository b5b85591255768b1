package dev.jeton.models.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.DeviceOptions;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.ModelException;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.GgufModel;
import dev.jeton.models.reference.GptOssContract;
import dev.jeton.models.reference.ReferenceCheck;
import dev.jeton.models.reference.ReferenceDecoder;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * gpt-oss with its experts in every format, on one GPU and on several, against the float64 reference. A token goes
 * through all experts, so that no choice hangs on rounding; 40 tokens in a step give each more than 16 rows, and
 * decodes fewer.
 */
class GptOssFormatTest {

    private static final long SEED = 20_261_131;
    /** Most that sixteen bits may be off on average. */
    private static final double SIXTEEN = 0.005;

    @RegisterExtension
    static final StandInMachine MACHINE = new StandInMachine(4);

    @TempDir
    Path folder;

    private static EngineOptions options(int ranks, String quantize) {
        return new EngineOptions(256, 1 << 22, 4, 64, 16, 2, quantize)
                .with(new DeviceOptions("", false, "auto", Duration.ZERO, ranks));
    }

    private static Engine load(Path model, EngineOptions options) {
        return CudaEngine.load(model, options, MACHINE.libraries());
    }

    private TinyModel model(int hidden, int width, String more) throws IOException {
        String plan = "\"num_local_experts\": 3, \"num_experts_per_tok\": 3, \"sliding_window\": 21,"
                + " \"rope_scaling\": {\"rope_type\": \"yarn\", \"factor\": 4.0, \"truncate\": false,"
                + " \"original_max_position_embeddings\": 256}" + (more.isEmpty() ? "" : ", " + more);
        String config = Configs.config("GptOssForCausalLM", hidden, 8, 4, 32, width, plan)
                .replace("\"num_hidden_layers\": 3", "\"num_hidden_layers\": 2");
        return new TinyModel(folder, config, TensorType.F16, SEED);
    }

    private static double error(TinyModel model, int ranks, String quantize) {
        return ReferenceCheck.errors(
                        GptOssFormatTest::load,
                        model,
                        GptOssContract.reference(model),
                        options(ranks, quantize),
                        SEED,
                        40,
                        40,
                        ReferenceCheck.GENERATED_TO_SEE_WEIGHTS)
                .getAverage();
    }

    /** Widths of whole turns of a warp, and such as end within one, as 2,880 does. */
    @ParameterizedTest
    @CsvSource({"128, 128", "96, 160", "160, 32"})
    void readsExpertsOfFourBits(int hidden, int width) throws IOException {
        assertThat(error(model(hidden, width, Configs.MXFP4), 1, "none")).isLessThan(SIXTEEN);
    }

    @Test
    void readsExpertsOfSixteenBits() throws IOException {
        assertThat(error(model(96, 72, ""), 1, "none")).isLessThan(SIXTEEN);
    }

    /** Near the weights, and not as near as if they were not rounded. */
    @ParameterizedTest
    @ValueSource(strings = {"int8", "fp8"})
    void quantisesExpertsOfSixteenBits(String quantize) throws IOException {
        assertThat(error(model(96, 160, ""), 1, quantize)).isBetween(SIXTEEN, 0.25);
    }

    /** Experts as they are in the file, and attention in sixteen bits, whatever that has. */
    @ParameterizedTest
    @ValueSource(ints = {1, 4})
    void readsGgufFiles(int ranks) throws IOException {
        TinyModel tiny = model(96, 160, "");
        GgufModel gguf = new GgufModel(
                "gpt-oss",
                tiny.spec,
                tiny.weights,
                name -> name.contains(".experts.") ? TensorType.MXFP4 : TensorType.F16);
        gguf.writer
                .put("gpt-oss.rope.scaling.type", "yarn")
                .put("gpt-oss.rope.scaling.factor", 4f)
                .put("gpt-oss.rope.scaling.original_context_length", 256);
        Path file = gguf.write(folder.resolve("m.gguf"));
        ReferenceDecoder reference = GptOssContract.reference(tiny.spec, gguf.weights);
        double error = ReferenceCheck.errors(
                        (path, options) -> load(file, options),
                        tiny,
                        reference,
                        options(ranks, "none"),
                        SEED,
                        40,
                        40,
                        ReferenceCheck.GENERATED_TO_SEE_WEIGHTS)
                .getAverage();
        assertThat(error).isLessThan(SIXTEEN);
    }

    @Test
    void refusesToQuantiseFourBitsAgain() throws IOException {
        Path model = model(96, 64, Configs.MXFP4).folder;
        assertThatThrownBy(() -> load(model, options(1, "fp8")))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("quantised already");
    }

    /** Scales of 32 inputs that divide evenly, that leave the last part fewer, and that leave it none. */
    @ParameterizedTest
    @CsvSource({"128, 2", "128, 4", "160, 2", "160, 4", "96, 4"})
    void dividesExpertsOfFourBits(int width, int ranks) throws IOException {
        assertThat(error(model(96, width, Configs.MXFP4), ranks, "none")).isLessThan(SIXTEEN);
    }

    @ParameterizedTest
    @ValueSource(ints = {2, 4})
    void dividesExpertsOfSixteenBits(int ranks) throws IOException {
        assertThat(error(model(96, 160, ""), ranks, "none")).isLessThan(SIXTEEN);
    }

    /** The last scale of a matrix that the file has. */
    @ParameterizedTest
    @CsvSource({"255, NaN", "129, 2^2"})
    void refusesScalesThatTheTypeDoesNotHold(int scale, String named) throws IOException {
        TinyModel model = model(96, 64, Configs.MXFP4);
        Path file = model.folder.resolve("model.safetensors");
        byte[] bytes = Files.readAllBytes(file);
        int header = (int) ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong(0);
        String described = new String(bytes, 8, header, StandardCharsets.UTF_8);
        String offsets = described.replaceFirst(
                ".*layers\\.1\\.mlp\\.experts\\.down_proj_scales\"[^}]*\"data_offsets\":\\s*\\[\\d+,\\s*(\\d+)\\].*",
                "$1");
        bytes[8 + header + Integer.parseInt(offsets) - 1] = (byte) scale;
        Files.write(file, bytes);
        assertThatThrownBy(() -> load(model.folder, options(1, "none")))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("layers.1.mlp.experts.2.down_proj")
                .hasMessageContaining("scale " + named)
                .hasMessageContaining("FP16");
    }
}
