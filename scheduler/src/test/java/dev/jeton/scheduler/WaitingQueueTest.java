package dev.jeton.scheduler;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.kvcache.KvSequence;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.scheduler.Simulation.Shape;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class WaitingQueueTest {

    private static GenerationRequest request(int priority) {
        return new GenerationRequest(
                "r",
                new int[] {1, 2, 3},
                1,
                5,
                SamplingParameters.GREEDY,
                new int[0],
                false,
                priority,
                Long.MAX_VALUE,
                0,
                Allowance.UNLIMITED);
    }

    private static Sequence sequence(int priority, long arrival, int index) {
        GenerationState generation = new GenerationState(request(priority), 4, 0, () -> {}, told -> {});
        return new Sequence(generation, index, arrival, new KvSequence(1, 0, 0), List.of());
    }

    @Test
    void servesByPriorityThenArrivalThenIndexWhateverIsTakenOut() {
        for (int seed = 0; seed < 200; seed++) {
            Random random = new Random(seed);
            WaitingQueue queue = new WaitingQueue();
            List<Sequence> expected = new ArrayList<>();
            for (int i = 0; i < 300; i++) {
                if (random.nextInt(3) > 0 || expected.isEmpty()) {
                    Sequence added = sequence(random.nextInt(3) - 1, random.nextInt(1_000), i);
                    queue.add(added);
                    expected.add(added);
                    expected.sort(Comparator.<Sequence>comparingInt(
                                    s -> s.generation.request().priority())
                            .thenComparingLong(s -> s.arrival)
                            .thenComparingInt(s -> s.index));
                } else if (random.nextBoolean()) {
                    queue.remove(expected.remove(random.nextInt(expected.size())));
                } else {
                    queue.remove(queue.first());
                    expected.removeFirst();
                }
                assertThat(queue.size()).as("seed %d", seed).isEqualTo(expected.size());
            }
            assertThat(queue).as("seed %d", seed).containsExactlyElementsOf(expected);
        }
    }

    @Test
    void takingOutASequenceThatDoesNotWaitLeavesTheOthers() {
        WaitingQueue queue = new WaitingQueue();
        Sequence waits = sequence(0, 1, 0);
        queue.add(waits);
        queue.remove(sequence(0, 1, 1));
        assertThat(queue).containsExactly(waits);
    }

    @Test
    void everyRequestOfAQueueThatIsGivenUpInAnyOrderEndsOnce() {
        Simulation simulation = new Simulation(new Shape(), StepListener.NONE);
        List<GenerationState> waiting = new ArrayList<>();
        for (int i = 0; i < 500; i++) {
            waiting.add(simulation.submit(request(i % 3)));
        }
        Collections.shuffle(waiting, new Random(7));
        waiting.forEach(GenerationState::cancel);
        simulation.run();

        assertThat(waiting).allMatch(GenerationState::ended);
        assertThat(simulation.scheduler.idle()).isTrue();
        simulation.scheduler.verifyIntegrity();
        assertThat(simulation.scheduler.stats().waitingSequences()).isZero();
    }
}
