package dev.jeton.models.torch;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Driver;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.LogitBias;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.reference.Configs;
import dev.jeton.models.reference.FamilyContract;
import dev.jeton.models.reference.ReferenceDecoder;
import dev.jeton.models.reference.TinyModel;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/** Rows of every kind beside each other, in blocks that lie anywhere. */
@ExtendWith(NeedsTorch.class)
class TorchBatchTest {

    private static final SamplingParameters SCORED =
            new SamplingParameters(0, 0, 1, 0, 1, 0, 0, LogitBias.NONE, 0, 0, new int[0], 0);

    @TempDir
    Path folder;

    private static Engine load(TinyModel model, int sequences, int tokens) {
        EngineOptions options = new EngineOptions(0, 1 << 22, sequences, tokens, 16, 1, "none");
        return TorchEngine.load(model.folder, options, TorchDevice.PROCESSORS);
    }

    @Test
    void shouldMatchTheReferenceWhateverIsInTheBatch() throws IOException {
        TinyModel model = new TinyModel(folder, Configs.llama(""), TensorType.F32, 1);
        check(model, FamilyContract.plain(24), 11, 2e-4);
    }

    @Test
    void shouldMatchTheReferenceInWindowsWhateverIsInTheBatch() throws IOException {
        String windows = "\"use_sliding_window\": true, \"sliding_window\": 19, \"max_window_layers\": 1";
        TinyModel model = new TinyModel(folder, Configs.qwen2(windows), TensorType.F32, 2);
        check(model, FamilyContract.plain(16), 12, 2e-4);
    }

    @Test
    void shouldMatchTheReferenceInBf16WhateverIsInTheBatch() throws IOException {
        TinyModel model = new TinyModel(folder, Configs.qwen3(""), TensorType.BF16, 3);
        check(model, FamilyContract.plain(32), 13, 1);
    }

    @Test
    void shouldMatchTheReferenceForExpertsWhateverIsInTheBatch() throws IOException {
        TinyModel mixtral = new TinyModel(folder.resolve("a"), Configs.mixtral(""), TensorType.F32, 6);
        check(mixtral, FamilyContract.plain(16), 14, 2e-4);
        String some = "\"decoder_sparse_step\": 2, \"norm_topk_prob\": true";
        TinyModel qwen = new TinyModel(folder.resolve("b"), Configs.qwen3Moe(some), TensorType.F32, 7);
        check(qwen, FamilyContract.plain(32), 15, 2e-4);
    }

    @Test
    void shouldMatchTheReferenceOverAWindowThatIsNarrowerThanAChunk() throws IOException {
        TinyModel model = new TinyModel(folder, Configs.mistral(21), TensorType.F32, 4);
        int[] prompt = new Random(4).ints(700, 0, model.spec.vocabulary()).toArray();
        double[][] exact = new ReferenceDecoder(model.spec, model.weights, FamilyContract.plain(16), 1).logits(prompt);
        try (Engine engine = load(model, 4, 400)) {
            Driver driver = new Driver(engine, 5);
            Driver.Sequence sequence = driver.open(0, prompt, SCORED);
            for (int count : new int[] {350, 20, 330}) {
                int from = sequence.computed;
                driver.begin().add(sequence, count, StepBatch.PROMPT_LOG_PROBABILITIES);
                StepResult result = driver.run();
                for (int i = 0; i < count && from + i + 1 < prompt.length; i++) {
                    assertThat((double) result.promptLogProbabilities[i])
                            .as("position %d", from + i)
                            .isCloseTo(logProbability(exact[from + i], prompt[from + i + 1]), within(2e-4));
                }
                driver.apply(result, 0, sequence);
            }
        }
    }

    private static org.assertj.core.data.Offset<Double> within(double tolerance) {
        return org.assertj.core.data.Offset.offset(tolerance);
    }

    private static void check(TinyModel model, double[] frequencies, long seed, double tolerance) {
        Random random = new Random(seed);
        ReferenceDecoder reference = new ReferenceDecoder(model.spec, model.weights, frequencies, 1);
        int[] lengths = {1, 3, 17, 40, 41, 170, 9, 64};
        try (Engine engine = load(model, lengths.length, 96)) {
            Driver driver = new Driver(engine, seed);
            Driver.Sequence[] all = new Driver.Sequence[lengths.length];
            float[][] scores = new float[lengths.length][256];
            for (int i = 0; i < all.length; i++) {
                int[] prompt =
                        random.ints(lengths[i], 0, model.spec.vocabulary()).toArray();
                all[i] = driver.open(i, prompt, SCORED);
            }
            for (int step = 0; step < 40; step++) {
                step(driver, all, scores, random);
            }
            for (Driver.Sequence sequence : all) {
                compare(reference, sequence, scores[sequence.slot], seed, tolerance);
            }
        }
    }

