package dev.jeton.models.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Driver;
import dev.jeton.models.engine.LogitBias;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.GgufModel;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The bits of log-probabilities (of the prompt's tokens, of the sampled ones, and of twenty alternatives each) do not
 * depend on chunking, on what else is in the batch, on where blocks lie, on threads, or on recomputation.
 */
class BitInvarianceTest {

    private static final long SEED = 77;
    private static final int GENERATED = 24;
    private static final SamplingParameters SAMPLED =
            new SamplingParameters(0.9, 0, 0.95, 0, 1.1, 0, 0, LogitBias.NONE, 11, 0, new int[0], 20);

    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource({
        "llama, F32, none",
        "llama, BF16, none",
        "llama, BF16, q8_0",
        "mistral, F32, none",
        "qwen2, BF16, none",
        "qwen3, F32, q8_0",
        "mixtral, F32, none",
        "mixtral, BF16, q8_0",
        "qwen3moe, BF16, none",
        "phi3, BF16, none",
        "gemma2, F32, none",
        "gemma3, BF16, q8_0",
        "gpt-oss, BF16, none",
        "gpt-oss, BF16, q8_0",
        "qwen2-moe, BF16, none",
        "glm4-moe, BF16, none",
        "glm4-moe, F32, q8_0",
        "deepseek-v2, F32, none",
        "deepseek-v3, BF16, none",
        "deepseek-v3, BF16, q8_0",
        "qwen3.5, F32, none",
        "qwen3.5, BF16, q8_0",
        "qwen3-next, BF16, none"
    })
    void shouldGiveTheSameBitsWhateverSurroundsASequence(String family, TensorType type, String quantize)
            throws IOException {
        String config = switch (family) {
            case "llama" -> Configs.llama("");
            case "mistral" -> Configs.mistral(37);
            case "qwen2" ->
                Configs.qwen2("\"use_sliding_window\": true, \"sliding_window\": 40, \"max_window_layers\": 2");
            case "mixtral" -> Configs.mixtral("");
            case "qwen3moe" -> Configs.qwen3Moe("\"mlp_only_layers\": [1]");
            case "phi3" -> Configs.phi3("\"sliding_window\": 37, \"partial_rotary_factor\": 0.75");
            case "gemma2" -> Configs.gemma2("");
            case "gemma3" -> Configs.gemma3("");
            case "qwen2-moe" -> Configs.qwen2Moe("");
            case "glm4-moe" -> Configs.glm4Moe("");
            case "deepseek-v2" -> Configs.deepSeekV2("");
            case "deepseek-v3" -> Configs.deepSeekV3("");
            case "gpt-oss" -> Configs.gptOss(Configs.MXFP4);
            case "qwen3.5" -> Configs.qwen35("");
            case "qwen3-next" -> Configs.qwen3Next("");
            default -> Configs.qwen3("");
        };
        TinyModel model = new TinyModel(folder, config, type, SEED);
        check(model.folder, model.spec.vocabulary(), quantize);
    }

    @ParameterizedTest
    @CsvSource({"llama, Q4_K_M", "qwen3, Q5_K_M", "qwen2, Q8_0", "qwen2, MXFP4"})
    void shouldGiveTheSameBitsFromGgufFiles(String architecture, String types) throws IOException {
        String config = GgufReferenceTest.config(architecture, 8);
        TinyModel model = new TinyModel(folder, config, TensorType.F32, SEED);
        Path file = new GgufModel(architecture, model.spec, model.weights, GgufReferenceTest.type(types))
                .write(folder.resolve("m.gguf"));
        check(file, model.spec.vocabulary(), "none");
    }

    /** Every way that this machine knows: with the kernels in C, and without. */
    private static void check(Path model, int vocabulary, String quantize) {
        check(model, vocabulary, quantize, false);
        if (NativeKernels.AVAILABLE) {
            check(model, vocabulary, quantize, true);
        }
    }

    private static void check(Path model, int vocabulary, String quantize, boolean pairs) {
        int[] prompt = new Random(SEED).ints(331, 0, vocabulary).toArray();
        List<Integer> expected = new ArrayList<>();
        try (CpuEngine engine = load(model, quantize, 1, pairs)) {
            expected.addAll(alone(engine, 0, prompt, prompt.length));
        }
        try (CpuEngine engine = load(model, quantize, 2, pairs)) {
            for (int chunk : new int[] {1, 7, 16, 100, prompt.length}) {
                assertThat(alone(engine, SEED + chunk, prompt, chunk))
                        .as("chunks of %d", chunk)
                        .isEqualTo(expected);
            }
            for (long seed = 1; seed <= 3; seed++) {
                assertThat(inCompany(engine, seed, prompt))
                        .as("batch of seed %d", seed)
                        .isEqualTo(expected);
            }
            assertThat(recomputed(engine, prompt))
                    .as("recomputed after a preemption")
                    .isEqualTo(expected);
        }
    }

    private static CpuEngine load(Path model, String quantize, int threads, boolean pairs) {
        return CpuEngine.load(model, new EngineOptions(0, 8 << 20, 8, 400, 16, threads, quantize), pairs);
    }

    private static List<Integer> alone(CpuEngine engine, long blockSeed, int[] prompt, int chunk) {
        Driver driver = new Driver(engine, blockSeed);
        Driver.Sequence sequence = driver.open(3, prompt, SAMPLED);
        Bits bits = new Bits();
        while (!bits.complete(sequence)) {
            driver.begin()
                    .add(
                            sequence,
                            Math.min(chunk, sequence.length - sequence.computed),
                            StepBatch.PROMPT_LOG_PROBABILITIES);
            bits.take(driver, driver.run(), 0, sequence);
        }
        driver.close(sequence);
        return bits.all();
    }

    /** Random chunks among other sequences that prefill and decode in random numbers. */
    private static List<Integer> inCompany(CpuEngine engine, long seed, int[] prompt) {
        Random random = new Random(seed);
        Driver driver = new Driver(engine, seed);
        Driver.Sequence sequence = driver.open(0, prompt, SAMPLED);
        List<Driver.Sequence> others = new ArrayList<>();
        for (int slot = 1; slot < 8; slot++) {
            int[] other = random.ints(1 + random.nextInt(60), 0, 301).toArray();
            others.add(driver.open(slot, other, SAMPLED.withSeed(slot)));
        }
        Bits bits = new Bits();
        while (!bits.complete(sequence)) {
            List<Driver.Sequence> rows = new ArrayList<>();
            others.stream().filter(o -> random.nextInt(3) > 0 && o.length < 200).forEach(rows::add);
            rows.add(random.nextInt(rows.size() + 1), sequence);
            driver.begin();
            int left = 400;
            for (Driver.Sequence row : rows) {
                int missing = row.length - row.computed;
                int count = Math.min(Math.min(missing, 1 + random.nextInt(70)), left);
                left -= count;
                driver.add(row, count, row == sequence ? StepBatch.PROMPT_LOG_PROBABILITIES : 0);
            }
            StepResult result = driver.run();
            for (int i = 0; i < rows.size(); i++) {
                if (rows.get(i) == sequence) {
                    bits.take(driver, result, i, sequence);
                } else {
                    driver.apply(result, i, rows.get(i));
                }
            }
        }
        others.forEach(driver::close);
        driver.close(sequence);
        return bits.all();
    }

    /** Half way through, blocks are lost and prompt and output are computed again in one chunk. */
    private static List<Integer> recomputed(CpuEngine engine, int[] prompt) {
        Driver driver = new Driver(engine, 5);
        Driver.Sequence sequence = driver.open(0, prompt, SAMPLED);
        Bits bits = new Bits();
        while (bits.sampled < GENERATED / 2) {
            driver.begin().add(sequence, sequence.length - sequence.computed, StepBatch.PROMPT_LOG_PROBABILITIES);
            bits.take(driver, driver.run(), 0, sequence);
        }
        driver.close(sequence);
        engine.open(
                0, new dev.jeton.models.engine.SequenceSpec(SAMPLED, sequence.tokens, prompt.length, sequence.length));
        while (!bits.complete(sequence)) {
            driver.begin().add(sequence, sequence.length - sequence.computed, 0);
            bits.take(driver, driver.run(), 0, sequence);
        }
        driver.close(sequence);
        return bits.all();
    }

    /** All bits that came of one sequence, prompt first. */
    private static final class Bits {
        private final List<Integer> ofPrompt = new ArrayList<>();
        private final List<Integer> ofOutput = new ArrayList<>();
        private int sampled;

        boolean complete(Driver.Sequence sequence) {
            return sampled >= GENERATED;
        }

        void take(Driver driver, StepResult result, int row, Driver.Sequence sequence) {
            StepBatch batch = driver.batch();
            if (batch.has(row, StepBatch.PROMPT_LOG_PROBABILITIES)) {
                for (int t = batch.inputStart[row]; t < batch.inputStart[row + 1]; t++) {
                    int position = batch.position[row] + t - batch.inputStart[row];
                    if (position + 1 < sequence.promptLength) {
                        ofPrompt.add(Float.floatToRawIntBits(result.promptLogProbabilities[t]));
                        for (int i = 0; i < 20; i++) {
                            ofPrompt.add(result.promptTopTokens[t * 20 + i]);
                            ofPrompt.add(Float.floatToRawIntBits(result.promptTopLogProbabilities[t * 20 + i]));
                        }
                    }
                }
            }
            for (int i = 0; i < result.accepted[row]; i++) {
                int index = result.tokenStart[row] + i;
                sampled++;
                ofOutput.add(result.tokens[index]);
                ofOutput.add(Float.floatToRawIntBits(result.logProbabilities[index]));
                assertThat(result.topCount[index]).isEqualTo(20);
                for (int j = 0; j < 20; j++) {
                    ofOutput.add(result.topTokens[index * 20 + j]);
                    ofOutput.add(Float.floatToRawIntBits(result.topLogProbabilities[index * 20 + j]));
                }
            }
            driver.apply(result, row, sequence);
        }

        List<Integer> all() {
            List<Integer> all = new ArrayList<>(ofPrompt);
            all.addAll(ofOutput);
            return all;
        }
    }
}
