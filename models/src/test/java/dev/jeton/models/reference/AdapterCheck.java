package dev.jeton.models.reference;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.engine.Driver;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.LogitBias;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.DoubleSummaryStatistics;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.BiFunction;
import java.util.regex.Pattern;
import java.util.stream.DoubleStream;

/** Holds rows of two adapters, and of none, in one batch against the float64 reference with each merged in. */
public final class AdapterCheck {

    public static final long SEED = 20_261_129;

    private static final int DECODES = 8;
    private static final SamplingParameters SCORED =
            new SamplingParameters(0, 0, 1, 0, 1, 0, 0, LogitBias.NONE, 0, 0, new int[0], 5);

    private AdapterCheck() {}

    /**
     * Demands that they are near.
     *
     * @param one names of matrices that one adapter changes
     * @param other of those of the other, whose rank is larger
     * @param tolerance most that a log-probability may be off; the average is an eighth
     */
    public static void check(
            BiFunction<Path, EngineOptions, Engine> load,
            TinyModel model,
            Pattern one,
            Pattern other,
            double[] frequencies,
            double tolerance)
            throws IOException {
        TinyAdapter first = new TinyAdapter(model.folder.resolve("a"), model, one, 5, 1, false, SEED + 1);
        TinyAdapter wide = new TinyAdapter(model.folder.resolve("b"), model, other, 70, 0.4, true, SEED + 2);
        EngineOptions options =
                new EngineOptions(0, 1 << 22, 6, 128, 16, 2, "none").withAdapters(List.of(first.folder, wide.folder));
        List<Map<String, double[]>> weights = List.of(model.weights, first.merged, wide.merged);
        boolean experts = model.spec.experts().count() > 0;
        // which experts a token goes to is for rounding to say where their logits are no further apart
        double clear = experts ? Math.max(0.01, tolerance / 8) : Double.NEGATIVE_INFINITY;
        DoubleSummaryStatistics errors = new DoubleSummaryStatistics();
        try (Engine engine = load.apply(model.folder, options)) {
            assertThat(engine.info().adapters()).isEqualTo(2);
            for (Scored row : batch(engine, model.spec.vocabulary())) {
                row.compare(
                        new ReferenceDecoder(model.spec, weights.get(row.sequence.adapter), frequencies, 1),
                        errors,
                        clear);
            }
        }
        assertThat(errors.getCount()).isGreaterThan(experts ? 30 : 200);
        assertThat(errors.getMax()).as("seed %d, greatest error", SEED).isLessThan(tolerance);
        assertThat(errors.getAverage()).as("seed %d, average error", SEED).isLessThan(tolerance / 8);
    }

    /** A sequence, and what the engine says of each of its tokens but the first. */
    private record Scored(Driver.Sequence sequence, List<Float> ofPrompt) {

        void compare(ReferenceDecoder reference, DoubleSummaryStatistics errors, double clear) {
            int[] tokens = Arrays.copyOf(sequence.tokens, sequence.length);
            double[] margins = new double[tokens.length];
            double[][] logits = reference.logits(tokens, margins);
            double margin = Double.POSITIVE_INFINITY;
            for (int i = 0; i + 1 < tokens.length; i++) {
                margin = Math.min(margin, margins[i]);
                if (margin < clear) {
                    return;
                }
                float own = i < ofPrompt.size() ? ofPrompt.get(i) : sequence.logProbabilities.get(i - ofPrompt.size());
                errors.accept(Math.abs(own - logProbability(logits[i], tokens[i + 1])));
            }
        }
    }

    /** Prompts in chunks beside each other, then some decodes; rows of the same adapter side by side, and apart. */
    private static List<Scored> batch(Engine engine, int vocabulary) {
        Random random = new Random(SEED);
        Driver driver = new Driver(engine, SEED);
        List<Scored> rows = new ArrayList<>();
        int[] adapters = {1, 0, 2, 2, 1, 0};
        for (int slot = 0; slot < adapters.length; slot++) {
            int[] prompt = random.ints(20 + random.nextInt(30), 0, vocabulary).toArray();
            Driver.Sequence sequence = driver.open(slot, prompt, SCORED);
            sequence.adapter = adapters[slot];
            rows.add(new Scored(sequence, new ArrayList<>()));
        }
        while (rows.stream().anyMatch(row -> row.sequence.logProbabilities.size() < DECODES)) {
            driver.begin();
            List<Scored> in = new ArrayList<>();
            int left = 128;
            for (Scored row : rows) {
                int missing = row.sequence.length - row.sequence.computed;
                int count = Math.min(Math.min(missing, 1 + random.nextInt(30)), left);
                if (row.sequence.logProbabilities.size() < DECODES && count > 0) {
                    driver.add(row.sequence, count, prefilling(row) ? StepBatch.PROMPT_LOG_PROBABILITIES : 0);
                    in.add(row);
                    left -= count;
                }
            }
            take(driver, driver.run(), in);
        }
        return rows;
    }

    private static boolean prefilling(Scored row) {
        return row.sequence.computed < row.sequence.promptLength;
    }

    private static void take(Driver driver, StepResult result, List<Scored> in) {
        for (int i = 0; i < in.size(); i++) {
            Scored row = in.get(i);
            int start = driver.batch().inputStart[i];
            int known = row.sequence.promptLength - 1;
            for (int k = 0; k < driver.batch().inputs(i) && row.ofPrompt.size() < known; k++) {
                row.ofPrompt.add(result.promptLogProbabilities[start + k]);
            }
            driver.apply(result, i, row.sequence);
        }
    }

    private static double logProbability(double[] logits, int token) {
        double max = DoubleStream.of(logits).max().orElseThrow();
        double sum = DoubleStream.of(logits).map(l -> Math.exp(l - max)).sum();
        return logits[token] - max - Math.log(sum);
    }
}
