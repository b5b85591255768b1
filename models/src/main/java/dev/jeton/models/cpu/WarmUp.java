package dev.jeton.models.cpu;

import static dev.jeton.models.cpu.Kernels.PANEL;

import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import java.lang.foreign.MemorySegment;

/**
 * Gets the kernels compiled before the engine is ready: vector code is a hundred times slower until then.
 *
 * <p>First each kernel by itself on few inputs, the costliest first: counted calls reach the compiler sooner than long
 * loops, and while one is being compiled the next is counted. Then whole steps, alternating a small chunk, single decodes
 * and batches. Both within a bounded time; what steps leave in KV blocks is overwritten before it could be read.
 */
final class WarmUp {

    private static final long KERNEL_NANOS = 150_000_000;
    private static final long ALL_NANOS = 350_000_000;
    private static final int CALLS = 700;
    private static final int INPUTS = 24;

    private final CpuEngine engine;
    private final PackedMatrix.Format format;
    private final NativeMemory memory;
    private final int[] tokens = new int[64];
    private final float[] x = new float[8 * INPUTS];
    private final float[] y = new float[8 * PANEL];

    WarmUp(CpuEngine engine, PackedMatrix.Format format, NativeMemory memory) {
        this.engine = engine;
        this.format = format;
        this.memory = memory;
    }

    void run() {
        long start = System.nanoTime();
        kernels(start + KERNEL_NANOS);
        steps(start + ALL_NANOS);
    }

    private void kernels(long end) {
        MemorySegment w = memory.allocate(4L * 32 * PANEL, 64);
        for (int kernel = 0; kernel < 5; kernel++) {
            for (int i = 0; i < CALLS && System.nanoTime() < end; i++) {
                kernel(kernel, w);
            }
        }
    }

    private void kernel(int kernel, MemorySegment w) {
        switch (kernel) {
            case 0 -> Kernels.f32x6(w, 0, x, 0, INPUTS, INPUTS, y, 0);
            case 1 -> {
                switch (format) {
                    case F32 -> Kernels.f32x1(w, 0, x, 0, INPUTS, INPUTS, y, 0);
                    case BF16 -> Kernels.bf16x1(w, 0, x, 0, INPUTS, INPUTS, y, 0);
                    case Q8_0 -> Kernels.q8x1(w, 0, x, 0, INPUTS, INPUTS, y, 0);
                }
            }
            case 2 -> Kernels.f32x4(w, 0, x, 0, INPUTS, INPUTS, y, 0);
            case 3 -> {
                switch (format) {
                    case F32 -> Kernels.f32x2(w, 0, x, 0, INPUTS, INPUTS, y, 0);
                    case BF16 -> Kernels.bf16x4(w, 0, x, 0, INPUTS, INPUTS, y, 0);
                    case Q8_0 -> Kernels.q8x4(w, 0, x, 0, INPUTS, INPUTS, y, 0);
                }
            }
            default -> RowKernels.gate(y, 1, y, PANEL, 0);
        }
    }

    private void steps(long end) {
        int rows = Math.min(8, engine.info().maxRows());
        for (int slot = 0; slot < rows; slot++) {
            engine.open(slot, new SequenceSpec(SamplingParameters.GREEDY, tokens, 1, 1));
        }
        StepBatch batch = new StepBatch(engine.info().groups().size());
        while (System.nanoTime() < end) {
            step(batch, 1, 12);
            for (int i = 0; i < 4; i++) {
                step(batch, 1, 1);
            }
            step(batch, rows, 1);
        }
        for (int slot = 0; slot < rows; slot++) {
            engine.close(slot);
        }
    }

    private void step(StepBatch batch, int rows, int inputs) {
        int blocks = Integer.MAX_VALUE;
        for (LayerGroup group : engine.info().groups()) {
            blocks = Math.min(blocks, group.blockCount());
        }
        int size = engine.info().groups().getFirst().blockSize();
        int most =
                Math.min(Math.min(engine.info().contextLength(), engine.info().maxTokens() / rows), blocks * size);
        int count = Math.min(inputs, most);
        int needed = (count + size - 1) / size;
        int[] table = new int[needed];
        batch.clear();
        for (int row = 0; row < rows; row++) {
            batch.addRow(row, StepBatch.SAMPLE, 0, tokens, 0, count);
            for (int i = 0; i < needed; i++) {
                table[i] = (row * needed + i) % blocks;
            }
            for (int g = 0; g < batch.groups(); g++) {
                batch.addBlocks(g, table, 0, needed);
            }
        }
        engine.await(engine.launch(batch));
    }
}
