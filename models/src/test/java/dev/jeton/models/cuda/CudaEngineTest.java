package dev.jeton.models.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.ModelException;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.DeviceLostException;
import dev.jeton.models.engine.Driver;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.LogitBias;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepContract;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.engine.StepTicket;
import dev.jeton.models.engine.TokenMasks;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.TinyModel;
import dev.jeton.natives.testing.CudaStandIn;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The whole engine on a machine that stands in for a GPU and really runs its kernels. */
class CudaEngineTest extends StepContract {

    private static final EngineOptions OPTIONS =
            new EngineOptions(512, 8 << 20, 4, 64, 16, 0, "none").withHostKv(1 << 20);

    @RegisterExtension
    static final StandInMachine MACHINE = new StandInMachine();

    @TempDir
    Path folder;

    /**
     * Down has 96 inputs, so few rows go through our own product, which adds to the residual stream itself, and many
     * through cuBLASLt, which leaves that to the next norm: a step that follows one of the other kind must know.
     */
    @Override
    protected Engine create() throws IOException {
        String windows = "\"use_sliding_window\": true, \"sliding_window\": 24, \"max_window_layers\": 1";
        Path model = Files.createTempDirectory(folder, "model");
        new TinyModel(model, Configs.qwen2(windows), TensorType.BF16, 3);
        return CudaEngine.load(model, OPTIONS, MACHINE.libraries());
    }

    /** Activations have eight bits of fraction. */
    @Override
    protected double tolerance() {
        return 0.05;
    }

    @Test
    void hasOneLayerGroupPerWindow() throws IOException {
        try (Engine engine = create()) {
            assertThat(engine.info().groups()).extracting(g -> g.window()).containsExactly(0, 24);
        }
    }

    /** CUDA_ERROR_OUT_OF_MEMORY. */
    private static final int OUT_OF_MEMORY = 2;

    private static final SamplingParameters GREEDY_SCORED =
            new SamplingParameters(0, 0, 1, 0, 1, 0, 0, LogitBias.NONE, 0, 0, new int[0], 3);
    private static final SamplingParameters PENALISED =
            new SamplingParameters(0.7, 40, 0.9, 0.01, 1.1, 0.2, 0.1, LogitBias.NONE, 1, 0, new int[0], -1);

    /**
     * Two steps in flight, the second from the first one's tokens, while the device does its work late and by itself.
     */
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void givesTheSameTokensWithTwoStepsInFlightOnALateDevice(long seed) throws IOException {
        int[] prompt = {5, 9, 200, 31, 7, 7, 90};
        int[] expected;
        try (Engine engine = create()) {
            expected = new Driver(engine)
                    .generate(0, prompt, SamplingParameters.GREEDY, 12, prompt.length)
                    .generated();
        }
        MACHINE.knobs().reset();
        try (Engine engine = create()) {
            MACHINE.knobs().deferred(seed);
            int[] tokens =
                    new Driver(engine).generateWithTwoInFlight(0, prompt, SamplingParameters.GREEDY, expected.length);
            assertThat(tokens).as("seed %d", seed).isEqualTo(expected);
        }
    }

    @Test
    void runsPlainDecodesAsGraphs() throws IOException {
        try (Engine engine = create()) {
            Driver driver = new Driver(engine);
            Driver.Sequence sequence = driver.generate(0, new int[] {1, 2, 3}, SamplingParameters.GREEDY, 1, 3);
            long graphs = MACHINE.knobs().calls("cuGraphLaunch");
            long kernels = MACHINE.knobs().calls("cuLaunchKernelEx");
            for (int i = 0; i < 5; i++) {
                driver.begin().addLast(sequence);
                driver.apply(driver.run(), 0, sequence);
            }
            assertThat(MACHINE.knobs().calls("cuGraphLaunch") - graphs).isEqualTo(5);
            assertThat(MACHINE.knobs().calls("cuLaunchKernelEx")).isEqualTo(kernels);
        }
    }

