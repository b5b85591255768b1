package dev.jeton.models.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.jeton.models.DeviceOptions;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.EightBits;
import dev.jeton.models.reference.FamilyContract;
import dev.jeton.models.reference.PackedWeights;
import dev.jeton.models.reference.ReferenceCheck;
import dev.jeton.models.reference.ReferenceDecoder;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The families, the formats of weights and the types of K and V on the GPU at hand; skipped where there is none. */
@Tag("gpu")
class GpuParityTest extends FamilyContract {

    private static final double SIXTEEN = 0.005;
    private static final String AWQ =
            "{\"quant_method\": \"awq\", \"bits\": 4, \"group_size\": 128, \"version\": \"gemm\", \"zero_point\": true}";

    private final CudaEngineProvider provider = new CudaEngineProvider();

    @TempDir
    Path own;

    @BeforeEach
    void needsAGpu() {
        String missing = provider.missing();
        assumeTrue(missing.isEmpty(), missing);
    }

    @Override
    protected Engine load(Path model, EngineOptions options) {
        return provider.open(model, options);
    }

    @Override
    protected TensorType exactly(TensorType type) {
        return type == TensorType.F32 ? TensorType.F16 : type;
    }

    @Override
    protected double tolerance(double ofFloat32, TensorType weights) {
        return weights == TensorType.BF16 ? 1 : 0.15;
    }

    private TinyModel model(String quantization, TinyModel.Storage storage) throws IOException {
        String more = "\"attention_bias\": true"
                + (quantization.isEmpty() ? "" : ", \"quantization_config\": " + quantization);
        String config = Configs.config("LlamaForCausalLM", 128, 4, 2, 32, 256, more);
        return new TinyModel(own, config, TensorType.F16, SEED, storage);
    }

    private double error(TinyModel model, String quantize, String kv, UnaryOperator<double[]> cached, int rows) {
        EngineOptions options = new EngineOptions(0, 1 << 22, 4, 160, 16, 2, quantize)
                .with(new DeviceOptions("", false, kv, Duration.ofSeconds(20)));
        ReferenceDecoder reference = new ReferenceDecoder(model.spec, model.weights, plain(32), 1, cached);
        return ReferenceCheck.errors(this::load, model, reference, options, SEED, rows, rows)
                .getAverage();
    }

    private double error(TinyModel model, String quantize, int rows) {
        return error(model, quantize, "auto", UnaryOperator.identity(), rows);
    }

    @ParameterizedTest
    @ValueSource(ints = {12, 40, 100})
    void int8WeightsAreThoseOfTheirDefinition(int rows) throws IOException {
        TinyModel model = model("", PackedWeights.atLoad(EightBits::int8));
        assertThat(error(model, "int8", rows)).isLessThan(SIXTEEN);
    }

    /** Many rows have activations in fp8, too, where the GPU can. */
    @ParameterizedTest
    @ValueSource(ints = {12, 60})
    void fp8WeightsAreThoseOfTheirDefinition(int rows) throws IOException {
        TinyModel model = model("", PackedWeights.atLoad(EightBits::scaledE4m3));
        assertThat(error(model, "fp8", rows)).isLessThan(rows > 16 ? 40 * SIXTEEN : SIXTEEN);
    }

    @ParameterizedTest
    @CsvSource({"12, 128", "70, 128", "140, 128", "12, 64", "70, 64", "12, 32", "70, 32"})
    void awqWeightsAreThoseOfTheirDefinition(int rows, int group) throws IOException {
        TinyModel model = model(AWQ.replace("128", Integer.toString(group)), PackedWeights.awq(group));
        assertThat(error(model, "none", rows)).isLessThan(SIXTEEN);
    }

    @Test
    void fp8PagesAreThoseOfTheirDefinition() throws IOException {
        TinyModel model = model("", TinyModel.Storage.PLAIN);
        UnaryOperator<double[]> fp8 = head -> EightBits.e4m3(head, 1);
        double found = error(model, "none", "fp8", fp8, 70);
        assertThat(found).isLessThan(error(model, "none", "fp8", UnaryOperator.identity(), 70) / 2);
    }

    @Test
    void int8PagesAreNearTheirDefinition() throws IOException {
        TinyModel model = model("", TinyModel.Storage.PLAIN);
        assertThat(error(model, "none", "int8", EightBits::int8, 70))
                .isLessThan(error(model, "none", "fp8", EightBits::int8, 70) / 4);
    }
}