    /** Each sequence goes on by some of its tokens, or stays. */
    private static void step(Driver driver, Driver.Sequence[] all, float[][] scores, Random random) {
        driver.begin();
        int left = 96 - all.length;
        Driver.Sequence[] rows = new Driver.Sequence[all.length];
        int count = 0;
        for (Driver.Sequence sequence : all) {
            int most = Math.min(left, sequence.length - sequence.computed);
            if (random.nextInt(5) > 0 && most > 0) {
                int inputs = 1 + random.nextInt(random.nextBoolean() ? most : Math.min(most, 12));
                driver.add(sequence, inputs, StepBatch.PROMPT_LOG_PROBABILITIES);
                left -= inputs;
                rows[count++] = sequence;
            }
        }
        StepResult result = driver.run();
        for (int row = 0; row < count; row++) {
            int start = driver.batch().inputStart[row];
            int inputs = driver.batch().inputs(row);
            System.arraycopy(result.promptLogProbabilities, start, scores[rows[row].slot], rows[row].computed, inputs);
            driver.apply(result, row, rows[row]);
        }
    }

    private static void compare(
            ReferenceDecoder reference, Driver.Sequence sequence, float[] scores, long seed, double tolerance) {
        int[] tokens = Arrays.copyOf(sequence.tokens, sequence.length);
        double[][] exact = reference.logits(tokens);
        for (int i = 0; i + 1 < sequence.length; i++) {
            boolean generated = i + 1 >= sequence.promptLength;
            double own = generated ? sequence.logProbabilities.get(i + 1 - sequence.promptLength) : scores[i];
            assertThat(own)
                    .as("seed %d, sequence %d, position %d", seed, sequence.slot, i)
                    .isCloseTo(logProbability(exact[i], tokens[i + 1]), within(tolerance));
        }
    }

    private static double logProbability(double[] logits, int token) {
        double max = DoubleStream.of(logits).max().orElseThrow();
        return logits[token]
                - max
                - Math.log(DoubleStream.of(logits).map(l -> Math.exp(l - max)).sum());
    }

    @Test
    void shouldFailOnlyRowsThatAreNotFinite() throws IOException {
        failOnlyDamagedRows(Configs.qwen2(""), 8 * 30_720);
    }

    /** Neither do its experts' other rows. */
    @Test
    void shouldFailOnlyRowsThatAreNotFiniteWhereExpertsShareThem() throws IOException {
        String untied = Configs.mixtral("").replace("\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false");
        failOnlyDamagedRows(untied, 8 * 12_288);
    }

    /** A token whose embedding is not a number damages its own sequence and neither its neighbours nor later owners. */
    private void failOnlyDamagedRows(String config, long pages) throws IOException {
        TinyModel model = new TinyModel(folder, config, TensorType.F32, 5);
        damage(model, 7);
        EngineOptions options = new EngineOptions(160, pages, 4, 96, 16, 1, "none");
        try (Engine engine = TorchEngine.load(model.folder, options, TorchDevice.PROCESSORS)) {
            assertThat(engine.info().groups().getFirst().blockCount())
                    .as("so that blocks are used again")
                    .isEqualTo(8);
            Driver driver = new Driver(engine).expectingFailures();
            int[] good = new Random(5).ints(30, 8, 300).toArray();
            int[] bad = good.clone();
            bad[20] = 7;
            Driver.Sequence alone = driver.generate(0, good, SCORED, 12, 30);
            driver.close(alone);
            for (int round = 0; round < 6; round++) {
                Driver.Sequence first = driver.open(0, bad, SCORED);
                Driver.Sequence second = driver.open(1, good, SCORED);
                for (int step = 0; step < 12; step++) {
                    driver.begin().add(first, first.length - first.computed, 0);
                    driver.add(second, second.length - second.computed, 0);
                    StepResult result = driver.run();
                    assertThat(result.accepted[0]).isEqualTo(-1);
                    assertThat(result.failure(0))
                            .hasValueSatisfying(why -> assertThat(why).contains("not finite"));
                    driver.apply(result, 0, first);
                    driver.apply(result, 1, second);
                    first.tokens[first.length++] = 9;
                }
                assertThat(second.generated()).as("round %d", round).isEqualTo(alone.generated());
                driver.close(first);
                driver.close(second);
            }
        }
    }

    /** Writes NaN over a token's row of the embedding, which is the first tensor of the file. */
    private static void damage(TinyModel model, int token) throws IOException {
        Path file = model.folder.resolve("model.safetensors");
        ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(file)).order(ByteOrder.LITTLE_ENDIAN);
        int data = 8 + (int) bytes.getLong(0);
        for (int i = 0; i < model.spec.hidden(); i++) {
            bytes.putFloat(data + 4 * (token * model.spec.hidden() + i), Float.NaN);
        }
        Files.write(file, bytes.array());
    }
}