    /**
     * The fourth graph, the first of steps of two rows, finds no memory; programmatic launches are tried with one of
     * their own.
     */
    @Test
    void runsStepsWithoutGraphsWhereTheDeviceHasNoMemoryForThem() throws IOException {
        int[] prompt = {1, 2, 3};
        int[] expected;
        try (Engine engine = create()) {
            expected = new Driver(engine)
                    .generate(0, prompt, SamplingParameters.GREEDY, 6, 3)
                    .generated();
        }
        MACHINE.knobs().reset();
        MACHINE.knobs().fail("cuGraphInstantiateWithFlags", 4, OUT_OF_MEMORY);
        try (Engine engine = create()) {
            Driver driver = new Driver(engine);
            Driver.Sequence one = driver.generate(0, prompt, SamplingParameters.GREEDY, 1, 3);
            Driver.Sequence two = driver.generate(1, prompt, SamplingParameters.GREEDY, 1, 3);
            long graphs = MACHINE.knobs().calls("cuGraphLaunch");
            for (int i = 0; i < 4; i++) {
                driver.begin().addLast(one);
                driver.addLast(two);
                StepResult result = driver.run();
                driver.apply(result, 0, one);
                driver.apply(result, 1, two);
            }
            assertThat(MACHINE.knobs().calls("cuGraphLaunch")).isEqualTo(graphs);
            driver.begin().addLast(one);
            driver.apply(driver.run(), 0, one);
            assertThat(MACHINE.knobs().calls("cuGraphLaunch")).isEqualTo(graphs + 1);
            assertThat(one.generated()).isEqualTo(expected);
        }
    }

    /**
     * Widths of 128: few rows go through our own products, which leave the final norm nothing to add, and the prompt's
     * through cuBLASLt, which leaves it what down gave.
     */
    @Test
    void samplesAMaskedDecodeFromItsOwnStepWhateverTheOneBeforeLeft() throws IOException {
        Path model = Files.createTempDirectory(folder, "model");
        new TinyModel(
                model,
                Configs.config("LlamaForCausalLM", 128, 4, 2, 32, 256, "\"tie_word_embeddings\": true"),
                TensorType.BF16,
                3);
        int[] prompt = new Random(5).ints(20, 0, 301).toArray();
        try (Engine engine = CudaEngine.load(model, OPTIONS, MACHINE.libraries())) {
            Driver driver = new Driver(engine);
            Driver.Sequence expected = driver.generate(0, prompt, GREEDY_SCORED, 6, prompt.length);
            Driver.Sequence sequence = driver.open(1, prompt, GREEDY_SCORED);
            for (int i = 0; i < 6; i++) {
                driver.begin().add(sequence, sequence.length - sequence.computed, StepBatch.MASKED);
                StepTicket ticket = engine.launch(driver.batch());
                long[] all = new long[(301 + 63) / 64];
                Arrays.fill(all, -1);
                engine.masks(ticket, new TokenMasks(1, all.length, all));
                driver.apply(engine.await(ticket), 0, sequence);
            }
            assertThat(sequence.logProbabilities).isEqualTo(expected.logProbabilities);
        }
    }

    @Test
    void runsMaskedDecodesAsGraphsUpToTheirSampling() throws IOException {
        try (Engine engine = create()) {
            Driver driver = new Driver(engine);
            Driver.Sequence sequence = driver.generate(0, new int[] {1, 2, 3}, SamplingParameters.GREEDY, 1, 3);
            long graphs = MACHINE.knobs().calls("cuGraphLaunch");
            for (int i = 0; i < 5; i++) {
                driver.begin().add(sequence, 1, StepBatch.MASKED);
                StepTicket ticket = engine.launch(driver.batch());
                assertThat(MACHINE.knobs().calls("cuGraphLaunch") - graphs).isEqualTo(i + 1);
                long[] only = new long[(301 + 63) / 64];
                only[3] = 1L << i;
                engine.masks(ticket, new TokenMasks(1, only.length, only));
                driver.apply(engine.await(ticket), 0, sequence);
                assertThat(sequence.tokens[sequence.length - 1]).isEqualTo(3 * 64 + i);
            }
        }
    }

    @Test
    void doesNotOpenASlotWhoseStepWaitsForMasks() throws IOException {
        try (Engine engine = create()) {
            Driver driver = new Driver(engine);
            Driver.Sequence sequence = driver.open(0, new int[] {1, 2, 3}, SamplingParameters.GREEDY);
            driver.begin().add(sequence, 3, StepBatch.MASKED);
            StepTicket ticket = engine.launch(driver.batch());
            engine.close(0);
            SequenceSpec other = new SequenceSpec(SamplingParameters.GREEDY, new int[] {4}, 1, 1);
            assertThatThrownBy(() -> engine.open(0, other))
                    .isInstanceOf(EngineException.class)
                    .hasMessageContaining("masks");
            long[] all = new long[(301 + 63) / 64];
            Arrays.fill(all, -1);
            engine.masks(ticket, new TokenMasks(1, all.length, all));
            assertThat(engine.await(ticket).accepted[0]).isZero();
            engine.open(0, other);
        }
    }

