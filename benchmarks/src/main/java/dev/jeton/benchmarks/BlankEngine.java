package dev.jeton.benchmarks;

import dev.jeton.models.engine.Capability;
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
import java.util.function.LongSupplier;

/** An engine that does nothing and takes no time, so that what is measured is the scheduler. */
final class BlankEngine implements Engine {

    /** Tokens that it knows. */
    static final int VOCABULARY = 32_000;

    /** The one that it always samples. */
    static final int TOKEN = 7;

    private final EngineInfo info;
    private final StepResult[] results = {new StepResult(), new StepResult()};
    private final LongSupplier clock;
    private long launched;

    /** @param clock nanoseconds, of which its steps say when they began and ended */
    BlankEngine(int sequences, int contextLength, int blocks, int tickets, LongSupplier clock) {
        this.clock = clock;
        info = new EngineInfo(
                "blank",
                VOCABULARY,
                contextLength,
                List.of("none"),
                List.of(new LayerGroup(16, blocks, 1, 0)),
                sequences,
                sequences,
                1 << 16,
                tickets,
                Set.of(Capability.MASKS, Capability.DRAFTS));
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
        StepResult result = results[(int) (launched & 1)];
        result.reset(batch.rows());
        for (int row = 0; row < batch.rows(); row++) {
            result.beginRow(row);
            if (batch.has(row, StepBatch.SAMPLE)) {
                result.addToken(TOKEN, Float.NaN);
                result.accepted[row] = 1;
            }
        }
        result.startNanos = clock.getAsLong();
        return new StepTicket(launched++);
    }

    @Override
    public StepResult await(StepTicket ticket) {
        StepResult result = results[(int) (ticket.number() & 1)];
        result.endNanos = Math.max(clock.getAsLong(), result.startNanos + 1);
        return result;
    }

    /** Whatever they say it would sample anyway. */
    @Override
    public void masks(StepTicket ticket, TokenMasks masks) {
        if (ticket.number() != launched - 1) {
            throw new EngineException("ticket %d is not the newest".formatted(ticket.number()));
        }
    }

    @Override
    public void transfer(int group, int[] from, int[] to, int count) {
        assert group == 0;
    }

    @Override
    public void close() {
        launched = 0;
    }
}
