package dev.jeton.models.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.DeviceOptions;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.ModelException;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Driver;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** When kernels of the engine may begin while the one before ends, and that it changes no token. */
class ProgrammaticLaunchesTest {

    @RegisterExtension
    static final StandInMachine MACHINE = new StandInMachine();

    private static final int NOT_SUPPORTED = 801;
    private static final int[] PROMPT = {5, 9, 200, 31, 7, 7, 90};
    private static final int TOKENS = 12;

    @TempDir
    private static Path folder;

    private Path model;
    private String quantize = "none";

    @BeforeEach
    void make() throws IOException {
        make("LlamaForCausalLM", "\"tie_word_embeddings\": true");
    }

    /** Widths are multiples of 128, so decodes go through our own kernels, which begin ahead of their wait. */
    private void make(String architecture, String more) throws IOException {
        String config = Configs.config(architecture, 128, 4, 2, 32, 256, more);
        model = new TinyModel(folder.resolve(architecture), config, TensorType.BF16, 3).folder;
    }

    private Engine load(boolean programmatic, int ranks) {
        DeviceOptions device = new DeviceOptions("", false, "auto", Duration.ZERO, ranks, programmatic, false);
        EngineOptions options = new EngineOptions(64, 4 << 20, 2, 20, 16, 0, quantize);
        return CudaEngine.load(model, options.with(device), MACHINE.libraries());
    }

    private static int[] generate(Engine engine) {
        return new Driver(engine)
                .generate(0, PROMPT, SamplingParameters.GREEDY, TOKENS, PROMPT.length)
                .generated();
    }

    private long programmatic() {
        return MACHINE.knobs().calls("cuLaunchKernelEx");
    }

    private int[] withoutThem() {
        try (Engine engine = load(false, 1)) {
            int[] tokens = generate(engine);
            assertThat(programmatic()).isZero();
            return tokens;
        } finally {
            MACHINE.reset();
        }
    }

    @ParameterizedTest
    @CsvSource({"1,none", "2,none", "3,fp8", "4,int8"})
    void changeNoTokenHoweverEarlyKernelsBegin(long seed, String weights) {
        quantize = weights;
        assertNoTokenChanges(seed);
    }

    @ParameterizedTest
    @ValueSource(longs = {5, 6})
    void changeNoTokenOfExperts(long seed) throws IOException {
        make("MixtralForCausalLM", "\"num_local_experts\": 5, \"num_experts_per_tok\": 2");
        assertNoTokenChanges(seed);
    }

    private void assertNoTokenChanges(long seed) {
        int[] expected = withoutThem();
        try (Engine engine = load(true, 1)) {
            MACHINE.knobs().deferred(seed);
            MACHINE.knobs().order(seed);
            assertThat(new Driver(engine).generateWithTwoInFlight(0, PROMPT, SamplingParameters.GREEDY, TOKENS))
                    .as("seed %d", seed)
                    .isEqualTo(expected);
            assertThat(programmatic()).isPositive();
        }
    }

    @Test
    void loadOfAModelDoesWithoutThem() {
        MACHINE.knobs().fail("cuStreamBeginCapture_v2", 1, NOT_SUPPORTED);
        try (Engine engine = load(true, 1)) {
            // nothing was launched so but the one step that was to be captured next
            assertThat(programmatic()).isPositive().isLessThan(60);
        }
    }

    @Test
    void everyKernelPrefersTheSameDivisionOfMemory() {
        load(false, 1).close();
        long plain = MACHINE.knobs().calls("cuFuncSetAttribute");
        long kernels = MACHINE.knobs().calls("cuModuleGetFunction");
        MACHINE.reset();
        load(true, 1).close();
        assertThat(MACHINE.knobs().calls("cuFuncSetAttribute") - plain).isEqualTo(kernels);
    }

    @Test
    void olderGpuDoesWithoutThem() {
        int[] expected = withoutThem();
        MACHINE.knobs().devices(1, 8, 0, 1L << 30);
        try (Engine engine = load(true, 1)) {
            assertThat(generate(engine)).isEqualTo(expected);
            assertThat(programmatic()).isZero();
        }
    }

    @ParameterizedTest
    @CsvSource({"cuLaunchKernelEx,0", "cuStreamBeginCapture_v2,1", "cuGraphInstantiateWithFlags,1", "cuGraphLaunch,1"})
    void driverThatRefusesThemCostsNoToken(String call, long nth) {
        int[] expected = withoutThem();
        MACHINE.knobs().fail(call, nth, NOT_SUPPORTED);
        try (Engine engine = load(true, 1)) {
            long before = programmatic();
            assertThat(generate(engine)).isEqualTo(expected);
            assertThat(programmatic()).isEqualTo(before);
        }
    }

    /** The machine loses a device on which a graph is made while another has yet to come to an exchange. */
    @Test
    void severalGpusRecordNothingWhileOneWaitsForAnother() {
        int[] expected = withoutThem();
        MACHINE.knobs().devices(2, 9, 0, 1L << 30);
        try (Engine engine = load(true, 2)) {
            assertThat(generate(engine)).isEqualTo(expected);
            assertThat(programmatic()).isPositive();
        }
    }

    @ParameterizedTest
    @CsvSource({"cuLaunchKernelEx,0", "cuStreamBeginCapture_v2,1", "cuGraphInstantiateWithFlags,1"})
    void driverThatRefusesThemOnOneOfSeveralGpusIsSaidWithTheSettingToChange(String call, long nth) {
        MACHINE.knobs().devices(2, 9, 0, 1L << 30);
        MACHINE.knobs().patience(200);
        MACHINE.knobs().fail(call, nth, NOT_SUPPORTED);
        assertThatThrownBy(() -> load(true, 2))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("engine.programmatic-launches: false")
                .hasMessageContaining("CUDA_ERROR_NOT_SUPPORTED");
    }
}
