package dev.jeton.benchmarks;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.Engines;
import dev.jeton.models.ModelException;
import dev.jeton.models.StepEngineProvider;
import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.engine.StepTimeModel;
import dev.jeton.scheduler.Attribution;
import dev.jeton.scheduler.GenerationRequest;
import dev.jeton.scheduler.StepRecord;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;

/**
 * How fair attribution is, measured: every sub-batch of a batch is really run on the cpu engine, which gives the
 * Shapley value of every row (its mean marginal cost over all orders of arrival, exactly, since there are but 2^n
 * sub-batches), and the attribution of the whole batch is compared with it.
 *
 * <p>Arguments: model folder, repetitions of a sub-batch (odd; the median counts). One line per batch mix:
 *
 * <ul>
 *   <li><b>distance</b>: half the sum of absolute differences between attributed and Shapley time, as a share of the
 *       step; that share of the bill is with another row than Shapley would have it.
 *   <li><b>worst row</b>: the largest relative difference of one row.
 *   <li><b>neighbours</b>: over all sub-batches of at least three rows that hold the first row, the smallest and
 *       largest time attributed to it, relative to their median: how far its bill moves when only its neighbours
 *       change.
 *   <li><b>alone</b>: the first row's time attributed in the whole batch over its time when run alone. Where energy is
 *       modelled as watts by time, this is also the ratio of attributed joules to those of an isolated rerun.
 * </ul>
 */
public final class AttributionBench {

    private static final int CONTEXT = 2_048;
    private static final int BLOCK = 16;

    /** A row: a decode where {@code tokens} is 1, else a prompt chunk, after {@code context} tokens. */
    private record Row(int tokens, int context) {}

    private record Mix(String name, List<Row> rows) {}

    private static final List<Mix> MIXES = List.of(
            new Mix("6 decodes, context 128", rows(1, 128, 128, 128, 128, 128, 128)),
            new Mix("6 decodes, context 64 to 2,000", rows(1, 64, 128, 256, 512, 1_024, 2_000)),
            new Mix("5 decodes and a chunk of 8", with(8, 128, 5)),
            new Mix("5 decodes and a chunk of 16 (the knee)", with(16, 128, 5)),
            new Mix("5 decodes and a chunk of 32", with(32, 128, 5)),
            new Mix("5 decodes and a chunk of 128", with(128, 0, 5)),
            new Mix(
                    "chunks of 4, 8, 12, 16, 24, 32",
                    List.of(
                            new Row(4, 0),
                            new Row(8, 0),
                            new Row(12, 0),
                            new Row(16, 0),
                            new Row(24, 0),
                            new Row(32, 0))),
            new Mix(
                    "chunks of 64 and 256, 2 decodes of 1,000",
                    List.of(new Row(64, 0), new Row(256, 0), new Row(1, 1_000), new Row(1, 1_000))));

    private final Engine engine;
    private final StepBatch batch;
    private final int[] tokens;
    private final int repetitions;
    private final StepTimeModel model = new StepTimeModel(new StepTimeModel.Coefficients(1e6, 1e4, 10));
    private final Attribution attribution = new Attribution();

    private AttributionBench(Engine engine, int repetitions) {
        if (engine.info().supports(Capability.STATE)) {
            throw new ModelException(
                    "rows begin in the middle of contexts here, and this model has a state that must be"
                            + " computed from the first token; name a model without linear attention");
        }
        this.engine = engine;
        this.repetitions = repetitions;
        batch = new StepBatch(engine.info().groups().size());
        tokens = new Random(1).ints(CONTEXT, 5, engine.info().vocabulary()).toArray();
    }

    private static List<Row> rows(int count, int... contexts) {
        return Arrays.stream(contexts)
                .mapToObj(context -> new Row(count, context))
                .toList();
    }

    private static List<Row> with(int chunk, int context, int decodes) {
        Row[] rows = new Row[decodes + 1];
        rows[0] = new Row(chunk, context);
        Arrays.fill(rows, 1, rows.length, new Row(1, 128));
        return List.of(rows);
    }

    /** Prints a table. */
    public static void main(String[] args) {
        int repetitions = args.length > 1 ? Integer.parseInt(args[1]) : 9;
        StepEngineProvider provider = (StepEngineProvider) Engines.found().named("cpu");
        EngineOptions options = new EngineOptions(CONTEXT, 1L << 30, 8, 512, BLOCK, 0, "none");
        try (Engine engine = provider.open(Path.of(args[0]), options)) {
            AttributionBench bench = new AttributionBench(engine, repetitions);
            for (int round = 0; round < 2; round++) {
                MIXES.forEach(bench::learn);
            }
            System.out.println("| batch | step, ms | distance | worst row | neighbours | alone |");
            System.out.println("|---|---|---|---|---|---|");
            MIXES.forEach(bench::print);
            System.out.printf(Locale.ROOT, "coefficients: %s%n", bench.model.coefficients());
        }
    }

