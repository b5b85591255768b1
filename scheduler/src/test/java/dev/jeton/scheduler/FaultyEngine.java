package dev.jeton.scheduler;

import dev.jeton.models.engine.DeviceLostException;
import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.engine.StepTicket;

/** An engine around another that fails when told to. */
final class FaultyEngine extends EngineAround {

    /** Refuses to open slots, as for parameters that the engine does not support. */
    boolean refusesToOpen;
    /** Which call of open is refused, from 1; 0 for none. */
    int refusedOpen;
    /** Which call of open finds that the device is lost, from 1; 0 for none. */
    int lostAtOpen;
    /** Breaks on opening a slot, as a bug in an engine would. */
    boolean breaksOnOpen;
    /** Fails the first row of every step. */
    boolean failsRows;
    /** Calls of open so far. */
    int opens;

    FaultyEngine(Engine engine) {
        super(engine);
    }

    @Override
    public void open(int slot, SequenceSpec spec) {
        opens++;
        if (opens == lostAtOpen) {
            throw new DeviceLostException("lost", new IllegalStateException("gone"));
        }
        if (refusesToOpen || opens == refusedOpen) {
            throw new EngineException("refused");
        }
        if (breaksOnOpen) {
            throw new IllegalStateException("broken");
        }
        super.open(slot, spec);
    }

    @Override
    public StepResult await(StepTicket ticket) {
        StepResult result = super.await(ticket);
        if (failsRows) {
            result.fail(0, "made to fail");
        }
        return result;
    }
}
