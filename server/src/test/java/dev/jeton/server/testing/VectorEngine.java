package dev.jeton.server.testing;

import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.EngineChecks;
import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.engine.StepTicket;
import dev.jeton.models.engine.TokenMasks;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.function.Function;

/** An engine that takes whole prompts, and gives for each the vector that a function gives for it. */
final class VectorEngine implements Engine {

    private final EngineInfo info;
    private final EngineChecks checks;
    private final Function<int[], float[]> vectors;
    private final int width;
    private final StepResult result = new StepResult();
    private long launched;

    VectorEngine(int contextLength, int maxSlots, int maxTokens, int width, Function<int[], float[]> vectors) {
        this.vectors = vectors;
        this.width = width;
        info = new EngineInfo(
                "vectors",
                ByteTokenizer.SIZE,
                contextLength,
                List.of("test"),
                List.of(),
                maxSlots,
                maxSlots,
                maxTokens,
                1,
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
        result.reset(batch.rows());
        result.reservePooled(width);
        result.startNanos = System.nanoTime();
        for (int row = 0; row < batch.rows(); row++) {
            result.beginRow(row);
            float[] vector =
                    vectors.apply(Arrays.copyOfRange(batch.tokens, batch.inputStart[row], batch.inputStart[row + 1]));
            if (vector.length == 0) {
                result.fail(row, "as the test wants it");
            } else {
                System.arraycopy(vector, 0, result.pooled, row * width, width);
            }
        }
        return new StepTicket(launched++);
    }

    @Override
    public void masks(StepTicket ticket, TokenMasks masks) {
        throw new UnsupportedOperationException("no masks");
    }

    @Override
    public StepResult await(StepTicket ticket) {
        result.endNanos = System.nanoTime();
        return result;
    }

    @Override
    public void transfer(int group, int[] from, int[] to, int count) {
        throw new UnsupportedOperationException("no blocks");
    }

    @Override
    public void close() {}
}
