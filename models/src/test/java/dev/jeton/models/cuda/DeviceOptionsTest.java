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
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Which GPU an engine takes, and how it chooses algorithms for products, on a machine that stands in for a GPU. */
class DeviceOptionsTest {

    /** The model's widths are no multiples of 32, so all of its products go through cuBLASLt. */
    private static final EngineOptions OPTIONS = new EngineOptions(64, 4 << 20, 2, 20, 16, 0, "none");

    private static final Duration LONG = Duration.ofHours(1);

    @RegisterExtension
    static final StandInMachine MACHINE = new StandInMachine();

    @TempDir
    Path folder;

    private Path model;
    private DeviceLibraries libraries;

    @BeforeEach
    void make() throws IOException {
        String config = Configs.config("LlamaForCausalLM", 104, 4, 2, 26, 168, "\"tie_word_embeddings\": true");
        model = new TinyModel(folder.resolve("model"), config, TensorType.BF16, 3).folder;
        libraries = MACHINE.librariesWithNewCache();
    }

    private Engine load(DeviceOptions options) {
        return CudaEngine.load(model, OPTIONS.with(options), libraries);
    }

    private long products(DeviceOptions options) {
        long before = MACHINE.knobs().calls("cublasLtMatmul");
        load(options).close();
        return MACHINE.knobs().calls("cublasLtMatmul") - before;
    }

    private long kept() throws IOException {
        Path algorithms = libraries.cache().resolve("algorithms");
        if (!Files.exists(algorithms)) {
            return 0;
        }
        try (Stream<Path> files = Files.list(algorithms)) {
            return files.count();
        }
    }

    @Test
    void firstLoadTimesAlgorithmsForTheShapesInUseAndKeepsThemForTheNext() throws IOException {
        long first = products(new DeviceOptions("", false, "auto", LONG));
        // four products of three layers and the head, each for 1, 2, 16 and 20 rows
        assertThat(kept()).isEqualTo(4 * 5);
        long second = products(new DeviceOptions("", false, "auto", LONG));
        // of each shape one product before, and three candidates with the matrices of all layers, the head's twice
        assertThat(first - second).isEqualTo(4 * (4 * (1 + 3 * 3) + (1 + 3 * 2)));
        assertThat(kept()).isEqualTo(4 * 5);
    }

    @Test
    void loadWithoutTimeToSearchLeavesAllToALaterOne() throws IOException {
        products(new DeviceOptions("", false, "auto", Duration.ZERO));
        assertThat(kept()).isZero();
        products(new DeviceOptions("", false, "auto", LONG));
        assertThat(kept()).isPositive();
    }

    @Test
    void deterministicEngineTimesNothing() throws IOException {
        long plain = products(new DeviceOptions("", false, "auto", Duration.ZERO));
        assertThat(products(new DeviceOptions("", true, "auto", LONG))).isEqualTo(plain);
        assertThat(kept()).isZero();
    }

    @Test
    void fastestAlgorithmIsWhatStepsRunBy() throws IOException {
        MACHINE.knobs().clock(1);
        // far less than the host takes, which bounds the time of a step
        MACHINE.knobs().product(0, 50_000);
        MACHINE.knobs().product(1, 100_000);
        MACHINE.knobs().product(2, 200_000);
        long searched = nanosOfAPrompt(new DeviceOptions("", false, "auto", LONG));
        libraries = MACHINE.librariesWithNewCache();
        long chosenByCublas = nanosOfAPrompt(new DeviceOptions("", false, "auto", Duration.ZERO));
        assertThat(searched).isPositive().isLessThan(chosenByCublas * 2 / 5);
    }

    /** The device's time of a step of 20 tokens. */
    private long nanosOfAPrompt(DeviceOptions options) {
        try (Engine engine = load(options)) {
            Driver driver = new Driver(engine);
            int[] prompt = new int[20];
            Driver.Sequence sequence = driver.open(0, prompt, SamplingParameters.GREEDY);
            driver.begin().add(sequence, 20, 0);
            var result = driver.run();
            return result.endNanos - result.startNanos;
        }
    }

    @Test
    void takesTheGpuThatIsNamedByNumberOrUuid() {
        MACHINE.knobs().devices(3, 9, 0, 1L << 30);
        assertThat(name("")).contains("GPU-11111111");
        assertThat(name("2")).contains("GPU-33333333");
        assertThat(name("gpu-2222")).contains("GPU-22222222");
    }

    private String name(String device) {
        try (Engine engine = load(new DeviceOptions(device, true, "auto", Duration.ZERO))) {
            return engine.info().devices().getFirst();
        }
    }

    @Test
    void listsTheGpusWhereTheOneThatIsNamedIsNotThere() {
        MACHINE.knobs().devices(2, 9, 0, 1L << 30);
        for (String wanted : new String[] {"2", "GPU-9", "GPU-"}) {
            assertThatThrownBy(() -> load(new DeviceOptions(wanted, true, "auto", Duration.ZERO)))
                    .isInstanceOf(ModelException.class)
                    .hasMessageContaining("\"" + wanted + "\"")
                    .hasMessageContaining("0: Stand-in H200 (GPU-11111111")
                    .hasMessageContaining("1: Stand-in H200 (GPU-22222222");
        }
    }
}
