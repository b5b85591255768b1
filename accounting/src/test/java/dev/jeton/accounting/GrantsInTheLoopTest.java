package dev.jeton.accounting;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.StepTimeModel;
import dev.jeton.models.sim.SimClock;
import dev.jeton.models.sim.SimEngine;
import dev.jeton.scheduler.Generation;
import dev.jeton.scheduler.GenerationEvent;
import dev.jeton.scheduler.GenerationRequest;
import dev.jeton.scheduler.SchedulerConfig;
import dev.jeton.scheduler.StepListener;
import dev.jeton.scheduler.StepLoop;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Grants under a real step loop, on a simulated engine. The time-out only keeps a hang from lasting for ever. */
@Timeout(value = 120, threadMode = Timeout.ThreadMode.SEPARATE_THREAD)
class GrantsInTheLoopTest {

    private final SimClock clock = new SimClock(0);

    private StepLoop loop() {
        SimEngine engine = new SimEngine(
                1000,
                512,
                List.of(new LayerGroup(4, 512, 64, 0)),
                8,
                64,
                2,
                new StepTimeModel.Coefficients(1_000_000, 20_000, 50),
                clock);
        SchedulerConfig config = new SchedulerConfig(8, 64, 64, 1024, 1_000_000_000_000L, 0, true, 7);
        return new StepLoop("test", engine, config, clock, 0, StepListener.NONE);
    }

    private static GenerationRequest request(Grant grant, int sequences, int maxTokens) {
        return new GenerationRequest(
                "r",
                new int[] {1, 2, 3, 4, 5, 6, 7},
                sequences,
                maxTokens,
                SamplingParameters.GREEDY,
                new int[0],
                false,
                0,
                Long.MAX_VALUE,
                0,
                grant);
    }

    @Test
    void everySequenceGetsAllItsTokensAndNoneBeforeItIsGranted() throws Exception {
        try (Journal journal = JournalTest.open(new FaultyDisk(1));
                Grants grants = new Grants(journal, TestBudgets.none(), () -> 7);
                StepLoop loop = loop()) {
            Fact.Opened opened =
                    new Fact.Opened(1, "r", Payer.UNKNOWN, "m", Map.of(), "", "", 3, Zones.UNKNOWN, Work.GENERATION);
            Grant grant = grants.open(TestBudgets.unbounded(opened), 600, loop::wake);
            Generation generation = loop.submit(request(grant, 3, 200));
            GenerationEvent event = new GenerationEvent();
            int received = 0;
            while (generation.next(event)) {
                received += event.finished ? 0 : 1;
                assertThat((long) received).isLessThanOrEqualTo(grant.granted());
            }
            assertThat(received).isEqualTo(600);
            assertThat(grant.spent()).isEqualTo(600);
        }
    }

    @Test
    void thePromptIsComputedWhileTheFirstGrantIsOnItsWay() throws Exception {
        FaultyDisk disk = new FaultyDisk(1);
        try (Journal journal = JournalTest.open(disk);
                Grants grants = new Grants(journal, TestBudgets.none(), () -> 7);
                StepLoop loop = loop()) {
            disk.hold();
            Grant grant = grants.open(TestBudgets.unbounded(Facts.opened("r")), 5, loop::wake);
            Generation generation = loop.submit(request(grant, 1, 5));
            while (loop.stats().prefillTokens() < 6) {
                Thread.onSpinWait();
            }
            assertThat(grant.granted()).isZero();
            GenerationEvent event = new GenerationEvent();
            assertThat(generation.poll(event)).isFalse();
            disk.release();
            assertThat(generation.next(event)).isTrue();
            assertThat(event.finished).isFalse();
        }
    }
}