    /** Runs a batch a few times, so that code is compiled and the model has seen it, as after a while of traffic. */
    private void learn(Mix mix) {
        int all = (1 << mix.rows().size()) - 1;
        for (int subset = 1; subset <= all; subset += 1 + subset / 8) {
            observe(mix, subset);
        }
        for (int i = 0; i < repetitions; i++) {
            observe(mix, all);
        }
    }

    private void observe(Mix mix, int subset) {
        long inputs = 0;
        long kv = 0;
        for (int i = 0; i < mix.rows().size(); i++) {
            if ((subset & 1 << i) != 0) {
                inputs += mix.rows().get(i).tokens();
                kv += mix.rows().get(i).tokens() + mix.rows().get(i).context();
            }
        }
        model.observe(inputs, kv, run(mix, subset));
    }

    private void print(Mix mix) {
        int n = mix.rows().size();
        long[] cost = new long[1 << n];
        long[][] samples = new long[1 << n][repetitions];
        // Round by round, so that what else the machine does falls on all sub-batches alike.
        for (int repetition = 0; repetition < repetitions; repetition++) {
            for (int subset = 1; subset < cost.length; subset++) {
                samples[subset][repetition] = run(mix, subset);
            }
        }
        for (int subset = 1; subset < cost.length; subset++) {
            Arrays.sort(samples[subset]);
            cost[subset] = samples[subset][repetitions / 2];
        }
        double[] shapley = shapley(cost, n);
        int all = cost.length - 1;
        long[] attributed = attributed(mix, all, cost[all]);
        double distance = 0;
        double worst = 0;
        for (int i = 0; i < n; i++) {
            distance += Math.abs(attributed[i] - shapley[i]) / 2;
            worst = Math.max(worst, Math.abs(attributed[i] / shapley[i] - 1));
        }
        double[] bills = bills(mix, cost);
        double median = bills[bills.length / 2];
        System.out.printf(
                Locale.ROOT,
                "| %s | %.1f | %.1f%% | %.0f%% | %.2f to %.2f | %.2f |%n",
                mix.name(),
                cost[all] / 1e6,
                100 * distance / cost[all],
                100 * worst,
                bills[0] / median,
                bills[bills.length - 1] / median,
                attributed[0] / (double) cost[1]);
    }

    /** The mean over all orders of arrival of what each row adds to the cost of those before it. */
    private static double[] shapley(long[] cost, int n) {
        double[] weight = new double[n];
        for (int size = 0; size < n; size++) {
            weight[size] = 1.0 / n;
            for (int k = 1; k <= size; k++) {
                weight[size] *= (double) k / (n - k);
            }
        }
        double[] value = new double[n];
        for (int i = 0; i < n; i++) {
            for (int subset = 0; subset < cost.length; subset++) {
                if ((subset & 1 << i) == 0) {
                    value[i] += weight[Integer.bitCount(subset)] * (cost[subset | 1 << i] - cost[subset]);
                }
            }
        }
        return value;
    }

    /** What the first row is charged in each sub-batch of at least three rows, sorted. */
    private double[] bills(Mix mix, long[] cost) {
        return java.util.stream.IntStream.range(1, cost.length)
                .filter(subset -> (subset & 1) != 0 && Integer.bitCount(subset) >= 3)
                .mapToDouble(subset -> attributed(mix, subset, cost[subset])[0])
                .sorted()
                .toArray();
    }

    private long[] attributed(Mix mix, int subset, long nanos) {
        StepRecord record = new StepRecord();
        record.endNanos = nanos;
        GenerationRequest nobody = GenerationRequest.of("row", new int[] {1}, 1, SamplingParameters.GREEDY);
        for (int i = 0; i < mix.rows().size(); i++) {
            if ((subset & 1 << i) != 0) {
                Row row = mix.rows().get(i);
                record.add(nobody, 0, StepRecord.DECODE, row.tokens(), row.tokens() + row.context());
            }
        }
        attribution.attribute(record, model);
        return Arrays.copyOf(record.nanos, record.rows());
    }

    private long run(Mix mix, int subset) {
        batch.clear();
        for (int i = 0; i < mix.rows().size(); i++) {
            if ((subset & 1 << i) != 0) {
                Row row = mix.rows().get(i);
                engine.open(i, new SequenceSpec(SamplingParameters.GREEDY, tokens, CONTEXT, CONTEXT));
                batch.addRow(i, StepBatch.SAMPLE, row.context(), tokens, row.context(), row.tokens());
                addBlocks(i, row.context() + row.tokens());
            }
        }
        StepResult result = engine.await(engine.launch(batch));
        long nanos = result.endNanos - result.startNanos;
        for (int i = 0; i < mix.rows().size(); i++) {
            if ((subset & 1 << i) != 0) {
                engine.close(i);
            }
        }
        return nanos;
    }

    private void addBlocks(int slot, int length) {
        int[] table = new int[(length + BLOCK - 1) / BLOCK];
        int blocks = engine.info().groups().getFirst().blockCount();
        for (int i = 0; i < table.length; i++) {
            table[i] = (slot * (CONTEXT / BLOCK) + i) % blocks;
        }
        for (int g = 0; g < batch.groups(); g++) {
            batch.addBlocks(g, table, 0, table.length);
        }
    }
}
