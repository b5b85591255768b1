package dev.jeton.benchmarks;

import dev.jeton.models.EngineOptions;
import dev.jeton.models.Engines;
import dev.jeton.models.StepEngineProvider;
import dev.jeton.models.engine.Engine;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.DoubleSupplier;
import java.util.function.LongSupplier;

/**
 * What an adapter costs: the same work by turns without one and through one, in one engine, so that whatever else the
 * machine does is in both. Prints the medians of the rounds, and that of the ratios of each round.
 *
 * <p>With one thread the clock is that thread's processor time, so that others on the machine count for less.
 *
 * <p>Arguments: model, adapter, quantize (none), threads (0 for all), rounds (21), seconds per figure (0.2), engine
 * (cpu).
 */
public final class AdapterBench {

    private static final int[] TOGETHER = {1, 8};

    private AdapterBench() {}

    /** Prints one line of figures for each kind of work. */
    public static void main(String[] args) {
        Path model = Path.of(args[0]);
        Path adapter = Path.of(args[1]);
        String quantize = args.length > 2 ? args[2] : "none";
        int threads = args.length > 3 ? Integer.parseInt(args[3]) : 0;
        int rounds = args.length > 4 ? Integer.parseInt(args[4]) : 21;
        double seconds = args.length > 5 ? Double.parseDouble(args[5]) : 0.2;
        String name = args.length > 6 ? args[6] : "cpu";
        StepEngineProvider provider = (StepEngineProvider) Engines.found().named(name);
        EngineOptions options = new EngineOptions(EngineBench.CONTEXT, 1L << 30, 32, 512, 16, threads, quantize)
                .withAdapters(List.of(adapter));
        try (Engine engine = provider.open(model, options)) {
            System.out.printf(
                    Locale.ROOT,
                    "%s, %s, %s%n",
                    model.getFileName(),
                    quantize,
                    engine.info().devices());
            ThreadMXBean threadTimes = ManagementFactory.getThreadMXBean();
            LongSupplier clock = threads == 1 ? threadTimes::getCurrentThreadCpuTime : System::nanoTime;
            EngineBench without = new EngineBench(engine, seconds).by(clock);
            EngineBench through = new EngineBench(engine, seconds).through(1).by(clock);
            System.out.printf(Locale.ROOT, "first token through it: %.0f ms%n", through.firstToken());
            report("prefill 512", rounds, () -> without.prefill(512), () -> through.prefill(512));
            for (int rows : TOGETHER) {
                report("decode " + rows, rounds, () -> without.decode(rows), () -> through.decode(rows));
            }
        }
    }

    private static void report(String work, int rounds, DoubleSupplier without, DoubleSupplier through) {
        double[] plain = new double[rounds];
        double[] adapted = new double[rounds];
        double[] ratios = new double[rounds];
        for (int i = 0; i < rounds; i++) {
            plain[i] = without.getAsDouble();
            adapted[i] = through.getAsDouble();
            ratios[i] = adapted[i] / plain[i];
        }
        System.out.printf(
                Locale.ROOT,
                "%-12s %.1f tok/s without, %.1f through it: %.3f%n",
                work,
                median(plain),
                median(adapted),
                median(ratios));
    }

    private static double median(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        return sorted[sorted.length / 2];
    }
}
