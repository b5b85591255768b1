package dev.jeton.models.cpu;

import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepTicket;

/**
 * Runs steps before the engine is ready: vector code is a hundred times slower until it is compiled. Alternates a small
 * chunk, single decodes and batches of them, for a bounded time; what it leaves in KV blocks is overwritten before it
 * could be read.
 */
final class WarmUp {

    private static final long MOST_NANOS = 400_000_000;

    private final CpuEngine engine;
    private final int[] tokens;

    WarmUp(CpuEngine engine) {
        this.engine = engine;
        this.tokens = new int[1024];
    }

    void run() {
        long end = System.nanoTime() + MOST_NANOS;
        int rows = Math.min(8, engine.info().maxRows());
        for (int slot = 0; slot < rows; slot++) {
            engine.open(slot, new SequenceSpec(SamplingParameters.GREEDY, tokens, 1, 1));
        }
        StepBatch batch = new StepBatch(engine.info().groups().size());
        while (System.nanoTime() < end) {
            step(batch, 1, 48);
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
        batch.clear();
        for (int row = 0; row < rows; row++) {
            batch.addRow(row, StepBatch.SAMPLE, 0, tokens, 0, count);
            int needed = (count + size - 1) / size;
            for (int g = 0; g < batch.groups(); g++) {
                for (int i = 0; i < needed; i++) {
                    batch.addBlocks(g, new int[] {(row * needed + i) % blocks}, 0, 1);
                }
            }
        }
        StepTicket ticket = engine.launch(batch);
        engine.await(ticket);
    }
}
