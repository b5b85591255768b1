package dev.jeton.models.sim;

import dev.jeton.models.engine.Engine;
import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.StepContract;
import dev.jeton.models.engine.StepTimeModel;
import java.util.List;
import org.junit.jupiter.api.Nested;

/** The engine that the scheduler is tested on keeps what engines promise. */
class SimEngineTest {

    private static final StepTimeModel.Coefficients TIME = new StepTimeModel.Coefficients(1_000_000, 20_000, 50);

    @Nested
    class WithOneTicket extends StepContract {
        @Override
        protected Engine create() {
            return new SimEngine(1_000, 256, List.of(new LayerGroup(4, 128, 64, 0)), 4, 64, 1, TIME, new SimClock(0));
        }
    }

    @Nested
    class WithWindowsAndAHostTier extends StepContract {
        @Override
        protected Engine create() {
            List<LayerGroup> groups = List.of(new LayerGroup(4, 128, 64, 0, 64), new LayerGroup(4, 128, 64, 10, 64));
            // copies take no time, since nobody moves the clock on
            return new SimEngine(1_000, 256, groups, 4, 64, 2, TIME, 0, new SimClock(0));
        }
    }

    @Nested
    class WithStates extends StepContract {
        @Override
        protected Engine create() {
            return SimEngine.withStates(
                    1_000, 256, List.of(new LayerGroup(4, 128, 64, 0)), 4, 64, 2, TIME, new SimClock(0));
        }
    }
}
