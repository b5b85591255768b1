package dev.jeton.benchmarks;

import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.EngineChecks;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.engine.StepTicket;
import dev.jeton.models.engine.StepTimeModel;
import dev.jeton.models.engine.TokenMasks;
import java.util.List;
import java.util.Set;
import java.util.concurrent.locks.LockSupport;

/**
 * An engine that computes nothing and whose steps take as long as they are said to, on the clock: what stands where a
 * GPU would while the server beside it is measured. Two tickets are in flight, as on a GPU: the second step begins when
 * the first ends. Single-threaded, as every engine.
 */
final class PacedEngine implements Engine {

    /** Shorter waits are spun: a parked thread comes back tens of microseconds late. */
    private static final long SPIN_NANOS = 60_000;

    private final EngineInfo info;
    private final EngineChecks checks;
    private final StepTimeModel time;
    private final int[] pieces;
    private final StepResult[] flights = {new StepResult(), new StepResult()};
    private long launched;
    private long awaited;
    private long freeAt = System.nanoTime();
    private int next;

    /**
     * @param vocabulary token ids
     * @param pieces tokens that it gives, in turn
     */
    PacedEngine(
            int vocabulary,
            int contextLength,
            int blocks,
            int sequences,
            int maxTokens,
            StepTimeModel.Coefficients coefficients,
            int[] pieces) {
        info = new EngineInfo(
                "paced",
                vocabulary,
                contextLength,
                List.of("none"),
                List.of(new LayerGroup(16, blocks, 1, 0)),
                sequences,
                sequences,
                maxTokens,
                2,
                Set.of());
        checks = new EngineChecks(info);
        time = new StepTimeModel(coefficients);
        this.pieces = pieces.clone();
    }

    @Override
    public EngineInfo info() {
        return info;
    }

    @Override
    public void open(int slot, SequenceSpec spec) {
        checks.open(slot, spec);
    }

    @Override
    public void close(int slot) {
        checks.close(slot);
    }

    @Override
    public StepTicket launch(StepBatch batch) {
        checks.check(batch);
        StepResult result = flights[(int) (launched & 1)];
        result.reset(batch.rows());
        long kvTokens = 0;
        for (int row = 0; row < batch.rows(); row++) {
            kvTokens += batch.position[row] + batch.inputs(row);
            result.beginRow(row);
            if (batch.has(row, StepBatch.SAMPLE)) {
                result.addToken(pieces[next], Float.NaN);
                result.accepted[row] = 1;
                next = next + 1 == pieces.length ? 0 : next + 1;
            }
        }
        result.startNanos = Math.max(System.nanoTime(), freeAt);
        result.endNanos = result.startNanos + Math.max(1, (long) time.predict(batch.tokenCount(), kvTokens));
        freeAt = result.endNanos;
        return new StepTicket(launched++);
    }

    @Override
    public StepResult await(StepTicket ticket) {
        if (ticket.number() != awaited) {
            throw new EngineException("ticket %d is not the oldest in flight".formatted(ticket.number()));
        }
        StepResult result = flights[(int) (awaited++ & 1)];
        while (true) {
            long left = result.endNanos - System.nanoTime();
            if (left <= 0) {
                return result;
            }
            if (left > SPIN_NANOS) {
                LockSupport.parkNanos(left - SPIN_NANOS);
            } else {
                Thread.onSpinWait();
            }
        }
    }

    @Override
    public void masks(StepTicket ticket, TokenMasks masks) {
        throw new EngineException("the paced engine takes no masks");
    }

    @Override
    public void transfer(int group, int[] from, int[] to, int count) {
        assert group == 0;
    }

    @Override
    public void close() {}
}
