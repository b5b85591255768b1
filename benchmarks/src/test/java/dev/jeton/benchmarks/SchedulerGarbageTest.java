package dev.jeton.benchmarks;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.TokenGrammar;
import dev.jeton.scheduler.Generation;
import dev.jeton.scheduler.GenerationEvent;
import dev.jeton.scheduler.GenerationRequest;
import dev.jeton.scheduler.Scheduler;
import dev.jeton.scheduler.SchedulerConfig;
import dev.jeton.scheduler.StepListener;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the step loop's turn leaves to the collector, as the JVM counts it for a thread. */
class SchedulerGarbageTest {

    private static final int PROMPT = 64;
    private static final int CONTEXT = 1_024;
    /**
     * What a request keeps of its tokens doubles when it is full, here at 128 tokens (ids), 144 (hashes of blocks) and
     * 256: the steps that are counted lie between.
     */
    private static final int FIRST = 100;

    private static final int STEPS = 80;

    @ParameterizedTest(name = "{0}, {1} tickets, {2} drafts")
    @CsvSource({"nothing, 1, 0", "nothing, 2, 0", "free, 1, 0", "free, 2, 0", "nothing, 1, 8", "nothing, 2, 8"})
    void garbageOfAStepDoesNotGrowWithItsSequences(String bound, int tickets, int drafts) {
        long few = bytes(8, bound, tickets, drafts);
        long many = bytes(256, bound, tickets, drafts);
        assertThat(many)
                .as("bytes of %d steps of 256 sequences, %d of 8", STEPS, few)
                .isLessThan(few + 16L * STEPS);
    }

    private static long bytes(int sequences, String bound, int tickets, int drafts) {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        Scheduler scheduler = scheduler(sequences, tickets, drafts);
        Optional<TokenGrammar> grammar = SchedulerStepBenchmark.grammar(bound);
        List<Generation> generations = new ArrayList<>();
        for (int i = 0; i < sequences; i++) {
            int[] prompt = new int[PROMPT];
            for (int p = 0; p < PROMPT; p++) {
                prompt[p] = i * PROMPT + p;
            }
            GenerationRequest request = GenerationRequest.of("r" + i, prompt, CONTEXT, SamplingParameters.GREEDY);
            generations.add(scheduler.submit(grammar.map(request::guided).orElse(request)));
        }
        GenerationEvent event = new GenerationEvent();
        int tokens = 0;
        while (tokens < FIRST * sequences) {
            tokens += step(scheduler, generations, event);
        }
        long before = threads.getCurrentThreadAllocatedBytes();
        for (int step = 0; step < STEPS; step++) {
            step(scheduler, generations, event);
        }
        return threads.getCurrentThreadAllocatedBytes() - before;
    }

    /** Every look at the clock takes as long, so that how many drafts are worth it depends on nothing but the case. */
    private static Scheduler scheduler(int sequences, int tickets, int drafts) {
        AtomicLong now = new AtomicLong();
        LongSupplier clock = () -> now.addAndGet(1_000);
        return new Scheduler(
                new BlankEngine(sequences, CONTEXT, sequences * (CONTEXT / 16 + 1), tickets, clock),
                new SchedulerConfig(sequences, 1 << 16, 4096, 1024, Long.MAX_VALUE / 4, 0, true, 1).drafting(drafts),
                clock,
                0,
                StepListener.NONE);
    }

    /** A turn; returns how many tokens its readers got. */
    private static int step(Scheduler scheduler, List<Generation> generations, GenerationEvent event) {
        scheduler.turn();
        int tokens = 0;
        for (int i = 0; i < generations.size(); i++) {
            while (generations.get(i).poll(event)) {
                if (event.finished) {
                    throw new AssertionError("a sequence ended before it was to");
                }
                tokens++;
            }
        }
        return tokens;
    }
}
