package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;

import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.LockSupport;

/**
 * Gets the kernels compiled before the engine is ready: vector code is a hundred times slower until then.
 *
 * <p>First the kernels of prefilling and of single decodes by themselves on few inputs, until each has become fast:
 * counted calls reach the compiler sooner than long loops, and while one is being compiled the next is counted. Then
 * steps, for what is around the kernels. Both within a bounded time. The kernels of batches of two to four rows follow
 * in the background once the engine is ready. What steps leave in KV blocks is overwritten before it could be read.
 */
final class WarmUp {

    private static final long KERNEL_NANOS = 240_000_000;
    private static final long ALL_NANOS = 300_000_000;
    private static final long BACKGROUND_AFTER_NANOS = 1_000_000_000;
    private static final long BACKGROUND_NANOS = 3_000_000_000L;
    private static final int CALLS = 700;
    /** A multiple of the inputs that share a scale. */
    private static final int INPUTS = 32;
    /** A call on so few inputs takes a fraction of a microsecond once it is compiled, and hundreds before. */
    private static final long FAST_NANOS = 4_000;

    /** Where scales are unpacked to, behind the weights. */
    private static final long SCRATCH = 4L * INPUTS * PANEL;

    private static final long PAUSE_NANOS = 500_000;

    private final CpuEngine engine;
    private final List<PackedMatrix.Format> formats;
    private final boolean adapters;
    private final int[] tokens = new int[64];

    WarmUp(CpuEngine engine, List<PackedMatrix.Format> formats) {
        this.engine = engine;
        this.formats = formats;
        adapters = engine.info().adapters() > 0;
    }

    void run() {
        long start = System.nanoTime();
        List<Kernel> first = new ArrayList<>();
        if (!formats.stream().allMatch(NativeKernels::reads)) {
            first.add(Kernels::f32x6);
        }
        formats.forEach(format -> first.add(single(format)));
        if (adapters) {
            first.addAll(LOW_RANK);
        }
        kernels(first, start + KERNEL_NANOS);
        steps(start + ALL_NANOS);
        Thread.ofPlatform().daemon().name("jeton-cpu-warm-up").start(this::later);
    }

    /** The kernels of adapters, where the first comes while the engine runs; on the thread of whoever reads it. */
    static void adapters() {
        kernels(LOW_RANK, System.nanoTime() + KERNEL_NANOS);
    }

    /** Waits until the compiler has caught up with what the first request needs. */
    private void later() {
        LockSupport.parkNanos(BACKGROUND_AFTER_NANOS);
        List<Kernel> later = new ArrayList<>();
        formats.forEach(format -> later.addAll(few(format)));
        if (!formats.stream().allMatch(NativeKernels::reads)) {
            later.addAll(List.of(Kernels::f32x4, Kernels::f32x2, Kernels::f32x1));
        }
        kernels(later, System.nanoTime() + BACKGROUND_NANOS);
    }

    /** What all kernels have in common. */
    private interface Kernel {
        void run(long w, float[] x, int xFrom, int stride, int count, float[] y, int yFrom);
    }

    /** What adapters add, in either format, for one row and for four. */
    private static final List<Kernel> LOW_RANK = List.of(
            (w, x, at, stride, count, y, to) -> LowRankKernels.down1Halves(w, x, at, count, x, at, y, to),
            (w, x, at, stride, count, y, to) -> LowRankKernels.up1Halves(w, x, at, at, count, y, to),
            (w, x, at, stride, count, y, to) ->
                    LowRankKernels.down4Halves(w, x, at, stride, count, x, at, y, to, PANEL),
            (w, x, at, stride, count, y, to) -> LowRankKernels.up4Halves(w, x, at, at, stride, count, y, to),
            (w, x, at, stride, count, y, to) -> LowRankKernels.down1(w, x, at, count, x, at, y, to),
            (w, x, at, stride, count, y, to) -> LowRankKernels.up1(w, x, at, at, count, y, to),
            (w, x, at, stride, count, y, to) -> LowRankKernels.down4(w, x, at, stride, count, x, at, y, to, PANEL),
            (w, x, at, stride, count, y, to) -> LowRankKernels.up4(w, x, at, at, stride, count, y, to));

    private static Kernel single(PackedMatrix.Format format) {
        if (NativeKernels.reads(format)) {
            return (w, x, at, stride, count, y, to) -> compiled(format, w, x, at, stride, count, y);
        }
        return switch (format) {
            case F32 -> Kernels::f32x1;
            case BF16 -> Kernels::bf16x1;
            case BF16_PAIRS -> throw new IllegalStateException("there are such panels only for kernels in C");
            case Q8_0 -> (w, x, at, stride, count, y, to) -> Kernels.q8x1(w, w, x, at, stride, count, y, to);
            case MXFP4 ->
                (w, x, at, stride, count, y, to) -> Mxfp4Kernels.x1(w, w + SCRATCH, x, at, stride, count, y, to);
            case Q4_K ->
                (w, x, at, stride, count, y, to) -> BlockKernels.q4x1(w, 0, w + SCRATCH, x, at, stride, count, y, to);
            case Q5_K ->
                (w, x, at, stride, count, y, to) -> BlockKernels.q5x1(w, 0, w + SCRATCH, x, at, stride, count, y, to);
            case Q6_K ->
                (w, x, at, stride, count, y, to) -> BlockKernels.q6x1(w, 0, w + SCRATCH, x, at, stride, count, y, to);
        };
    }

