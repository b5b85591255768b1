package dev.jeton.benchmarks;

import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.scheduler.Generation;
import dev.jeton.scheduler.GenerationEvent;
import dev.jeton.scheduler.GenerationRequest;
import dev.jeton.scheduler.Scheduler;
import dev.jeton.scheduler.SchedulerConfig;
import dev.jeton.scheduler.StepListener;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * One step of running sequences: planned, applied, attributed, published and read, on an engine that takes no time.
 * Limit: some thirty cache lines per sequence, so about 10 microseconds for 256.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class SchedulerStepBenchmark {

    private static final int PROMPT = 64;
    private static final int CONTEXT = 8192;

    /** Sequences that decode at once. */
    @Param({"32", "256"})
    public int sequences;

    private final List<Generation> generations = new ArrayList<>();
    private final GenerationEvent event = new GenerationEvent();
    private Scheduler scheduler = newScheduler(1);

    private static Scheduler newScheduler(int sequences) {
        int blocks = sequences * (CONTEXT / 16 + 1);
        SchedulerConfig config = new SchedulerConfig(sequences, 1 << 16, 4096, 1024, Long.MAX_VALUE / 4, 0, true, 1);
        return new Scheduler(
                new BlankEngine(sequences, CONTEXT, blocks),
                config,
                System::nanoTime,
                System.nanoTime(),
                StepListener.NONE);
    }

    /** Fills the batch. */
    @Setup(Level.Iteration)
    public void fill() {
        scheduler = newScheduler(sequences);
        generations.clear();
        for (int i = 0; i < sequences; i++) {
            generations.add(scheduler.submit(request(i)));
        }
        while (scheduler.stats().runningSequences() < sequences) {
            scheduler.turn();
        }
    }

    private static GenerationRequest request(int i) {
        int[] prompt = new int[PROMPT];
        for (int p = 0; p < PROMPT; p++) {
            prompt[p] = i * PROMPT + p;
        }
        return GenerationRequest.of("r" + i, prompt, CONTEXT, SamplingParameters.GREEDY);
    }

    /** A step; sequences that reached the context's end are replaced. */
    @Benchmark
    public int step() {
        scheduler.turn();
        int taken = 0;
        for (int i = 0; i < generations.size(); i++) {
            Generation generation = generations.get(i);
            while (generation.poll(event)) {
                taken++;
            }
            if (generation.done()) {
                generations.set(i, scheduler.submit(request(i)));
            }
        }
        return taken;
    }
}