    /** Another use of memory fills the device; the step is refused, and the engine goes on. */
    @Test
    void refusesAStepWhoseMasksFindNoMemoryAndGoesOn() throws IOException {
        try (Engine engine = create()) {
            Driver driver = new Driver(engine);
            Driver.Sequence sequence = driver.open(0, new int[] {1, 2, 3}, SamplingParameters.GREEDY);
            driver.begin().add(sequence, 3, StepBatch.MASKED);
            for (String call : List.of("cuMemHostAlloc", "cuMemAlloc_v2")) {
                MACHINE.knobs().fail(call, 1, 2);
                assertThatThrownBy(() -> engine.launch(driver.batch()))
                        .isInstanceOf(EngineException.class)
                        .isNotInstanceOf(DeviceLostException.class)
                        .hasMessageContaining("grammar masks")
                        .hasMessageContaining("--kv-memory");
            }
            StepTicket ticket = engine.launch(driver.batch());
            long[] only = new long[(301 + 63) / 64];
            only[2] = 1L << 5;
            engine.masks(ticket, new TokenMasks(1, only.length, only));
            StepResult result = engine.await(ticket);
            assertThat(result.accepted[0]).isEqualTo(1);
            assertThat(result.tokens[result.tokenStart[0]]).isEqualTo(2 * 64 + 5);
        }
    }

    @Test
    void copiesBlocksAsIfOneAfterTheOther() throws IOException {
        int[] prompt = {5, 9, 200, 31, 7, 7, 90};
        try (Engine engine = create()) {
            Driver driver = new Driver(engine);
            int[] expected =
                    driver.generate(0, prompt, SamplingParameters.GREEDY, 4, 7).generated();
            Driver.Sequence moved = driver.generate(1, prompt, SamplingParameters.GREEDY, 1, 7);
            for (int g = 0; g < moved.table.length; g++) {
                int first = moved.table[g][0];
                engine.transfer(g, new int[] {first, first + 3}, new int[] {first + 3, first + 5}, 2);
                moved.table[g][0] = first + 5;
            }
            for (int i = 1; i < expected.length; i++) {
                driver.begin().addLast(moved);
                driver.apply(driver.run(), 0, moved);
            }
            assertThat(moved.generated()).isEqualTo(expected);
        }
    }

    /** More rows than our own product takes go through cuBLASLt, and a bucket has rows that are not there. */
    @Test
    void givesManyRowsTheTokensOfEachAlone() throws IOException {
        int rows = 19;
        EngineOptions options = new EngineOptions(128, 8 << 20, 24, 64, 16, 0, "none");
        TinyModel model = new TinyModel(folder.resolve("many"), Configs.llama(""), TensorType.F16, 5);
        try (Engine engine = CudaEngine.load(model.folder, options, MACHINE.libraries())) {
            Driver driver = new Driver(engine, 7);
            List<int[]> alone = new ArrayList<>();
            for (int i = 0; i < rows; i++) {
                Driver.Sequence sequence = driver.generate(i, prompt(i), GREEDY_SCORED, 4, 64);
                alone.add(sequence.generated());
                driver.close(sequence);
            }
            List<Driver.Sequence> together = new ArrayList<>();
            for (int i = 0; i < rows; i++) {
                together.add(driver.generate(i, prompt(i), GREEDY_SCORED, 1, 64));
            }
            int same = 0;
            for (int step = 1; step < 4; step++) {
                driver.begin();
                together.forEach(driver::addLast);
                StepResult result = driver.run();
                for (int i = 0; i < rows; i++) {
                    driver.apply(result, i, together.get(i));
                }
            }
            for (int i = 0; i < rows; i++) {
                same += Arrays.equals(together.get(i).generated(), alone.get(i)) ? 1 : 0;
            }
            assertThat(same).as("of %d; a near tie may fall otherwise", rows).isGreaterThanOrEqualTo(rows - 2);
        }
    }

    private static int[] prompt(int seed) {
        return new Random(seed).ints(3 + seed % 5, 0, 301).toArray();
    }

    @Test
    void scoresPromptsOfMoreRowsOfLogitsThanAreComputedTogether() throws IOException {
        EngineOptions options = new EngineOptions(512, 8 << 20, 4, 400, 16, 0, "none");
        TinyModel model = new TinyModel(folder.resolve("long"), Configs.llama(""), TensorType.F16, 5);
        int[] prompt = new Random(9).ints(300, 0, 301).toArray();
        float[][] scores = new float[2][prompt.length - 1];
        try (Engine engine = CudaEngine.load(model.folder, options, MACHINE.libraries())) {
            Driver driver = new Driver(engine);
            for (int way = 0; way < 2; way++) {
                int chunk = way == 0 ? prompt.length : 100;
                Driver.Sequence sequence = driver.open(way, prompt, GREEDY_SCORED);
                while (sequence.computed < prompt.length) {
                    int from = sequence.computed;
                    driver.begin().add(sequence, chunk, StepBatch.PROMPT_LOG_PROBABILITIES);
                    StepResult result = driver.run();
                    System.arraycopy(
                            result.promptLogProbabilities,
                            0,
                            scores[way],
                            from,
                            Math.min(chunk, prompt.length - 1 - from));
                    driver.apply(result, 0, sequence);
                }
            }
        }
        assertThat(scores[0]).usingComparatorWithPrecision(0.1f).containsExactly(scores[1]);
    }

