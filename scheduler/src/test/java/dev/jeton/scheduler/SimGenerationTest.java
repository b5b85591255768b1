package dev.jeton.scheduler;

import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.sim.SimClock;
import dev.jeton.models.sim.SimEngine;
import java.util.List;

/** A step loop over the sim engine. */
class SimGenerationTest extends GenerationContract {

    @Override
    protected Dispatcher create() {
        SimClock clock = new SimClock(0);
        SimEngine engine = new SimEngine(
                Simulation.VOCABULARY, 256, List.of(new LayerGroup(16, 256, 64, 0)), 4, 256, 2, Simulation.TIME, clock);
        return new StepLoop("sim", engine, config(), clock, 0, StepListener.NONE);
    }
}
