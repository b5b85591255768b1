package dev.jeton.scheduler;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What listeners hear of the device's states, against the timeline that the scheduler keeps itself. */
class StatesTest {

    /** Books the time between calls to the state of the earlier one. */
    private static final class Heard implements StepListener {
        final long[] nanos = new long[DeviceState.values().length];
        DeviceState state = DeviceState.LOADING;
        long since = -1;

        @Override
        public void onState(DeviceState next, long now) {
            if (since >= 0) {
                assertThat(now).isGreaterThanOrEqualTo(since);
                nanos[state.ordinal()] += now - since;
            }
            state = next;
            since = now;
        }

        @Override
        public void onStep(StepRecord record) {
            assertThat(state).isEqualTo(DeviceState.STEP);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4})
    void whatListenersHearAddsUpToTheTimeline(long seed) {
        Heard heard = new Heard();
        Random random = new Random(seed);
        Simulation simulation = new Simulation(new Simulation.Shape().blocks(32), heard);
        List<GenerationState> under = new ArrayList<>();
        for (int i = 0; i < 300; i++) {
            switch (random.nextInt(5)) {
                case 0 ->
                    under.add(simulation.submit(
                            random.ints(1 + random.nextInt(40), 1, 900).toArray(), 1 + random.nextInt(20)));
                case 1 -> {
                    if (!under.isEmpty()) {
                        under.get(random.nextInt(under.size())).cancel();
                    }
                }
                case 2 -> simulation.clock.advance(random.nextInt(2_000_000));
                default -> simulation.scheduler.turn();
            }
        }
        while (simulation.scheduler.turn()) {
            // until nothing is left to do
        }
        heard.onState(DeviceState.IDLE, simulation.clock.getAsLong());
        simulation.scheduler.restState(DeviceState.DRAINING);
        long[] kept = new long[DeviceState.values().length];
        simulation.scheduler.timeline().copyTo(kept);
        assertThat(heard.nanos).as("seed " + seed).isEqualTo(kept);
    }
}
