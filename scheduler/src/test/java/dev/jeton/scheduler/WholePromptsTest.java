package dev.jeton.scheduler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.sim.SimClock;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** An engine that takes whole prompts and gives vectors, under the scheduler. */
class WholePromptsTest {

    private final SimClock clock = new SimClock(1_000);

    private Scheduler scheduler(VectorEngine engine, int maxTokens) {
        SchedulerConfig config = new SchedulerConfig(4, maxTokens, 64, 16, 1_000_000_000L, 1_000, true, 7);
        return new Scheduler(engine, config, clock, clock.getAsLong(), StepListener.NONE);
    }

    private static GenerationRequest pooled(int[] prompt) {
        return GenerationRequest.pooled("r", prompt, 0, Long.MAX_VALUE, 0, Allowance.UNLIMITED);
    }

    private static void run(Scheduler scheduler) {
        for (int i = 0; i < 100_000 && !scheduler.idle(); i++) {
            scheduler.turn();
        }
        assertThat(scheduler.idle()).isTrue();
    }

    @ParameterizedTest(name = "seed {0}")
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
    void givesEachPromptItsVectorWhateverElseIsAskedFor(int seed) {
        Random random = new Random(seed);
        VectorEngine engine = new VectorEngine(48, 4, 64, 1 + seed % 2, clock);
        Scheduler scheduler = scheduler(engine, 1 + random.nextInt(64));
        List<int[]> prompts = new ArrayList<>();
        List<Generation> generations = new ArrayList<>();
        while (prompts.size() < 200) {
            int[] prompt = random.ints(1 + random.nextInt(48), 0, 1_000).toArray();
            if (random.nextInt(3) > 0) {
                prompts.add(prompt);
                generations.add(scheduler.submit(pooled(prompt)));
            } else {
                scheduler.turn();
            }
        }
        run(scheduler);
        scheduler.verifyIntegrity();
        for (int i = 0; i < prompts.size(); i++) {
            int[] prompt = prompts.get(i);
            assertThat(generations.get(i).pooled())
                    .containsExactly((float) IntStream.of(prompt).sum(), prompt.length);
            GenerationEvent end = new GenerationEvent();
            assertThat(generations.get(i).poll(end)).isTrue();
            assertThat(end.reason).isEqualTo(FinishReason.LENGTH);
            assertThat(generations.get(i).usage().completionTokens()).isZero();
        }
        assertThat(engine.stepTokens).allSatisfy(tokens -> assertThat(tokens).isBetween(1, 64));
    }

    @Test
    void refusesToGenerate() {
        Scheduler scheduler = scheduler(new VectorEngine(48, 4, 64, 1, clock), 64);
        GenerationRequest request = GenerationRequest.of("r", new int[] {1}, 1, SamplingParameters.GREEDY);
        assertThatThrownBy(() -> scheduler.submit(request))
                .isInstanceOfSatisfying(
                        RejectedException.class,
                        e -> assertThat(e.reason()).isEqualTo(RejectedException.Reason.UNSUPPORTED));
    }

    @Test
    void refusesAPromptThatIsLongerThanAStep() {
        Scheduler scheduler = scheduler(new VectorEngine(100, 4, 64, 1, clock), 32);
        assertThatThrownBy(() -> scheduler.submit(pooled(new int[65])))
                .isInstanceOfSatisfying(
                        RejectedException.class,
                        e -> assertThat(e.reason()).isEqualTo(RejectedException.Reason.TOO_LARGE));
        Generation whole = scheduler.submit(pooled(new int[64]));
        run(scheduler);
        assertThat(whole.pooled()).containsExactly(0, 64);
    }

    @Test
    void refusesVectorsOfAnEngineThatGivesNone() {
        Simulation simulation = new Simulation(new Simulation.Shape());
        assertThatThrownBy(() -> simulation.submit(pooled(new int[] {1})))
                .isInstanceOfSatisfying(
                        RejectedException.class,
                        e -> assertThat(e.reason()).isEqualTo(RejectedException.Reason.UNSUPPORTED));
    }

    @Test
    void packsPromptsIntoAStepAsLongAsThereIsRoom() {
        VectorEngine engine = new VectorEngine(48, 4, 64, 1, clock);
        Scheduler scheduler = scheduler(engine, 64);
        for (int length : new int[] {30, 30, 10, 20}) {
            scheduler.submit(pooled(new int[length]));
        }
        run(scheduler);
        assertThat(engine.stepTokens).containsExactly(60, 30);
    }
}
