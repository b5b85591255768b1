package dev.jeton.models.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.SafetensorsWriter;
import dev.jeton.models.TensorType;
import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.Driver;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What an engine promises of decoders that give vectors: the last token's state in float64, and what follows it. */
public abstract class VectorContract {

    private static final long SEED = 20_261_130;
    private static final EngineOptions OPTIONS = new EngineOptions(0, 1 << 22, 4, 64, 16, 2, "none");

    @TempDir
    Path folder;

    protected abstract Engine load(Path model, EngineOptions options);

    /** What weights are stored in: what the engine computes with exactly. */
    protected abstract TensorType type();

    /** Greatest error of an element of a vector, in units of the vector's length. */
    protected abstract double tolerance();

    private static int[] text(int length, int number) {
        return new Random(SEED + number).ints(length, 0, 301).toArray();
    }

    private TinyModel embedding() throws IOException {
        return new TinyModel(folder, Configs.qwen3("").replace("ForCausalLM", "Model"), type(), SEED);
    }

    private static double[] expected(TinyModel model, int[] tokens) {
        double[] frequencies = new double[model.spec.headDim() / 2];
        for (int i = 0; i < frequencies.length; i++) {
            frequencies[i] = Math.pow(10_000, -2.0 * i / model.spec.headDim());
        }
        return new ReferenceDecoder(model.spec, model.weights, frequencies, 1).states(tokens)[tokens.length - 1];
    }

    private static double[] normalised(double[] vector) {
        double length = Math.sqrt(Arrays.stream(vector).map(v -> v * v).sum());
        return Arrays.stream(vector).map(v -> v / length).toArray();
    }

    private static double times(double[] row, double[] state) {
        double sum = 0;
        for (int i = 0; i < row.length; i++) {
            sum += row[i] * state[i];
        }
        return sum;
    }

    /** The vector of a text that is read in chunks. */
    private static float[] vector(Engine engine, int[] tokens, int chunk) {
        Driver driver = new Driver(engine);
        Driver.Sequence sequence = driver.open(0, tokens, SamplingParameters.GREEDY);
        StepResult result = new StepResult();
        while (sequence.computed < tokens.length) {
            driver.begin().add(sequence, Math.min(chunk, tokens.length - sequence.computed), 0);
            result = driver.run();
            driver.apply(result, 0, sequence);
        }
        assertThat(result.accepted[0]).isZero();
        driver.close(sequence);
        return Arrays.copyOf(result.pooled, result.pooledWidth);
    }

    private void compare(float[] vector, double[] expected) {
        double length = Math.sqrt(Arrays.stream(expected).map(v -> v * v).sum());
        assertThat(vector).hasSize(expected.length);
        for (int i = 0; i < expected.length; i++) {
            assertThat((double) vector[i])
                    .as("element %d, seed %d", i, SEED)
                    .isCloseTo(expected[i], within(tolerance() * length));
        }
    }

    @Test
    void givesTheLastTokensStateOfLengthOne() throws IOException {
        TinyModel model = embedding();
        try (Engine engine = load(folder, OPTIONS)) {
            for (int length : new int[] {1, 2, 37, 100}) {
                int[] tokens = text(length, length);
                compare(vector(engine, tokens, 23), normalised(expected(model, tokens)));
            }
        }
    }

    @Test
    void givesATextTheSameVectorAloneAndAmongOthersAndHoweverItIsCut() throws IOException {
        embedding();
        try (Engine engine = load(folder, OPTIONS)) {
            int[][] texts = {text(19, 1), text(1, 2), text(30, 3), text(7, 4)};
            Driver driver = new Driver(engine);
            Driver.Sequence[] sequences = new Driver.Sequence[texts.length];
            driver.begin();
            for (int i = 0; i < texts.length; i++) {
                sequences[i] = driver.open(i, texts[i], SamplingParameters.GREEDY);
                // what is not at its end brings no vector
                driver.add(sequences[i], i == 2 ? 11 : texts[i].length, 0);
            }
            StepResult result = driver.run();
            float[][] together = new float[texts.length][];
            for (int i = 0; i < texts.length; i++) {
                int width = result.pooledWidth;
                together[i] = Arrays.copyOfRange(result.pooled, i * width, (i + 1) * width);
                driver.apply(result, i, sequences[i]);
            }
            driver.begin().add(sequences[2], 19, 0);
            result = driver.run();
            together[2] = Arrays.copyOf(result.pooled, result.pooledWidth);
            Arrays.stream(sequences).forEach(driver::close);
            for (int i = 0; i < texts.length; i++) {
                float[] alone = vector(engine, texts[i], texts[i].length);
                compare(together[i], toDoubles(alone));
            }
        }
    }

