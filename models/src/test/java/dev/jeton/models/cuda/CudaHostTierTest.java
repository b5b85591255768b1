package dev.jeton.models.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.ModelException;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.DeviceLostException;
import dev.jeton.models.engine.Driver;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.LogitBias;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepTicket;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.TinyModel;
import dev.jeton.natives.testing.CudaStandIn;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Copies between the tiers on a device that does its work late, streams in any order that events allow. */
class CudaHostTierTest {

    private static final int[] PROMPT = {5, 9, 200, 31, 7, 7, 90, 14, 3, 3, 250, 8, 77, 41, 6, 2, 19};
    private static final SamplingParameters SCORED =
            new SamplingParameters(0, 0, 1, 0, 1, 0, 0, LogitBias.NONE, 0, 0, new int[0], 3);
    private static final int BLOCKS = 24;
    /** Blocks that no sequence has, on either tier. */
    private static final int[] OTHERS =
            IntStream.range(0, 80).map(i -> 10 + i % 10).toArray();

    @RegisterExtension
    static final StandInMachine MACHINE = new StandInMachine();

    @TempDir
    Path folder;

    private Path model = Path.of("");

    @BeforeEach
    void make() throws IOException {
        model = new TinyModel(folder.resolve("model"), Configs.llama(""), TensorType.BF16, 3).folder;
    }

    private Engine load(long hostBytes) {
        EngineOptions options = new EngineOptions(512, 1 << 20, 4, 64, 16, 0, "none");
        return CudaEngine.load(model, options.withHostKv(hostBytes), MACHINE.libraries());
    }

    private Engine load() {
        return load(1 << 20);
    }

    /** What the prompt's sequence goes on with on the device alone. */
    private static Driver.Sequence alone(Driver driver, int count) {
        Driver.Sequence sequence = driver.generate(3, PROMPT, SCORED, count, PROMPT.length);
        driver.close(sequence);
        return sequence;
    }

    /** A tiny model's greedy tokens depend little on what it read; what they were worth to it depends on all of it. */
    private static void goesOnAs(Driver.Sequence expected, Driver driver, Driver.Sequence sequence) {
        while (sequence.length < expected.length) {
            driver.begin().add(sequence, 1, 0);
            driver.apply(driver.run(), 0, sequence);
        }
        assertThat(sequence.generated()).isEqualTo(expected.generated());
        for (int i = 0; i < expected.logProbabilities.size(); i++) {
            assertThat(sequence.logProbabilities.get(i))
                    .isCloseTo(expected.logProbabilities.get(i), Offset.offset(1e-3f));
        }
    }

    private static void awaitOffloads(Engine engine, long total) {
        for (int i = 0; engine.offloaded() < total; i++) {
            assertThat(i).isLessThan(1_000_000);
        }
    }

    private static void awaitOnloads(Engine engine, long total) {
        for (int i = 0; engine.onloaded() < total; i++) {
            assertThat(i).isLessThan(1_000_000);
        }
    }

    /** Two steps of another sequence are in flight while a prefix goes away and comes back. */
    @ParameterizedTest
    @ValueSource(longs = {1, 2})
    void bringsBackWhatWasPutAwayWhileStepsAreInFlight(long seed) {
        try (Engine engine = load()) {
            Driver driver = new Driver(engine);
            Driver.Sequence expected = alone(driver, 8);
            MACHINE.knobs().deferred(seed);
            Driver.Sequence gone = driver.generate(0, PROMPT, SCORED, 1, PROMPT.length);
            Driver.Sequence busy = driver.generate(1, new int[] {1, 2, 3}, SamplingParameters.GREEDY, 1, 3);
            driver.reserve(busy, 60);
            StepTicket first = decode(engine, driver, busy, 3);
            // others are before them, so that they are late
            engine.offload(0, OTHERS, OTHERS, OTHERS.length);
            engine.offload(0, gone.table[0], new int[] {7, 3}, 2);
            StepTicket second = decode(engine, driver, busy, 4);
            awaitOffloads(engine, OTHERS.length + 2);
            engine.await(first);
            // where the prefix was others write now
            int[] was = gone.table[0];
            Driver.Sequence over = driver.open(
                    2, new int[] {9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9}, SamplingParameters.GREEDY);
            over.table[0] = was.clone();
            driver.begin().add(over, 18, 0);
            StepTicket third = engine.launch(driver.batch());
            int[] back = {20, 21};
            engine.onload(0, OTHERS, OTHERS, OTHERS.length);
            engine.onload(0, back, new int[] {7, 3}, 2);
            engine.await(second);
            engine.await(third);
            awaitOnloads(engine, OTHERS.length + 2);
            gone.table[0] = back;
            goesOnAs(expected, driver, gone);
        }
    }

