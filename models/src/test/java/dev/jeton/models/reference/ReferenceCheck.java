package dev.jeton.models.reference;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.DecoderSpec;
import dev.jeton.models.EngineOptions;
import dev.jeton.models.engine.Driver;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.LogitBias;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.DoubleSummaryStatistics;
import java.util.Random;
import java.util.function.BiFunction;
import java.util.stream.DoubleStream;

/** Holds an engine's log-probabilities against those of the float64 reference. */
public final class ReferenceCheck {

    private static final SamplingParameters SCORED =
            new SamplingParameters(0, 0, 1, 0, 1, 0, 0, LogitBias.NONE, 0, 0, new int[0], 5);

    /** Tokens after a prompt, where nobody says otherwise. */
    private static final int GENERATED = 30;

    /** Steps of one row that all weights go through: enough for whoever asks how these are read. */
    public static final int GENERATED_TO_SEE_WEIGHTS = 12;

    /** Tokens of a prompt in which the choice of experts is to be clear throughout. */
    private static final int SHORT = 4;

    private ReferenceCheck() {}

    /**
     * Demands that they are near.
     *
     * @param tolerance most that one may be off; their average an eighth
     */
    public static void check(
            BiFunction<Path, EngineOptions, Engine> load,
            TinyModel model,
            ReferenceDecoder reference,
            double tolerance,
            EngineOptions options,
            long seed) {
        check(load, model, reference, tolerance, options, seed, 70);
    }

    /** The same with a prompt of so many tokens. */
    public static void check(
            BiFunction<Path, EngineOptions, Engine> load,
            TinyModel model,
            ReferenceDecoder reference,
            double tolerance,
            EngineOptions options,
            long seed,
            int length) {
        DoubleSummaryStatistics errors = errors(load, model, reference, options, seed, length, 23);
        assertThat(errors.getMax())
                .as("seed %d, greatest error of a log-probability", seed)
                .isLessThan(tolerance);
        assertThat(errors.getAverage()).as("seed %d, average error", seed).isLessThan(tolerance / 8);
    }

    /**
     * Errors of log-probabilities of a prompt in chunks, and of tokens generated greedily after it.
     *
     * @param length of the prompt
     * @param chunk tokens of it in a step
     */
    public static DoubleSummaryStatistics errors(
            BiFunction<Path, EngineOptions, Engine> load,
            TinyModel model,
            ReferenceDecoder reference,
            EngineOptions options,
            long seed,
            int length,
            int chunk) {
        return errors(load, model, reference, options, seed, length, chunk, GENERATED);
    }

    /** The same with so many tokens generated. */
    public static DoubleSummaryStatistics errors(
            BiFunction<Path, EngineOptions, Engine> load,
            TinyModel model,
            ReferenceDecoder reference,
            EngineOptions options,
            long seed,
            int length,
            int chunk,
            int generated) {
        DecoderSpec spec = model.spec;
        int[] prompt = new Random(seed).ints(length, 0, spec.vocabulary()).toArray();
        try (Engine engine = load.apply(model.folder, options)) {
            Driver driver = new Driver(engine);
            Driver.Sequence sequence = driver.open(0, prompt, SCORED);
            double[] ofPrompt = new double[length];
            while (sequence.computed < prompt.length) {
                int from = sequence.computed;
                int count = Math.min(chunk, prompt.length - from);
                driver.begin().add(sequence, count, StepBatch.PROMPT_LOG_PROBABILITIES);
                StepResult result = driver.run();
                for (int i = 0; i < count && from + i + 1 < prompt.length; i++) {
                    ofPrompt[from + i] = result.promptLogProbabilities[i];
                }
                driver.apply(result, 0, sequence);
            }
            for (int i = 0; i < generated; i++) {
                driver.begin().addLast(sequence);
                driver.apply(driver.run(), 0, sequence);
            }
            double[][] all = reference.logits(Arrays.copyOf(sequence.tokens, sequence.length));
            DoubleSummaryStatistics errors = new DoubleSummaryStatistics();
            for (int i = 0; i + 1 < length; i++) {
                errors.accept(Math.abs(ofPrompt[i] - logProbability(all[i], prompt[i + 1])));
            }
            for (int i = 0; i < sequence.logProbabilities.size(); i++) {
                int position = prompt.length - 1 + i;
                double own = logProbability(all[position], sequence.tokens[position + 1]);
                errors.accept(Math.abs(sequence.logProbabilities.get(i) - own));
                double behind = DoubleStream.of(all[position]).max().orElseThrow()
                        - all[position][sequence.tokens[position + 1]];
                if (behind > 0) {
                    // not the likeliest token: both logits may be off
                    errors.accept(behind / 2);
                }
            }
            return errors;
        }
    }

    /**
     * The same for layers of experts, over short prompts beside each other, where the choice of experts is clear up to
     * a row's own position.
     *
     * @param clear least difference between router's logits of experts chosen and not chosen
     */
    public static void checkClear(
            BiFunction<Path, EngineOptions, Engine> load,
            TinyModel model,
            ReferenceDecoder reference,
            double tolerance,
            EngineOptions options,
            double clear) {
        Random random = new Random(20_260_404);
        DoubleSummaryStatistics errors = new DoubleSummaryStatistics();
        int rows = 0;
        try (Engine engine = load.apply(model.folder, options)) {
            Driver driver = new Driver(engine);
            for (int round = 0; round < 40; round++) {
                Driver.Sequence[] sequences = new Driver.Sequence[4];
                driver.begin();
                for (int i = 0; i < sequences.length; i++) {
                    int[] prompt =
                            random.ints(SHORT, 0, model.spec.vocabulary()).toArray();
                    sequences[i] = driver.open(i, prompt, SCORED);
                    driver.add(sequences[i], SHORT, StepBatch.PROMPT_LOG_PROBABILITIES);
                }
                StepResult result = driver.run();
                for (Driver.Sequence sequence : sequences) {
                    double[] margins = new double[SHORT];
                    double[][] exact = reference.logits(Arrays.copyOf(sequence.tokens, SHORT), margins);
                    int start = driver.batch().inputStart[sequence.slot];
                    double margin = Double.POSITIVE_INFINITY;
                    for (int i = 0; i + 1 < SHORT; i++) {
                        margin = Math.min(margin, margins[i]);
                        rows++;
                        if (margin > clear) {
                            double own = logProbability(exact[i], sequence.tokens[i + 1]);
                            errors.accept(Math.abs(result.promptLogProbabilities[start + i] - own));
                        }
                    }
                    driver.close(sequence);
                }
            }
        }
        assertThat(errors.getCount()).as("rows whose experts are clear").isGreaterThan(rows / 2);
        assertThat(errors.getMax()).as("greatest error where they are").isLessThan(tolerance);
        assertThat(errors.getAverage()).as("average error there").isLessThan(tolerance / 8);
    }

    private static double logProbability(double[] logits, int token) {
        double max = DoubleStream.of(logits).max().orElseThrow();
        double sum = DoubleStream.of(logits).map(l -> Math.exp(l - max)).sum();
        return logits[token] - max - Math.log(sum);
    }
}
