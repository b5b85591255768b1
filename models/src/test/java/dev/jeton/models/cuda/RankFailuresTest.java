package dev.jeton.models.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import dev.jeton.models.DeviceOptions;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.ModelException;
import dev.jeton.models.TensorType;
import dev.jeton.models.cpu.CpuEngineProvider;
import dev.jeton.models.engine.DeviceLostException;
import dev.jeton.models.engine.Driver;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepTicket;
import dev.jeton.models.engine.TokenMasks;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.TinyModel;
import dev.jeton.natives.testing.CudaStandIn;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.time.Duration;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** One of several GPUs fails, lacks something or refuses; nobody waits for it, and nothing is left behind. */
class RankFailuresTest {

    @RegisterExtension
    static final StandInMachine MACHINE = new StandInMachine(3);

    @TempDir
    Path folder;

    private static EngineOptions options(String devices, int ranks) {
        return new EngineOptions(256, 1 << 22, 4, 64, 16, 2, "none")
                .with(new DeviceOptions(devices, false, "auto", Duration.ZERO, ranks));
    }

    private Path model(String more) throws IOException {
        String config = Configs.config("LlamaForCausalLM", 64, 4, 2, 16, 96, "\"tie_word_embeddings\": true" + more);
        return new TinyModel(folder, config, TensorType.F16, 7).folder;
    }

    private Engine pair() throws IOException {
        return CudaEngine.load(model(""), options("", 2), MACHINE.libraries());
    }

    private static Map<CudaStandIn.Resource, Long> open() {
        Map<CudaStandIn.Resource, Long> open = new EnumMap<>(CudaStandIn.Resource.class);
        for (CudaStandIn.Resource resource : CudaStandIn.Resource.values()) {
            open.put(resource, MACHINE.knobs().open(resource));
        }
        return open;
    }

    @AfterEach
    void noThreadIsLeft() {
        assertThat(Thread.getAllStackTraces().keySet())
                .extracting(Thread::getName)
                .noneMatch(name -> name.startsWith("cuda-rank"));
    }

    @Test
    void givesBackAllThatItTook() throws IOException {
        Map<CudaStandIn.Resource, Long> before = open();
        try (Engine engine = pair()) {
            new Driver(engine).generate(0, new int[] {1, 2, 3}, SamplingParameters.GREEDY, 6, 3);
            assertThat(MACHINE.knobs().open(CudaStandIn.Resource.COMMUNICATORS)).isEqualTo(2);
        }
        assertThat(open()).isEqualTo(before);
    }

    /** In the middle of a step that the other device has begun, in its own thread or in the engine's. */
    @ParameterizedTest
    @CsvSource({"1, cuLaunchKernelEx, 9", "0, cuLaunchKernelEx, 9", "1, cuEventQuery, 1", "1, cuMemcpyHtoDAsync_v2, 1"})
    void losesItsSequencesAndNotTheProcessWhenOneDeviceIsLost(int device, String call, int nth) throws IOException {
        Engine engine = pair();
        Driver driver = new Driver(engine);
        Driver.Sequence sequence = driver.generate(0, new int[] {1, 2, 3}, SamplingParameters.GREEDY, 2, 3);
        MACHINE.knobs().lose(device, call, nth, 719);
        driver.begin().add(sequence, 1, StepBatch.PROMPT_LOG_PROBABILITIES);
        assertThatThrownBy(driver::run)
                .isInstanceOf(DeviceLostException.class)
                .hasMessageContaining("load the model anew")
                .hasMessageContaining("GPU " + device);
        assertThatThrownBy(() -> engine.open(1, new SequenceSpec(SamplingParameters.GREEDY, new int[] {1}, 1, 1)))
                .isInstanceOf(DeviceLostException.class);
        engine.close();
        assertThat(MACHINE.knobs().open(CudaStandIn.Resource.COMMUNICATORS)).isZero();
        MACHINE.knobs().heal();
        try (Engine anew = pair()) {
            assertThat(new Driver(anew)
                            .generate(0, new int[] {1, 2, 3}, SamplingParameters.GREEDY, 2, 3)
                            .generated())
                    .hasSize(2);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"ncclAllReduce", "ncclAllGather"})
    void exchangeThatOneRankCannotQueueIsALoss(String call) throws IOException {
        try (Engine engine = pair()) {
            Driver driver = new Driver(engine);
            Driver.Sequence sequence = driver.open(0, new int[] {1, 2, 3}, SamplingParameters.GREEDY);
            MACHINE.knobs().fail(1, call, 1, 3);
            driver.begin().add(sequence, 3, 0);
            assertThatThrownBy(driver::run)
                    .isInstanceOf(DeviceLostException.class)
                    .hasMessageContaining(call)
                    .hasMessageContaining("rank 1, GPU 1");
        }
    }