    private static StepTicket decode(Engine engine, Driver driver, Driver.Sequence sequence, int position) {
        driver.begin().batch().addLastTokenRow(sequence.slot, StepBatch.SAMPLE, position);
        driver.batch().addBlocks(0, sequence.table[0], 0, sequence.table[0].length);
        return engine.launch(driver.batch());
    }

    /**
     * A fork has copied from a block, which is then given to content of the host: the fork has what was there before.
     */
    @ParameterizedTest
    @ValueSource(longs = {1, 2})
    void writesABlockOnlyAfterForksHaveCopiedFromIt(long seed) {
        try (Engine engine = load()) {
            Driver driver = new Driver(engine);
            Driver.Sequence expected = alone(driver, 6);
            MACHINE.knobs().deferred(seed);
            Driver.Sequence other = driver.generate(1, new int[] {1, 2, 3}, SamplingParameters.GREEDY, 1, 3);
            engine.offload(0, other.table[0], new int[] {0}, 1);
            awaitOffloads(engine, 1);
            Driver.Sequence parent = driver.generate(0, PROMPT, SCORED, 1, PROMPT.length);
            StepTicket flying = decode(engine, driver, other, 3);
            int head = parent.table[0][0];
            engine.transfer(0, new int[] {head}, new int[] {20}, 1);
            engine.onload(0, new int[] {head}, new int[] {0}, 1);
            awaitOnloads(engine, 1);
            engine.await(flying);
            parent.table[0][0] = 20;
            goesOnAs(expected, driver, parent);
        }
    }

    @Test
    void aStepWaitsForNoCopy() {
        try (Engine engine = load()) {
            Driver driver = new Driver(engine);
            Driver.Sequence sequence = driver.generate(0, PROMPT, SCORED, 1, PROMPT.length);
            long waits = MACHINE.knobs().calls("cuStreamWaitEvent");
            engine.offload(0, sequence.table[0], new int[] {0, 1}, 2);
            driver.begin().add(sequence, 1, 0);
            driver.run();
            assertThat(MACHINE.knobs().calls("cuStreamWaitEvent")).isEqualTo(waits);
            assertThat(MACHINE.knobs().calls("cuStreamSynchronize"))
                    .as("of loading alone")
                    .isPositive();
            long synchronised = MACHINE.knobs().calls("cuStreamSynchronize");
            engine.offload(0, sequence.table[0], new int[] {0, 1}, 2);
            engine.offloaded();
            assertThat(MACHINE.knobs().calls("cuStreamSynchronize")).isEqualTo(synchronised);
        }
    }

    @Test
    void countsMoreCopiesUnderWayThanItHasMarks() {
        try (Engine engine = load()) {
            MACHINE.knobs().deferred(5);
            for (int i = 0; i < 200; i++) {
                engine.offload(0, new int[] {i % BLOCKS}, new int[] {i % BLOCKS}, 1);
            }
            assertThat(engine.offloaded()).isLessThan(200);
            awaitOffloads(engine, 200);
            assertThat(engine.offloaded()).isEqualTo(200);
        }
    }