    private static void compiled(
            PackedMatrix.Format format, long w, float[] x, int from, int stride, int count, float[] y) {
        if (format == PackedMatrix.Format.BF16_PAIRS) {
            NativeKernels.round(HalfRows.Order.PLAIN, x, from, stride, count, 1, w + SCRATCH);
            NativeKernels.bf16(w, w + SCRATCH, count, 1, y);
        } else if (NativeKernels.halves(format)) {
            NativeKernels.round(HalfRows.Order.HALVES_OF_EIGHT, x, from, stride, count, 1, w + SCRATCH);
            NativeKernels.halves(format, w, w + SCRATCH, count, 1, y, w);
        } else {
            NativeKernels.blocks(format, w, x, from, stride, count, 1, y, w);
        }
    }

    private static List<Kernel> few(PackedMatrix.Format format) {
        if (NativeKernels.reads(format)) {
            return List.of();
        }
        return switch (format) {
            case F32, BF16_PAIRS -> List.of();
            case BF16 -> List.of(Kernels::bf16x4, Kernels::bf16x2);
            case Q8_0 -> List.of((w, x, at, stride, count, y, to) -> Kernels.q8x2(w, w, x, at, stride, count, y, to));
            case MXFP4 ->
                List.of((w, x, at, stride, count, y, to) ->
                        Mxfp4Kernels.x2(w, w + SCRATCH, x, at, stride, count, y, to));
            case Q4_K ->
                List.of((w, x, at, stride, count, y, to) ->
                        BlockKernels.q4x2(w, 0, w + SCRATCH, x, at, stride, count, y, to));
            case Q5_K ->
                List.of((w, x, at, stride, count, y, to) ->
                        BlockKernels.q5x2(w, 0, w + SCRATCH, x, at, stride, count, y, to));
            case Q6_K ->
                List.of((w, x, at, stride, count, y, to) ->
                        BlockKernels.q6x2(w, 0, w + SCRATCH, x, at, stride, count, y, to));
        };
    }

    private static void kernels(List<Kernel> kernels, long end) {
        float[] x = new float[8 * INPUTS];
        float[] y = new float[8 * PANEL];
        try (NativeMemory memory = new NativeMemory()) {
            long w = memory.allocate(2 * SCRATCH, 64).address();
            for (Kernel kernel : kernels) {
                for (int i = 0; i < CALLS && System.nanoTime() < end && !fast(kernel, w, x, y); i++) {
                    kernel.run(w, x, 0, INPUTS, INPUTS, y, 0);
                }
            }
            for (Kernel kernel : kernels) {
                while (System.nanoTime() < end && !fast(kernel, w, x, y)) {
                    LockSupport.parkNanos(PAUSE_NANOS);
                }
            }
        }
    }

    private static boolean fast(Kernel kernel, long w, float[] x, float[] y) {
        long start = System.nanoTime();
        kernel.run(w, x, 0, INPUTS, INPUTS, y, 0);
        return System.nanoTime() - start < FAST_NANOS;
    }

    private void steps(long end) {
        SequenceSpec sequence = new SequenceSpec(SamplingParameters.GREEDY, tokens, 1, 1);
        StepBatch batch = new StepBatch(engine.info().groups().size());
        // The first steps run what is not compiled yet, so they are small: nothing ends a step that is too long.
        for (int i = 0; System.nanoTime() < end; i++) {
            engine.open(0, sequence);
            step(batch, i % 4 == 3 ? 12 : 1, adapters && i % 2 == 1 ? 1 : 0);
            engine.close(0);
        }
    }

    private void step(StepBatch batch, int inputs, int adapter) {
        int blocks = Integer.MAX_VALUE;
        for (LayerGroup group : engine.info().groups()) {
            blocks = Math.min(blocks, group.blockCount());
        }
        int size = engine.info().groups().getFirst().blockSize();
        int most =
                Math.min(Math.min(engine.info().contextLength(), engine.info().maxTokens()), blocks * size);
        int count = Math.min(inputs, most);
        int needed = (count + size - 1) / size;
        int[] table = new int[needed];
        int output = engine.info().supports(Capability.POOLING) ? StepBatch.POOLED : StepBatch.SAMPLE;
        batch.clear();
        batch.addRow(0, output, 0, tokens, 0, count);
        batch.useAdapter(adapter);
        for (int i = 0; i < needed; i++) {
            table[i] = i % blocks;
        }
        for (int g = 0; g < batch.groups(); g++) {
            batch.addBlocks(g, table, 0, needed);
        }
        engine.await(engine.launch(batch));
    }
}
