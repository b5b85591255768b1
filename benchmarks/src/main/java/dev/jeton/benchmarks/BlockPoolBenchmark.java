package dev.jeton.benchmarks;

import dev.jeton.kvcache.KvCache;
import dev.jeton.kvcache.KvSequence;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * A prompt's way through the block pool: admitted, computed, let go of. Limit: hashing 16 tokens takes two multiplies a
 * token, about 50 nanoseconds a block; the index and the lists some cache misses.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class BlockPoolBenchmark {

    private static final int BLOCK = 16;

    /** Tokens of the prompt. */
    @Param({"512", "8192"})
    public int tokens;

    private final KvCache cache = new KvCache(BLOCK, List.of(new KvCache.Group(1 << 14, 0)), 1, true);
    private int[] prompt = new int[0];
    private int round;

    /** Makes the prompt. */
    @Setup
    public void fill() {
        prompt = new int[tokens];
        for (int i = 0; i < tokens; i++) {
            prompt[i] = i * 31 % 32_000;
        }
    }

    /** Every prompt is new: blocks are allocated, evicting older ones. */
    @Benchmark
    public int miss() {
        prompt[0] = round++;
        return pass();
    }

    /** Every prompt but its last block is found. */
    @Benchmark
    public int hit() {
        return pass();
    }

    private int pass() {
        KvSequence sequence = new KvSequence(1, 0, 0);
        cache.admit(sequence, prompt, tokens, true, List.of(), 0, round);
        cache.commit(sequence, prompt, tokens, true, round);
        int found = sequence.found();
        cache.release(sequence, round);
        return found;
    }
}
