package dev.jeton.scheduler;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** How long prompts may keep those waiting who decode. */
class StepTargetTest {

    private static final int STEP_TOKENS = 256;
    private static final long TARGET = 3_000_000;
    /** Steps after which the step time model knows the simulated engine's coefficients. */
    private static final int FITTED = 60;

    /** Nanoseconds of steps with prompts in them, beside somebody who decodes and alone. */
    private static final class Spans implements StepListener {
        final List<Long> besideDecodes = new ArrayList<>();
        final List<Long> alone = new ArrayList<>();
        int steps;

        @Override
        public void onState(DeviceState state, long now) {}

        @Override
        public void onStep(StepRecord record) {
            boolean decodes = false;
            boolean prompts = false;
            for (int row = 0; row < record.rows(); row++) {
                decodes |= record.kind[row] == StepRecord.DECODE;
                prompts |= record.kind[row] == StepRecord.PREFILL;
            }
            if (prompts && ++steps > FITTED) {
                (decodes ? besideDecodes : alone).add(record.endNanos - record.startNanos);
            }
        }
    }

    private static Spans serve(int tickets, long target) {
        Spans spans = new Spans();
        Simulation simulation = new Simulation(
                new Simulation.Shape()
                        .blocks(4_096)
                        .tokens(STEP_TOKENS)
                        .tickets(tickets)
                        .stepTarget(target),
                spans);
        for (int i = 0; i < 120; i++) {
            simulation.submit(Simulation.tokens(17 * i, 100 + i % 7 * 50), 1 + i % 3 * 40);
            simulation.scheduler.turn();
        }
        simulation.run();
        for (int i = 0; i < 5; i++) {
            simulation.submit(Simulation.tokens(900 - 13 * i, 2 * STEP_TOKENS - 50), 1);
            simulation.run();
        }
        simulation.scheduler.verifyIntegrity();
        return spans;
    }

    @ParameterizedTest(name = "{0} tickets")
    @ValueSource(ints = {1, 2})
    void cutsPromptsSoThatThoseWhoDecodeWaitNoLongerThanTheTarget(int tickets) {
        Spans spans = serve(tickets, TARGET);
        assertThat(spans.besideDecodes)
                .hasSizeGreaterThan(50)
                .allSatisfy(nanos -> assertThat(nanos).isLessThanOrEqualTo(TARGET + TARGET / 20));
        // and no more than that: steps are as full as the target lets them be
        assertThat(spans.besideDecodes).anySatisfy(nanos -> assertThat(nanos).isGreaterThan(TARGET * 9 / 10));
    }

    @ParameterizedTest(name = "{0} tickets")
    @ValueSource(ints = {1, 2})
    void takesWholeStepsOfPromptsWhereNobodyDecodes(int tickets) {
        assertThat(serve(tickets, TARGET).alone)
                .anySatisfy(nanos -> assertThat(nanos).isGreaterThan(TARGET * 3 / 2));
    }

    @ParameterizedTest(name = "{0} tickets")
    @ValueSource(ints = {1, 2})
    void cutsNothingWithoutATarget(int tickets) {
        assertThat(serve(tickets, 0).besideDecodes)
                .anySatisfy(nanos -> assertThat(nanos).isGreaterThan(TARGET * 3 / 2));
    }
}
