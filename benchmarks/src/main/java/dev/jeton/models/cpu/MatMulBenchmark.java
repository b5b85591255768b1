package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;

import dev.jeton.models.QuantizedBlock;
import dev.jeton.models.TensorType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.Collections;
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
 * A matrix of 4,096 inputs and as many outputs, beyond most caches, times some rows, on one thread. It lies in the cpu
 * engine's package because its kernels are nobody else's business. With {@code -p outputs=65536} no cache holds it.
 *
 * <p>Limits: one row reads all weights (67 MB in F32, 34 in BF16, 18 in Q8_0, 14 in Q6_K, 10 in Q4_K, 9 in MXFP4), so
 * memory decides: at 33 GB/s 2.0, 1.0, 0.54, 0.42, 0.3 and 0.27 ms. 128 rows are 4.3 billion operations: at 165 to 177
 * GFLOP/s 24 to 26 ms, whatever the format.
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
    private static final byte POWER_OF_ONE = 127;

    /** How weights are kept. */
    @Param({"F32", "BF16", "Q8_0", "Q6_K", "Q5_K", "Q4_K", "MXFP4"})
    public String format = "";

    /** Rows of activations. */
    @Param({"1", "8", "128"})
    public int rows;

    /** Outputs, a multiple of 64. */
    @Param("4096")
    public int outputs;

    /** Whether quantised weights are multiplied by inputs in BF16, where the processor does that. */
    @Param("false")
    public boolean halves;

    private final NativeMemory memory = new NativeMemory();
    private PackedMatrix matrix = new PackedMatrix(PackedMatrix.Format.F32, 1, 1, true, memory);
    private Workspace work = new Workspace(1, 1, 2, 1, memory);
    private HalfRows rounded = new HalfRows(1, memory);
    private float[] x = new float[0];

    /** Random weights and activations. */
    @Setup
    public void fill() {
        Random random = new Random(1);
        int panels = outputs / PANEL;
        var formats = Collections.nCopies(panels, PackedMatrix.Format.valueOf(format));
        matrix = new PackedMatrix(formats, SIZE, true, halves, memory);
        rounded = new HalfRows((long) rows * HalfRows.stride(matrix), memory);
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
        for (int panel = 0; panel < panels; panel++) {
            matrix.pack(panel, new Rows(some, blocks(random)), scratch);
        }
    }

    /** Blocks of random numbers whose scales are one wherever the type has them. */
    private MemorySegment blocks(Random random) {
        byte[] bytes = new byte[BLOCKS * QuantizedBlock.MOST];
        random.nextBytes(bytes);
        MemorySegment blocks = MemorySegment.ofArray(bytes);
        for (int at = 0; at < bytes.length; at += QuantizedBlock.MOST) {
            for (int half : new int[] {0, 2, 208}) {
                blocks.set(
                        ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), at + half, (short) 0x3C00);
            }
            if (format.equals("MXFP4")) {
                blocks.set(ValueLayout.JAVA_BYTE, at, POWER_OF_ONE);
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
        int panels = matrix.panels();
        long end = matrix.start(panels);
        float sum = 0;
        MatMul.begin(matrix, 0, end, work);
        if (matrix.order() != HalfRows.Order.FLOATS) {
            rounded.round(x, 0, SIZE, matrix, 0, rows);
            work.inputHalves = rounded.row(0, matrix);
        }
        for (int panel = 0; panel < panels; panel++) {
            Arrays.fill(work.tile, 0);
            MatMul.panel(matrix, panel, x, 0, SIZE, rows, end, work);
            sum += work.tile[0];
        }
        return sum;
    }
}