    /** While a step goes on that cannot end. */
    @Test
    void exchangeThatFailsByItselfIsALoss() throws IOException {
        try (Engine engine = pair()) {
            Driver driver = new Driver(engine);
            Driver.Sequence sequence = driver.open(0, new int[] {1, 2, 3}, SamplingParameters.GREEDY);
            MACHINE.knobs().fail("exchange", 0, 6);
            MACHINE.knobs().fail("cuEventQuery", 0, 600);
            driver.begin().add(sequence, 3, 0);
            assertThatThrownBy(driver::run)
                    .isInstanceOf(DeviceLostException.class)
                    .hasMessageContaining("an exchange of NCCL")
                    .hasMessageContaining("network error");
        }
    }

    @Test
    void refusesAStepForWhoseMasksOneDeviceHasNoMemoryAndGoesOn() throws IOException {
        try (Engine engine = pair()) {
            Driver driver = new Driver(engine);
            Driver.Sequence sequence = driver.open(0, new int[] {1, 2, 3}, SamplingParameters.GREEDY);
            driver.begin().add(sequence, 3, StepBatch.MASKED);
            MACHINE.knobs().fail(1, "cuMemAlloc_v2", 1, 2);
            assertThatThrownBy(() -> engine.launch(driver.batch()))
                    .isInstanceOf(EngineException.class)
                    .isNotInstanceOf(DeviceLostException.class)
                    .hasMessageContaining("grammar masks");
            StepTicket ticket = engine.launch(driver.batch());
            long[] only = new long[(301 + 63) / 64];
            only[2] = 1L << 5;
            engine.masks(ticket, new TokenMasks(1, only.length, only));
            assertThat(engine.await(ticket).tokens[0]).isEqualTo(2 * 64 + 5);
        }
    }

    @Test
    void modelThatOneDeviceHasNoRoomForIsRefusedAndLeavesNothing() throws IOException {
        Path model = model("");
        Map<CudaStandIn.Resource, Long> before = open();
        for (int nth : List.of(3, 40)) {
            MACHINE.knobs().fail(1, "cuMemAlloc_v2", nth, 2);
            assertThatThrownBy(() -> CudaEngine.load(model, options("", 2), MACHINE.libraries()))
                    .isInstanceOf(ModelException.class)
                    .hasMessageContaining("GPU-22222222");
            assertThat(open()).isEqualTo(before);
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "3     | 2 | 3 query heads; --tensor-parallel-size may be one of 1, 3",
                "'2,0,1' | 2 | --device 2,0,1 names 3 different GPUs, and --tensor-parallel-size is 2",
                "'1,1' | 2 | --device 1,1 names 1 different GPUs, and --tensor-parallel-size is 2",
                "'0,7' | 2 | no GPU is \"7\"",
                "''    | 4 | --tensor-parallel-size 4: this process may see 3 GPUs"
            })
    void refusesByName(String devices, int ranks, String message) throws IOException {
        boolean heads = devices.equals("3");
        Path model = heads
                ? new TinyModel(
                                folder,
                                Configs.config("LlamaForCausalLM", 48, 3, 3, 16, 96, "\"rms_norm_eps\": 1e-6"),
                                TensorType.F16,
                                7)
                        .folder
                : model("");
        assertThatThrownBy(() -> CudaEngine.load(model, options(heads ? "" : devices, ranks), MACHINE.libraries()))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining(message);
    }

    @Test
    void takesTheDevicesThatAreNamedInTheirOrder() throws IOException {
        try (Engine engine = CudaEngine.load(model(""), options("2, 0", 2), MACHINE.libraries())) {
            assertThat(engine.info().devices().getFirst()).contains("GPU-33333333");
            assertThat(engine.info().devices().getLast()).contains("GPU-11111111");
        }
    }

    @Test
    void saysWhatBringsNcclWhereItIsMissing() throws IOException {
        DeviceLibraries there = MACHINE.libraries();
        DeviceLibraries without = new DeviceLibraries(
                there.driver(),
                there.nvrtc(),
                there.cublasLt(),
                Optional.of(folder.resolve("nowhere.so")),
                false,
                there.cache());
        Path model = model("");
        assertThatThrownBy(() -> CudaEngine.load(model, options("", 2), without))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("nvidia-nccl");
        assertThatThrownBy(() -> new CpuEngineProvider().open(model, options("", 2)))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("the cpu engine runs a model on one device")
                .hasMessageContaining("--tensor-parallel-size 2");
    }

    @Test
    void allocatesLittleForAStepOfSeveral() throws IOException {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (Engine engine = pair()) {
            Driver driver = new Driver(engine);
            Driver.Sequence sequence = driver.generate(0, new int[] {1, 2, 3}, SamplingParameters.GREEDY, 2, 3);
            driver.reserve(sequence, 40);
            long least = Long.MAX_VALUE;
            for (int i = 0; i < 20; i++) {
                driver.begin().batch().addLastTokenRow(0, StepBatch.SAMPLE, 5 + i);
                for (int g = 0; g < sequence.table.length; g++) {
                    driver.batch().addBlocks(g, sequence.table[g], 0, sequence.table[g].length);
                }
                long before = threads.getCurrentThreadAllocatedBytes();
                engine.await(engine.launch(driver.batch()));
                least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
            }
            assertThat(least).as("bytes allocated by a step").isLessThanOrEqualTo(512);
        }
    }
}