    @Test
    void samplesWithPenaltiesLikeTheHostsSamplerWhateverTheGraphsHeldBefore() throws IOException {
        try (Engine engine = create()) {
            Driver driver = new Driver(engine);
            Driver.Sequence plain = driver.generate(0, new int[] {1, 2, 3}, SamplingParameters.GREEDY, 4, 3);
            driver.close(plain);
            int[] first =
                    driver.generate(1, new int[] {1, 2, 3}, PENALISED, 8, 3).generated();
            Driver.Sequence again = driver.generate(2, new int[] {1, 2, 3}, PENALISED, 8, 3);
            assertThat(again.generated()).isEqualTo(first);
        }
    }

    @Test
    void losesItsSequencesAndNotTheProcessWhenTheDeviceIsLost() throws IOException {
        Engine engine = create();
        Driver driver = new Driver(engine);
        Driver.Sequence sequence = driver.generate(0, new int[] {1, 2, 3}, SamplingParameters.GREEDY, 2, 3);
        MACHINE.knobs().lose("cuLaunchKernelEx", 3, 719);
        driver.begin().add(sequence, 1, StepBatch.PROMPT_LOG_PROBABILITIES);
        assertThatThrownBy(driver::run)
                .isInstanceOf(DeviceLostException.class)
                .hasMessageContaining("load the model anew");
        assertThatThrownBy(() -> engine.open(1, new SequenceSpec(SamplingParameters.GREEDY, new int[] {1}, 1, 1)))
                .isInstanceOf(DeviceLostException.class);
        MACHINE.knobs().heal();
        assertThatThrownBy(() -> engine.launch(driver.batch())).isInstanceOf(DeviceLostException.class);
        engine.close();
    }

    @Test
    void givesBackAllThatItTook() throws IOException {
        Map<CudaStandIn.Resource, Long> before = open();
        try (Engine engine = create()) {
            new Driver(engine).generate(0, new int[] {1, 2, 3}, SamplingParameters.GREEDY, 6, 3);
        }
        assertThat(open()).isEqualTo(before);
    }

    private static Map<CudaStandIn.Resource, Long> open() {
        Map<CudaStandIn.Resource, Long> open = new EnumMap<>(CudaStandIn.Resource.class);
        for (CudaStandIn.Resource resource : CudaStandIn.Resource.values()) {
            open.put(resource, MACHINE.knobs().open(resource));
        }
        return open;
    }

    @Test
    void saysWhatToDoWhereTheModelDoesNotFit() {
        Map<CudaStandIn.Resource, Long> before = open();
        EngineOptions options = new EngineOptions(512, 8L << 30, 4, 64, 16, 0, "none");
        assertThatThrownBy(() -> CudaEngine.load(
                        new TinyModel(folder.resolve("big"), Configs.llama(""), TensorType.F16, 5).folder,
                        options,
                        MACHINE.libraries()))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("--kv-memory");
        assertThat(open()).isEqualTo(before);
    }

    @Test
    void allocatesLittleForAStepOnceItsGraphIsThere() throws IOException {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (Engine engine = create()) {
            Driver driver = new Driver(engine);
            Driver.Sequence sequence = driver.generate(0, new int[] {1, 2, 3}, SamplingParameters.GREEDY, 1, 3);
            driver.reserve(sequence, 100);
            StepBatch batch = driver.batch();
            long least = Long.MAX_VALUE;
            for (int i = 3; i < 60; i++) {
                batch.clear();
                batch.addLastTokenRow(0, StepBatch.SAMPLE, i);
                for (int g = 0; g < sequence.table.length; g++) {
                    batch.addBlocks(g, sequence.table[g], 0, sequence.table[g].length);
                }
                long before = threads.getCurrentThreadAllocatedBytes();
                engine.await(engine.launch(batch));
                least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
            }
            assertThat(least).as("bytes allocated by a step").isLessThanOrEqualTo(512);
        }
    }
}
