package dev.jeton.models.rows;

import dev.jeton.models.engine.EngineChecks;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.sampler.SequenceState;
import java.util.Arrays;

/**
 * The slots of an engine that samples on the host: what each sequence's sampling remembers, and which use of the slot
 * this is, so that what a step brings for a slot closed meanwhile is ignored.
 *
 * <p>Owned by the engine's thread.
 */
public final class HostSlots {

    final SequenceState[] states;
    final long[] epochs;
    private final EngineChecks checks;

    /** Slots of an engine, all closed. */
    public HostSlots(EngineInfo info) {
        states = new SequenceState[info.maxSlots()];
        Arrays.setAll(states, i -> new SequenceState());
        epochs = new long[info.maxSlots()];
        checks = new EngineChecks(info);
    }

    /**
     * Gives a slot to a sequence.
     *
     * @throws EngineException as {@link EngineChecks#open} says
     */
    public void open(int slot, SequenceSpec spec) {
        checks.open(slot, spec);
        states[slot].open(spec);
        epochs[slot]++;
    }

    /** Ends a slot's use. */
    public void close(int slot) {
        if (checks.close(slot)) {
            epochs[slot]++;
        }
    }

    /**
     * An adapter is added.
     *
     * @throws EngineException as {@link EngineChecks#addAdapter} says
     */
    void addAdapter(int number) {
        checks.addAdapter(number);
    }

    /**
     * An adapter is given up.
     *
     * @throws EngineException as {@link EngineChecks#removeAdapter} says
     */
    void removeAdapter(int number) {
        checks.removeAdapter(number);
    }

    /**
     * Copies a batch that is to be launched into {@code rows}, with the slots' own tokens where rows ask for them.
     *
     * @throws EngineException if it is outside the engine's bounds; nothing was copied then
     */
    public void launch(StepBatch batch, StepRows rows) {
        checks.check(batch);
        rows.copy(batch);
        for (int row = 0; row < rows.rows; row++) {
            int slot = rows.slot[row];
            rows.epoch[row] = epochs[slot];
            if (rows.has(row, StepBatch.LAST_TOKEN)) {
                rows.tokens[rows.inputStart[row]] = states[slot].lastToken();
            }
        }
    }

    /**
     * Blocks are to be copied.
     *
     * @throws EngineException as {@link EngineChecks#transfer} says
     */
    public void checkTransfer(int group, int[] from, int[] to, int count) {
        checks.transfer(group, from, to, count);
    }

    /**
     * A slot's state is to be copied.
     *
     * @throws EngineException as {@link EngineChecks#state} says
     */
    void checkState(int from, int to) {
        checks.state(from, to);
    }
}
