package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;

import java.util.Arrays;
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
 * A matrix of 4,096 by 4,096, beyond the caches, times some rows, on one thread. It lies in the cpu engine's package
 * because its kernels are nobody else's business.
 *
 * <p>Limits: one row reads all weights (67 MB in F32, 34 in BF16, 18 in Q8_0), so memory decides: at 33 GB/s 2.0, 1.0
 * and 0.54 ms. 128 rows are 4.3 billion operations: at 165 to 177 GFLOP/s 24 to 26 ms, whatever the format.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class MatMulBenchmark {

    private static final int SIZE = 4096;
    private static final int CHUNK = 32;

    /** How weights are kept. */
    @Param({"F32", "BF16", "Q8_0"})
    public String format = "";

    /** Rows of activations. */
    @Param({"1", "8", "128"})
    public int rows;

    private final NativeMemory memory = new NativeMemory();
    private PackedMatrix matrix = new PackedMatrix(PackedMatrix.Format.F32, 1, 1, true, memory);
    private Workspace work = new Workspace(1, 1, 2, 1, memory);
    private float[] x = new float[0];

    /** Random weights and activations. */
    @Setup
    public void fill() {
        Random random = new Random(1);
        matrix = new PackedMatrix(PackedMatrix.Format.valueOf(format), SIZE, SIZE / PANEL, true, memory);
        work = new Workspace(rows, 1, 2, 1, memory);
        x = new float[(rows + MatMul.SPARE_ROWS) * SIZE];
        for (int i = 0; i < x.length; i++) {
            x[i] = (float) random.nextGaussian();
        }
        float[] some = new float[1 << 16];
        for (int i = 0; i < some.length; i++) {
            some[i] = (float) random.nextGaussian();
        }
        float[] block = new float[CHUNK * PANEL];
        float[] turned = new float[CHUNK * PANEL];
        for (int panel = 0; panel < SIZE / PANEL; panel++) {
            matrix.pack(
                    panel,
                    (output, first, count, target, offset) -> System.arraycopy(
                            some, (output * 31 + first) % (some.length - count), target, offset, count),
                    block,
                    turned);
        }
    }

    /** Frees the weights. */
    @TearDown
    public void free() {
        memory.close();
    }

    /** All panels. */
    @Benchmark
    public float multiply() {
        int panels = SIZE / PANEL;
        long end = matrix.address(panels - 1, 0) + matrix.panelBytes();
        float sum = 0;
        MatMul.begin(matrix, 0, end, work);
        for (int panel = 0; panel < panels; panel++) {
            Arrays.fill(work.tile, 0);
            MatMul.panel(matrix, panel, x, 0, SIZE, rows, end, work);
            sum += work.tile[0];
        }
        return sum;
    }
}
