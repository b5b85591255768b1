package dev.jeton.scheduler;

import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.EngineChecks;
import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.engine.StepTicket;
import dev.jeton.models.engine.TokenMasks;
import dev.jeton.models.sim.SimClock;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Set;

/** Takes whole prompts; the vector of one is the sum of its tokens, and how many there are. */
final class VectorEngine implements Engine {

    private record Step(long id, List<float[]> vectors, int tokens) {}

    private final EngineInfo info;
    private final SimClock clock;
    private final EngineChecks checks;
    private final Deque<Step> steps = new ArrayDeque<>();
    /** Tokens of each step. */
    final List<Integer> stepTokens = new ArrayList<>();

    private long launched;

    VectorEngine(int context, int rows, int tokens, int tickets, SimClock clock) {
        this.clock = clock;
        info = new EngineInfo(
                "vectors",
                1_000,
                context,
                List.of("none"),
                List.of(),
                rows,
                rows,
                tokens,
                tickets,
                Set.of(Capability.POOLING, Capability.WHOLE_PROMPTS));
        checks = new EngineChecks(info);
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
        List<float[]> vectors = new ArrayList<>();
        for (int row = 0; row < batch.rows(); row++) {
            float sum = 0;
            for (int i = batch.inputStart[row]; i < batch.inputStart[row + 1]; i++) {
                sum += batch.tokens[i];
            }
            vectors.add(batch.has(row, StepBatch.POOLED) ? new float[] {sum, batch.inputs(row)} : new float[2]);
        }
        stepTokens.add(batch.tokenCount());
        steps.add(new Step(launched, vectors, batch.tokenCount()));
        return new StepTicket(launched++);
    }

    @Override
    public void masks(StepTicket ticket, TokenMasks masks) {
        throw new UnsupportedOperationException("no masks");
    }

    @Override
    public StepResult await(StepTicket ticket) {
        Step step = steps.remove();
        StepResult result = new StepResult();
        result.reset(step.vectors().size());
        result.reservePooled(2);
        for (int row = 0; row < step.vectors().size(); row++) {
            result.beginRow(row);
            System.arraycopy(step.vectors().get(row), 0, result.pooled, 2 * row, 2);
        }
        result.startNanos = clock.getAsLong();
        clock.advance(1_000L * step.tokens());
        result.endNanos = clock.getAsLong();
        return result;
    }

    @Override
    public void transfer(int group, int[] from, int[] to, int count) {
        throw new UnsupportedOperationException("no blocks");
    }

    @Override
    public void close() {}
}
