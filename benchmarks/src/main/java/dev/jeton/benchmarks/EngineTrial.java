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
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * Measures one engine in a process of its own, so that its memory is its own and its end ends nothing else. Prints a
 * line for each figure, {@code > name value...}; libraries may log between them.
 *
 * <p>Arguments: folder, engine, quantize, threads, seconds per figure, sequences that decode together, with commas.
 */
final class EngineTrial {

    /** Positions whose log-probabilities are compared, if the context has them. */
    static final int SCORED = 128;

    /** Begins every line that is a figure. */
    static final String MARK = "> ";

    private static final int PREFILL = 512;

    private EngineTrial() {}

    /** Runs it. */
    public static void main(String[] args) {
        Path folder = Path.of(args[0]);
        int threads = Integer.parseInt(args[3]);
        List<Integer> together =
                Arrays.stream(args[5].split(",")).map(Integer::parseInt).toList();
        int most = together.stream().mapToInt(i -> i).max().orElse(1);
        long start = System.nanoTime();
        try {
            if (!(Engines.found().choose(args[1], folder) instanceof StepEngineProvider provider)) {
                throw new ModelException(
                        "it runs whole sequences: serve it, and measure that with 'jeton bench serve'");
            }
            EngineOptions options =
                    new EngineOptions(EngineBench.CONTEXT, 1L << 30, most, PREFILL, 16, threads, args[2]);
            try (Engine engine = provider.open(folder, options)) {
                print("load_ms", (System.nanoTime() - start) / 1e6);
                if (engine.info().supports(Capability.POOLING)) {
                    throw new ModelException("this model gives vectors and generates nothing");
                }
                EngineBench bench = new EngineBench(engine, Double.parseDouble(args[4]));
                print("first_ms", bench.firstToken());
                print("prefill", bench.prefill(PREFILL));
                for (int rows : together) {
                    print("decode_" + rows, bench.decode(rows));
                }
                print("memory_mib", memory() / 1024.0);
                System.out.println(
                        MARK + "devices " + String.join(", ", engine.info().devices()));
                System.out.println(MARK + "scores " + scores(engine));
            }
        } catch (ModelException e) {
            System.out.println(MARK + "refused "
                    + String.valueOf(e.getMessage()).lines().findFirst().orElse(""));
        }
    }

    private static void print(String name, double value) {
        System.out.printf(Locale.ROOT, "%s%s %.3f%n", MARK, name, value);
    }

    /** Most memory that the process had resident, kilobytes. */
    private static long memory() {
        try (var lines = Files.lines(Path.of("/proc/self/status"))) {
            return lines.filter(line -> line.startsWith("VmHWM:"))
                    .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")))
                    .findFirst()
                    .orElse(0);
        } catch (IOException e) {
            return 0;
        }
    }

    /** Log-probabilities of a fixed text of random tokens; empty where the engine gives none. */
    private static String scores(Engine engine) {
        if (!engine.info().supports(Capability.PROMPT_LOG_PROBABILITIES)) {
            return "";
        }
        int scored = Math.min(SCORED, engine.info().contextLength());
        int[] tokens = new Random(2).ints(scored, 5, engine.info().vocabulary()).toArray();
        engine.open(0, new SequenceSpec(SamplingParameters.GREEDY, tokens, scored, scored));
        StepBatch batch = new StepBatch(engine.info().groups().size());
        batch.addRow(0, StepBatch.PROMPT_LOG_PROBABILITIES, 0, tokens, 0, scored);
        for (int g = 0; g < batch.groups(); g++) {
            int size = engine.info().groups().get(g).blockSize();
            int[] table = IntStream.range(0, Math.ceilDiv(scored, size)).toArray();
            batch.addBlocks(g, table, 0, table.length);
        }
        StepResult result = engine.await(engine.launch(batch));
        String scores = IntStream.range(0, scored - 1)
                .mapToObj(i -> Float.toString(result.promptLogProbabilities[i]))
                .collect(Collectors.joining(" "));
        engine.close(0);
        return scores;
    }
}
