package dev.jeton.scheduler;

import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.StepResult;
import dev.jeton.models.engine.StepTicket;

/**
 * An engine whose steps all took the same, whatever they did take: so what the step-time model says, and with it how
 * much is drafted, does not depend on what else the machine of the tests does.
 */
public final class SteadyTimes extends EngineAround {

    private static final long STEP_NANOS = 1_000;

    /** Around an engine, which is closed with this. */
    public SteadyTimes(Engine engine) {
        super(engine);
    }

    @Override
    public StepResult await(StepTicket ticket) {
        StepResult result = super.await(ticket);
        result.endNanos = result.startNanos + STEP_NANOS;
        return result;
    }
}
