package dev.jeton.benchmarks;

import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.engine.StepTicket;
import dev.jeton.models.engine.TokenMasks;
import java.util.List;
import java.util.Set;

/** An engine that does nothing and takes no time, so that what is measured is the scheduler. */
final class BlankEngine implements Engine {

    private static final int TOKEN = 7;

    private final EngineInfo info;
    private final StepResult result = new StepResult();
    private final boolean[] samples;
    private int rows;
    private long launched;

    BlankEngine(int sequences, int contextLength, int blocks) {
        info = new EngineInfo(
                "blank",
                32_000,
                contextLength,
                List.of("none"),
                List.of(new LayerGroup(16, blocks, 1, 0)),
                sequences,
                sequences,
                1 << 16,
                1,
                Set.of());
        samples = new boolean[sequences];
    }

    @Override
    public EngineInfo info() {
        return info;
    }

    @Override
    public void open(int slot, SequenceSpec spec) {
        assert slot < info.maxSlots();
    }

    @Override
    public void close(int slot) {
        assert slot < info.maxSlots();
    }

    @Override
    public StepTicket launch(StepBatch batch) {
        rows = batch.rows();
        for (int row = 0; row < rows; row++) {
            samples[row] = batch.has(row, StepBatch.SAMPLE);
        }
        return new StepTicket(launched++);
    }

    @Override
    public StepResult await(StepTicket ticket) {
        result.reset(rows);
        for (int row = 0; row < rows; row++) {
            result.beginRow(row);
            if (samples[row]) {
                result.addToken(TOKEN, Float.NaN);
                result.accepted[row] = 1;
            }
        }
        result.startNanos = System.nanoTime();
        result.endNanos = result.startNanos + 1;
        return result;
    }

    @Override
    public void masks(StepTicket ticket, TokenMasks masks) {
        throw new EngineException("the blank engine takes no masks");
    }

    @Override
    public void transfer(int group, int[] from, int[] to, int count) {
        assert group == 0;
    }

    @Override
    public void close() {
        rows = 0;
    }
}
