package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;

import dev.jeton.models.QuantizedBlock;
import dev.jeton.models.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
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
 * <p>Limits: one row reads all weights (67 MB in F32, 34 in BF16, 18 in Q8_0, 14 in Q6_K, 10 in Q4_K), so memory
 * decides: at 33 GB/s 2.0, 1.0, 0.54, 0.42 and 0.3 ms. 128 rows are 4.3 billion operations: at 165 to 177 GFLOP/s 24 to
 * 26 ms, whatever the format.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(value = 1, jvmArgsAppend = "--add-modules=jdk.incubator.vector")
public class MatMulBenchmark {

    private static final int SIZE = 4096;
    private static final int BLOCKS = 256;

    /** How weights are kept. */
    @Param({"F32", "BF16", "Q8_0", "Q6_K", "Q5_K", "Q4_K"})
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
        PackedMatrix.Scratch scratch = new PackedMatrix.Scratch();
        for (int panel = 0; panel < SIZE / PANEL; panel++) {
            matrix.pack(panel, new Rows(some, blocks(random)), scratch);
        }
    }

    /** Blocks of random numbers whose scales are one, as binary16, wherever the type has them. */
    private MemorySegment blocks(Random random) {
        byte[] bytes = new byte[BLOCKS * QuantizedBlock.MOST];
        random.nextBytes(bytes);
        MemorySegment blocks = MemorySegment.ofArray(bytes);
        for (int at = 0; at < bytes.length; at += QuantizedBlock.MOST) {
            for (int half : new int[] {0, 2, 208}) {
                blocks.set(
                        ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), at + half, (short) 0x3C00);
            }
        }
        return blocks;
    }

    private final class Rows implements PackedMatrix.RowSource {
        private final float[] some;
        private final MemorySegment blocks;

        Rows(float[] some, MemorySegment blocks) {
            this.some = some;
            this.blocks = blocks;
        }

        @Override
        public void read(int output, int first, int count, float[] target, int offset) {
            System.arraycopy(some, (output * 31 + first) % (some.length - count), target, offset, count);
        }

        @Override
        public boolean block(int output, int number, QuantizedBlock target) {
            target.read(TensorType.valueOf(format), blocks, (output * 31L + number) % BLOCKS * QuantizedBlock.MOST);
            return true;
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
        long end = matrix.start(panels);
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
