package dev.jeton.benchmarks;

import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.TokenGrammar;
import dev.jeton.models.grammar.CallTags;
import dev.jeton.models.grammar.Grammar;
import dev.jeton.models.grammar.GrammarSpec;
import dev.jeton.models.grammar.GrammarVocabulary;
import dev.jeton.models.tools.HermesFormat;
import dev.jeton.scheduler.Generation;
import dev.jeton.scheduler.GenerationEvent;
import dev.jeton.scheduler.GenerationRequest;
import dev.jeton.scheduler.Scheduler;
import dev.jeton.scheduler.SchedulerConfig;
import dev.jeton.scheduler.StepListener;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
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
 *
 * <p>Texts may be bound to nothing; free, but that calls of a strict function are held to its schema once one begins;
 * or bound by a mask at each token, which costs at least its writing, 4 KB a sequence.
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

    /** What binds their texts. */
    @Param({"nothing", "free", "masked"})
    public String bound = "nothing";

    /** Steps in flight at once. */
    @Param({"1", "2"})
    public int tickets = 1;

    private final List<Generation> generations = new ArrayList<>();
    private final GenerationEvent event = new GenerationEvent();
    private Optional<TokenGrammar> grammar = Optional.empty();
    private Scheduler scheduler = newScheduler(1, 1);

    private static Scheduler newScheduler(int sequences, int tickets) {
        int blocks = sequences * (CONTEXT / 16 + 1);
        SchedulerConfig config = new SchedulerConfig(sequences, 1 << 16, 4096, 1024, Long.MAX_VALUE / 4, 0, true, 1);
        return new Scheduler(
                new BlankEngine(sequences, CONTEXT, blocks, tickets, System::nanoTime),
                config,
                System::nanoTime,
                System.nanoTime(),
                StepListener.NONE);
    }

    /** Fills the batch. */
    @Setup(Level.Iteration)
    public void fill() {
        scheduler = newScheduler(sequences, tickets);
        grammar = grammar(bound);
        generations.clear();
        for (int i = 0; i < sequences; i++) {
            generations.add(scheduler.submit(request(i)));
        }
        while (scheduler.stats().runningSequences() < sequences) {
            scheduler.turn();
        }
    }

    /** What binds texts as {@link #bound} says. */
    static Optional<TokenGrammar> grammar(String bound) {
        GrammarSpec.Function strict = new GrammarSpec.Function("weather", Map.of("type", "object"), true);
        return switch (bound) {
            case "free" ->
                Optional.of(new GrammarSpec.Tags(CallTags.of(new HermesFormat(), List.of(strict), false), false, false))
                        .map(SchedulerStepBenchmark::compiled);
            case "masked" -> Optional.of(new GrammarSpec.Regex("[a-z ]*")).map(SchedulerStepBenchmark::compiled);
            default -> Optional.empty();
        };
    }

    /** Over made tokens of letters. */
    private static TokenGrammar compiled(GrammarSpec spec) {
        GrammarVocabulary tokens = new GrammarVocabulary(
                BlankEngine.VOCABULARY,
                id -> Integer.toString(id, 26)
                        .chars()
                        .mapToObj(c -> String.valueOf((char) (c < 'a' ? c - '0' + 'a' : c - 'a' + 'k')))
                        .collect(Collectors.joining())
                        .getBytes(StandardCharsets.US_ASCII),
                false);
        return Grammar.compile(spec, tokens, false);
    }

    private GenerationRequest request(int i) {
        int[] prompt = new int[PROMPT];
        for (int p = 0; p < PROMPT; p++) {
            prompt[p] = i * PROMPT + p;
        }
        GenerationRequest request = GenerationRequest.of("r" + i, prompt, CONTEXT, SamplingParameters.GREEDY);
        return grammar.map(request::guided).orElse(request);
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
