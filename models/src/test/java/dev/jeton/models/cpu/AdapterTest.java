package dev.jeton.models.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.AdapterMemoryException;
import dev.jeton.models.engine.Driver;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.LogitBias;
import dev.jeton.models.engine.PreparedAdapter;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.engine.StepTicket;
import dev.jeton.models.reference.AdapterContract;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.TinyAdapter;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Adapters on the cpu engine, exactly; and that they change no bit of what else is in a batch. */
class AdapterTest extends AdapterContract {

    private static final SamplingParameters SAMPLED =
            new SamplingParameters(0.9, 0, 0.95, 0, 1.1, 0, 0, LogitBias.NONE, 11, 0, new int[0], 5);

    @TempDir
    Path files;

    @Override
    protected Engine load(Path model, EngineOptions options) {
        return CpuEngine.load(model, options, false);
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "BF16"})
    void shouldGiveTheSameBitsWhateverSurroundsASequence(TensorType type) throws IOException {
        TinyModel model = new TinyModel(files.resolve("m"), Configs.llama(""), type, 1);
        Path adapter = new TinyAdapter(files.resolve("a"), model, Pattern.compile("_proj"), 9, 4, false, 2).folder;
        EngineOptions options = new EngineOptions(0, 8 << 20, 8, 400, 16, 2, "none");
        int[] prompt = new Random(3).ints(150, 0, 301).toArray();
        try (Engine with = CpuEngine.load(model.folder, options.withAdapters(List.of(adapter, adapter)));
                Engine without = CpuEngine.load(model.folder, options)) {
            assertThat(generated(with, prompt, 0, 0)).isEqualTo(generated(without, prompt, 0, 0));
            List<Float> alone = generated(with, prompt, 1, 0);
            assertThat(generated(with, prompt, 2, 0)).isEqualTo(alone);
            for (int company = 1; company <= 5; company++) {
                assertThat(generated(with, prompt, 1, company))
                        .as("in a batch of seed %d", company)
                        .isEqualTo(alone);
                assertThat(generated(with, prompt, 0, company))
                        .as("without adapter in a batch of seed %d", company)
                        .isEqualTo(generated(without, prompt, 0, 0));
            }
        }
    }

    @Test
    void computesThroughOneThatCameLaterAsIfItHadBeenThereFromTheStart() throws IOException {
        TinyModel model = new TinyModel(files.resolve("m"), Configs.llama(""), TensorType.BF16, 1);
        Path narrow = new TinyAdapter(files.resolve("a"), model, Pattern.compile("_proj"), 9, 4, false, 2).folder;
        Path wide = new TinyAdapter(files.resolve("b"), model, Pattern.compile("(q|up)_proj"), 70, 4, false, 3).folder;
        EngineOptions options = new EngineOptions(0, 8 << 20, 8, 400, 16, 2, "none");
        int[] prompt = new Random(3).ints(150, 0, 301).toArray();
        try (Engine first = CpuEngine.load(model.folder, options.withAdapters(List.of(narrow, wide)));
                Engine later = CpuEngine.load(model.folder, options)) {
            later.addAdapter(1, later.prepareAdapter(narrow, Long.MAX_VALUE));
            assertThat(generated(later, prompt, 1, 0)).isEqualTo(generated(first, prompt, 1, 0));
            later.addAdapter(2, later.prepareAdapter(wide, Long.MAX_VALUE));
            for (int adapter = 0; adapter <= 2; adapter++) {
                assertThat(generated(later, prompt, adapter, 1))
                        .as("adapter %d", adapter)
                        .isEqualTo(generated(first, prompt, adapter, 1));
            }
            later.removeAdapter(1);
            assertThat(generated(later, prompt, 2, 0)).isEqualTo(generated(first, prompt, 2, 0));
            assertThatThrownBy(() -> generated(later, prompt, 1, 0)).hasMessageContaining("adapter 1");
            assertThatThrownBy(() -> later.addAdapter(1, later.prepareAdapter(narrow, Long.MAX_VALUE)))
                    .hasMessageContaining("none is used twice");
        }
    }

    @Test
    void keepsTheMemoryOfOneThatLeavesUntilTheStepInFlightIsDone() throws IOException {
        TinyModel model = new TinyModel(files.resolve("m"), Configs.llama(""), TensorType.F32, 1);
        Path folder = new TinyAdapter(files.resolve("a"), model, Pattern.compile("_proj"), 9, 4, false, 2).folder;
        EngineOptions options = new EngineOptions(0, 8 << 20, 8, 400, 16, 2, "none");
        try (Engine engine = CpuEngine.load(model.folder, options)) {
            PreparedAdapter adapter = engine.prepareAdapter(folder, Long.MAX_VALUE);
            long bytes = adapter.bytes();
            assertThat(bytes).isPositive();
            engine.addAdapter(1, adapter);
            int[] prompt = {1, 2, 3};
            engine.open(0, new SequenceSpec(SamplingParameters.GREEDY, prompt, 3, 3));
            StepBatch batch = new StepBatch(1);
            batch.addRow(0, StepBatch.SAMPLE, 0, prompt, 0, 3);
            batch.useAdapter(1);
            batch.addBlocks(0, new int[] {0}, 0, 1);
            StepTicket ticket = engine.launch(batch);

            engine.removeAdapter(1);
            assertThat(adapter.bytes()).isEqualTo(bytes);
            assertThat(engine.await(ticket).accepted[0]).isEqualTo(1);
            assertThat(adapter.bytes()).isZero();
        }
    }

    @Test
    void takesNoMoreMemoryThanItMay() throws IOException {
        TinyModel model = new TinyModel(files.resolve("m"), Configs.llama(""), TensorType.F32, 1);
        Path folder = new TinyAdapter(files.resolve("a"), model, Pattern.compile("_proj"), 1, 4, false, 2).folder;
        try (Engine engine = CpuEngine.load(model.folder, new EngineOptions(0, 8 << 20, 8, 400, 16, 2, "none"))) {
            long bytes;
            try (PreparedAdapter adapter = engine.prepareAdapter(folder, Long.MAX_VALUE)) {
                bytes = adapter.bytes();
            }
            // ranks are whole vectors in memory
            assertThat(bytes).isGreaterThan(2 * Files.size(folder.resolve("adapter_model.safetensors")));
            assertThatThrownBy(() -> engine.prepareAdapter(folder, bytes - 1))
                    .isInstanceOf(AdapterMemoryException.class);
            engine.prepareAdapter(folder, bytes).close();
        }
    }

    /** Log-probabilities of sampled tokens, alone with seed 0, else among sequences of other adapters. */
    private static List<Float> generated(Engine engine, int[] prompt, int adapter, int seed) {
        Random random = new Random(seed);
        Driver driver = new Driver(engine, seed);
        Driver.Sequence[] all = new Driver.Sequence[seed == 0 ? 1 : 6];
        for (int i = 1; i < all.length; i++) {
            all[i] = driver.open(i, random.ints(1 + random.nextInt(50), 0, 301).toArray(), SAMPLED);
            all[i].adapter = random.nextInt(3);
        }
        all[0] = driver.open(0, prompt, SAMPLED);
        all[0].adapter = adapter;
        while (all[0].logProbabilities.size() < 20) {
            driver.begin();
            for (Driver.Sequence each : all) {
                int missing = each.length - each.computed;
                driver.add(each, seed == 0 ? missing : Math.min(missing, 1 + random.nextInt(60)), 0);
            }
            StepResult result = driver.run();
            for (int i = 0; i < all.length; i++) {
                driver.apply(result, i, all[i]);
            }
        }
        for (Driver.Sequence each : all) {
            driver.close(each);
        }
        return all[0].logProbabilities;
    }
}
