package dev.jeton.models.cpu;

import dev.jeton.models.engine.LayerGroup;
import java.util.Random;
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
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Attention of one key head over blocks in any order, on one thread: heads of 64, or the vectors of 512 elements with
 * 64 behind them that DeepSeek's models keep.
 *
 * <p>Limits, of heads of 64: a position of context is 512 bytes of K and V and, for each query, 256 operations. One
 * query is bound by reading: 4,096 positions are 2.1 MB, 64 us from memory at 33 GB/s, less from a cache. A chunk of 32
 * positions of four query heads shares each read among eight queries and is bound by arithmetic: 134 million operations
 * at 4,096 positions, 0.8 ms at 170 GFLOP/s. Of DeepSeek's: 4,352 bytes in F32 and 2,176 operations a query, so one
 * position of eight heads, which is a tile, is 17.8 MB at 4,096 positions, 540 us from memory, and 71 million
 * operations, 420 us.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class AttentionBenchmark {

    private static final int KEY = 576;
    private static final int VALUE = 512;
    private static final int BLOCK = 16;
    private static final int CHUNK = 32;
    private static final int HEADS = 4;
    private static final float[] NO_SINKS = {};

    /** Positions that are looked back on. */
    @Param({"256", "4096"})
    public int context;

    /** Of K and V. */
    @Param({"F32", "BF16"})
    public String type = "F32";

    /** Elements of a key and a value head. */
    @Param({"64/64", "576/512"})
    public String widths = "64/64";

    private final NativeMemory memory = new NativeMemory();
    private HeadWidths of = HeadWidths.of(64);
    private Attention attention = new Attention(of, memory);
    private final float[] queries = new float[CHUNK * HEADS * KEY];
    private final float[] result = new float[CHUNK * HEADS * VALUE];
    private KvArena arena = arena(BLOCK);
    private int[] table = new int[0];

    private KvArena arena(int tokens) {
        int blocks = tokens / BLOCK;
        KvArena.Type kv = KvArena.Type.valueOf(type);
        long bytes = KvArena.blockBytes(kv, 1, 1, of, BLOCK);
        return new KvArena(new LayerGroup(BLOCK, blocks, bytes, 0), kv, 1, of, memory);
    }

    /** Random K and V in blocks whose order is turned round. */
    @Setup
    public void fill() {
        Random random = new Random(1);
        String[] both = widths.split("/");
        of = new HeadWidths(Integer.parseInt(both[0]), Integer.parseInt(both[1]));
        attention = new Attention(of, memory);
        arena = arena(context);
        table = new int[context / BLOCK];
        float[] kv = new float[of.key() + of.value()];
        for (int i = 0; i < table.length; i++) {
            table[i] = table.length - 1 - i;
            for (int token = 0; token < BLOCK; token++) {
                gaussian(random, kv);
                arena.write(table[i], 0, 0, token, kv, 0, of.key());
            }
        }
        gaussian(random, queries);
    }

    private static void gaussian(Random random, float[] values) {
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian() / 8;
        }
    }

    /** Frees K and V. */
    @TearDown
    public void free() {
        memory.close();
    }

    /** One query at the context's end. */
    @Benchmark
    public float decode() {
        return attend(1, 1);
    }

    /** One position at the context's end, eight query heads for the key head. */
    @Benchmark
    public float decodeEight() {
        return attend(1, 8);
    }

    /** A chunk of prompt at the context's end, four query heads for the key head. */
    @Benchmark
    public float chunk() {
        return attend(CHUNK, HEADS);
    }

    private float attend(int positions, int heads) {
        int stride = heads * of.key();
        attention.compute(
                arena,
                0,
                0,
                table,
                0,
                context - positions,
                positions,
                queries,
                0,
                stride,
                heads,
                NO_SINKS,
                0,
                result,
                0,
                heads * of.value());
        return result[0];
    }
}