    @Test
    void allocatesNothingForACopy() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        try (Engine engine = load()) {
            int[] blocks = {0, 1, 2};
            long least = Long.MAX_VALUE;
            for (int i = 0; i < 200; i++) {
                long before = threads.getCurrentThreadAllocatedBytes();
                engine.offload(0, blocks, blocks, 3);
                engine.onload(0, blocks, blocks, 3);
                engine.offloaded();
                engine.onloaded();
                least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
            }
            assertThat(least).as("bytes").isLessThanOrEqualTo(512);
        }
    }

    @Test
    void dividesTheHostsMemoryAsTheDevices() throws IOException {
        String windows = "\"use_sliding_window\": true, \"sliding_window\": 24, \"max_window_layers\": 1";
        model = new TinyModel(folder.resolve("two"), Configs.qwen2(windows), TensorType.BF16, 3).folder;
        try (Engine engine = load(3 << 20)) {
            assertThat(engine.info().supports(Capability.HOST_TIER)).isTrue();
            long bytes = 0;
            List<LayerGroup> groups = engine.info().groups();
            double first =
                    (double) groups.getFirst().hostBlocks() / groups.getFirst().blockCount();
            for (LayerGroup group : groups) {
                assertThat((double) group.hostBlocks() / group.blockCount()).isCloseTo(first, Offset.offset(0.1));
                bytes += group.hostBlocks() * group.bytesPerBlock();
            }
            assertThat(bytes).isBetween((3 << 20) - 100_000L, 3L << 20);
        }
    }

    @Test
    void saysWhatTheHostCannotPin() {
        long pinned = MACHINE.knobs().open(CudaStandIn.Resource.PINNED);
        assertThatThrownBy(() -> load(1L << 50))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("this machine has")
                .hasMessageContaining("--kv-host-memory");
        assertThatThrownBy(() -> load(100))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("does not hold a block");
        long before = MACHINE.knobs().calls("cuMemHostAlloc");
        load(0).close();
        long without = MACHINE.knobs().calls("cuMemHostAlloc") - before;
        MACHINE.knobs().fail("cuMemHostAlloc", without + 1, 2);
        assertThatThrownBy(this::load)
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("has pinned 0 of")
                .hasMessageContaining("--kv-host-memory");
        assertThat(MACHINE.knobs().open(CudaStandIn.Resource.PINNED)).isEqualTo(pinned);
    }

    @Test
    void givesBackAllThatItTookAmidCopies() {
        long pinned = MACHINE.knobs().open(CudaStandIn.Resource.PINNED);
        long streams = MACHINE.knobs().open(CudaStandIn.Resource.STREAMS);
        try (Engine engine = load()) {
            MACHINE.knobs().deferred(1);
            engine.offload(0, new int[] {0, 1}, new int[] {0, 1}, 2);
        }
        assertThat(MACHINE.knobs().open(CudaStandIn.Resource.PINNED)).isEqualTo(pinned);
        assertThat(MACHINE.knobs().open(CudaStandIn.Resource.STREAMS)).isEqualTo(streams);
        assertThat(MACHINE.knobs().message()).isEmpty();
    }

    @Test
    void losesTheEngineWithACopyThatFails() {
        try (Engine engine = load()) {
            MACHINE.knobs().lose("cuMemcpyDtoHAsync_v2", 1, 719);
            assertThatThrownBy(() -> engine.offload(0, new int[] {0}, new int[] {0}, 1))
                    .isInstanceOf(DeviceLostException.class);
            assertThatThrownBy(engine::offloaded).isInstanceOf(DeviceLostException.class);
        }
    }

    @Test
    void hasNoTierUnlessItIsAskedFor() {
        try (Engine engine = load(0)) {
            assertThat(engine.info().supports(Capability.HOST_TIER)).isFalse();
            assertThatThrownBy(() -> engine.offload(0, new int[] {0}, new int[] {0}, 1))
                    .isInstanceOf(EngineException.class)
                    .hasMessageContaining("--kv-host-memory");
            engine.open(0, new SequenceSpec(SamplingParameters.GREEDY, Arrays.copyOf(PROMPT, 3), 3, 3));
        }
    }
}
