package dev.jeton.models.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.management.ThreadMXBean;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.EngineProvider;
import dev.jeton.models.ModelException;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Driver;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.LogitBias;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepContract;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ServiceLoader;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CpuEngineTest extends StepContract {

    private static final EngineOptions OPTIONS = new EngineOptions(512, 8 << 20, 4, 64, 16, 2, "none");

    @TempDir
    Path folder;

    @Override
    protected Engine create() throws IOException {
        String windows = "\"use_sliding_window\": true, \"sliding_window\": 24, \"max_window_layers\": 1";
        TinyModel model = new TinyModel(folder, Configs.qwen2(windows), TensorType.BF16, 3);
        return CpuEngine.load(model.folder, OPTIONS);
    }

    @Test
    void shouldBeFoundByTheServiceLoader() {
        assertThat(ServiceLoader.load(EngineProvider.class)).anySatisfy(provider -> {
            assertThat(provider.name()).isEqualTo("cpu");
            assertThat(provider.missing()).isEmpty();
        });
    }

    @Test
    void shouldHaveOneLayerGroupPerWindow() throws IOException {
        try (Engine engine = create()) {
            assertThat(engine.info().groups()).extracting(g -> g.window()).containsExactly(0, 24);
        }
    }

    @Test
    void shouldFailOnlyTheRowThatMayNotSampleAnything() throws IOException {
        TinyModel model = new TinyModel(folder, Configs.llama(""), TensorType.F32, 3);
        try (CpuEngine engine = CpuEngine.load(model.folder, OPTIONS)) {
            int[] all = new int[301];
            java.util.Arrays.setAll(all, i -> i);
            SamplingParameters none = new SamplingParameters(0, 0, 1, 0, 1, 0, 0, LogitBias.NONE, 0, 10, all, -1);
            Driver driver = new Driver(engine);
            Driver.Sequence bad = driver.open(0, new int[] {1, 2, 3}, none);
            Driver.Sequence good = driver.open(1, new int[] {1, 2, 3}, SamplingParameters.GREEDY);
            driver.begin().add(bad, 3, 0);
            driver.add(good, 3, 0);
            StepResult result = driver.run();
            assertThat(result.accepted[0]).isEqualTo(-1);
            assertThat(result.failure(0)).hasValueSatisfying(f -> assertThat(f).contains("no token may be sampled"));
            assertThat(result.accepted[1]).isEqualTo(1);
        }
    }

    @Test
    void shouldFailRowsOfDamagedWeights() throws IOException {
        TinyModel model = new TinyModel(folder, Configs.llama(""), TensorType.F32, 3);
        byte[] file = java.nio.file.Files.readAllBytes(folder.resolve("model.safetensors"));
        for (int i = file.length - 400; i < file.length; i++) {
            file[i] = -1;
        }
        java.nio.file.Files.write(folder.resolve("model.safetensors"), file);
        try (CpuEngine engine = CpuEngine.load(model.folder, OPTIONS)) {
            Driver driver = new Driver(engine).expectingFailures();
            Driver.Sequence sequence = driver.generate(0, new int[] {1, 2}, SamplingParameters.GREEDY, 3, 2);
            assertThat(sequence.failure).contains("not finite");
        }
    }

    @Test
    void shouldRefuseBlockSizesAndKvMemoryThatCannotWork() throws IOException {
        TinyModel model = new TinyModel(folder, Configs.llama(""), TensorType.F32, 3);
        assertThatThrownBy(() -> CpuEngine.load(model.folder, new EngineOptions(0, 0, 4, 64, 8, 1, "none")))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("block size 8");
        assertThatThrownBy(() -> CpuEngine.load(model.folder, new EngineOptions(0, 100, 4, 64, 16, 1, "none")))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("--kv-memory");
        assertThatThrownBy(() -> CpuEngine.load(model.folder, new EngineOptions(0, 0, 4, 64, 16, 1, "q4")))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("q4");
        EngineOptions onHost = EngineOptions.DEFAULT.withHostKv(1 << 20);
        assertThatThrownBy(() -> CpuEngine.load(model.folder, onHost))
                .isInstanceOf(ModelException.class)
                .hasMessageContaining("kv-host-memory")
                .hasMessageContaining("the cpu engine keeps K and V in the host's memory anyway");
    }

    /** The Vector API boxes vectors until it is compiled; after that a step may allocate its ticket and little else. */
    @Test
    void shouldAllocateNothingPerTokenOnceCompiled() throws IOException {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        TinyModel model = new TinyModel(folder, Configs.llama(""), TensorType.F32, 3);
        EngineOptions options = new EngineOptions(512, 8 << 20, 4, 64, 16, 1, "none");
        try (CpuEngine engine = CpuEngine.load(model.folder, options)) {
            int[] prompt = new int[64];
            SamplingParameters sampled =
                    new SamplingParameters(0.7, 40, 0.9, 0.01, 1.1, 0, 0.1, LogitBias.NONE, 1, 0, new int[0], 5);
            StepBatch batch = new StepBatch(1);
            int[] blocks = {0, 1, 2, 3, 4, 5, 6, 7};
            for (int slot = 0; slot < 4; slot++) {
                engine.open(slot, new SequenceSpec(sampled, prompt, 64, 64));
            }
            long least = Long.MAX_VALUE;
            for (int round = 0; round < 3_000 && least > 2048; round++) {
                long before = threads.getCurrentThreadAllocatedBytes();
                for (int i = 0; i < 20; i++) {
                    step(engine, batch, blocks, i);
                }
                least = Math.min(least, (threads.getCurrentThreadAllocatedBytes() - before) / 20);
            }
            assertThat(least).as("bytes allocated by a step").isLessThanOrEqualTo(2048);
        }
    }

    private static void step(CpuEngine engine, StepBatch batch, int[] blocks, int i) {
        batch.clear();
        for (int slot = 0; slot < 4; slot++) {
            batch.addLastTokenRow(slot, StepBatch.SAMPLE, i);
            batch.addBlocks(0, blocks, 2 * slot, 2);
        }
        engine.await(engine.launch(batch));
    }
}