    private static double[] toDoubles(float[] values) {
        double[] result = new double[values.length];
        for (int i = 0; i < result.length; i++) {
            result[i] = values[i];
        }
        return result;
    }

    /** Rows of numbers that the engine's files have exactly. */
    private static float[] rows(int count) {
        Random random = new Random(SEED + 77);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = random.nextInt(-64, 64) / 64f;
        }
        return values;
    }

    private TinyModel labelled(float[] scores) throws IOException {
        int hidden = 96;
        String labels = "\"num_labels\": %d".formatted(scores.length / hidden);
        String config = Configs.llama(labels).replace("ForCausalLM", "ForSequenceClassification");
        Consumer<SafetensorsWriter> more =
                writer -> writer.add("score.weight", type(), new int[] {scores.length / hidden, hidden}, scores);
        return new TinyModel(folder, config, type(), SEED, more);
    }

    @Test
    void givesALogitForEachLabel() throws IOException {
        float[] scores = rows(3 * 96);
        TinyModel model = labelled(scores);
        int[] tokens = text(21, 9);
        double[] state = expected(model, tokens);
        double[] logits = new double[3];
        for (int label = 0; label < 3; label++) {
            logits[label] = times(toDoubles(Arrays.copyOfRange(scores, label * 96, (label + 1) * 96)), state);
        }
        try (Engine engine = load(folder, OPTIONS)) {
            compare(vector(engine, tokens, 64), logits);
        }
    }

    @Test
    void failsTheRowWhoseVectorIsNotFinite() throws IOException {
        float[] scores = rows(2 * 96);
        scores[100] = Float.POSITIVE_INFINITY;
        labelled(scores);
        try (Engine engine = load(folder, OPTIONS)) {
            Driver driver = new Driver(engine).expectingFailures();
            Driver.Sequence sequence = driver.open(0, text(5, 1), SamplingParameters.GREEDY);
            driver.begin().add(sequence, 5, 0);
            driver.apply(driver.run(), 0, sequence);
            assertThat(sequence.failure).contains("not finite");
        }
    }

    @Test
    void givesTheLogitOfOneTokenLessThatOfAnother() throws IOException {
        Files.writeString(folder.resolve("modules.json"), """
                [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.base.modules.transformer.Transformer"},
                 {"idx": 1, "name": "1", "path": "1_LogitScore",
                  "type": "sentence_transformers.cross_encoder.modules.logit_score.LogitScore"}]
                """);
        Files.createDirectories(folder.resolve("1_LogitScore"));
        Files.writeString(
                folder.resolve("1_LogitScore/config.json"),
                "{\"true_token_id\": 7, \"false_token_id\": 12, \"module_input_name\": \"causal_logits\"}");
        float[] head = rows(301 * 64);
        String config = Configs.qwen3("").replace("\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false");
        TinyModel model = new TinyModel(
                folder,
                config,
                type(),
                SEED,
                writer -> writer.add("lm_head.weight", type(), new int[] {301, 64}, head));
        int[] tokens = text(40, 3);
        double[] state = expected(model, tokens);
        double yes = times(toDoubles(Arrays.copyOfRange(head, 7 * 64, 8 * 64)), state);
        double no = times(toDoubles(Arrays.copyOfRange(head, 12 * 64, 13 * 64)), state);
        try (Engine engine = load(folder, OPTIONS)) {
            compare(vector(engine, tokens, 64), new double[] {yes - no});
        }
    }

    @Test
    void samplesNothing() throws IOException {
        embedding();
        try (Engine engine = load(folder, OPTIONS)) {
            assertThat(engine.info().capabilities())
                    .contains(Capability.POOLING)
                    .doesNotContain(Capability.WHOLE_PROMPTS, Capability.MASKS, Capability.DRAFTS);
            Driver driver = new Driver(engine);
            Driver.Sequence sequence = driver.open(0, text(5, 1), SamplingParameters.GREEDY);
            driver.begin().add(sequence, 5, 0);
            driver.batch().flags[0] = StepBatch.SAMPLE;
            assertThatThrownBy(driver::run).isInstanceOf(EngineException.class).hasMessageContaining("vectors");
        }
    }
}
