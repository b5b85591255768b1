package dev.jeton.scheduler;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.scheduler.Simulation.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Who is preempted for whom. Sequences keep what they have until a gate lets them sample their only token, so that no
 * block is needed later and every preemption is one for somebody who waits.
 */
class AdmissionPropertyTest {

    private static final int TURNS = 1_500;
    private static final int MOST_CLIENTS = 12;

    @ParameterizedTest(name = "seed {0}")
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
    void whoIsPreemptedMakesRoomForABetterPriorityThatComesInAtOnce(int seed) {
        Random random = new Random(seed);
        Simulation simulation = new Simulation(new Shape()
                .blocks(24 + random.nextInt(40))
                .sequences(3 + random.nextInt(6))
                .tokens(512)
                .tickets(1 + seed % 2)
                .prefixCaching(seed % 4 != 0));
        Sequences sequences = simulation.scheduler.sequences();
        List<Gated> clients = new ArrayList<>();
        for (int turn = 0; turn < TURNS; turn++) {
            act(simulation, clients, random, 1 + random.nextInt(3));
            List<Sequence> waiting = copy(sequences.waiting());
            long before = sequences.preemptions();
            int[] preemptions = clients.stream()
                    .mapToInt(c -> c.generation.totals.preemptions)
                    .toArray();
            simulation.scheduler.turn();
            waiting.removeAll(copy(sequences.waiting()));
            int best = waiting.stream().mapToInt(Sequence::priority).min().orElse(Integer.MAX_VALUE);
            for (int i = 0; i < preemptions.length; i++) {
                GenerationState generation = clients.get(i).generation;
                if (generation.totals.preemptions > preemptions[i]) {
                    assertThat(generation.request().priority())
                            .as("the priority of %s, preempted in turn %d", generation.id(), turn)
                            .isGreaterThan(best);
                }
            }
            assertThat(sequences.preemptions() == before || !waiting.isEmpty())
                    .as("somebody comes in where somebody is preempted, turn %d", turn)
                    .isTrue();
            simulation.scheduler.verifyIntegrity();
        }
        assertThat(sequences.preemptions()).isPositive();
    }

    @ParameterizedTest(name = "seed {0}")
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8})
    void aBetterPriorityWaitsOnlyWhereAllOfWorseTogetherCouldNotMakeRoom(int seed) {
        Random random = new Random(seed);
        Shape shape = new Shape().blocks(16 + seed).sequences(8).tokens(512).prefixCaching(false);
        Simulation[] simulation = new Simulation[1];
        int[] stuck = new int[1];
        // as admission left it: nothing of the step has been applied yet
        simulation[0] =
                new Simulation(shape, record -> stuck[0] += checkStuck(simulation[0].scheduler.sequences(), shape));
        List<Gated> clients = new ArrayList<>();
        for (int turn = 0; turn < TURNS; turn++) {
            act(simulation[0], clients, random, 1);
            long steps = simulation[0].scheduler.stats().steps();
            simulation[0].scheduler.turn();
            if (simulation[0].scheduler.stats().steps() == steps) {
                stuck[0] += checkStuck(simulation[0].scheduler.sequences(), shape);
            }
        }
        assertThat(stuck[0]).as("heads that had to wait").isPositive();
    }

    /** Returns 1 where a head of better priority waits while one of worse priority runs. */
    private static int checkStuck(Sequences sequences, Shape shape) {
        SequenceQueue running = sequences.running();
        if (sequences.waiting().isEmpty() || running.isEmpty()) {
            return 0;
        }
        Sequence head = sequences.waiting().first();
        if (head.priority() >= running.last().priority()) {
            return 0;
        }
        int staying = 0;
        int held = 0;
        for (Sequence sequence : running) {
            if (sequence.priority() <= head.priority()) {
                staying++;
                held += sequence.kv.table(0).length();
            }
        }
        int needed = (head.length + Simulation.BLOCK - 1) / Simulation.BLOCK;
        boolean fits = staying < shape.sequences && held + needed + staying <= shape.blocks;
        assertThat(fits).as("%s could come in", head.generation.id()).isFalse();
        return 1;
    }

    private static List<Sequence> copy(Iterable<Sequence> queue) {
        List<Sequence> copy = new ArrayList<>();
        queue.forEach(copy::add);
        return copy;
    }

    /** A client whose sequences sample once it opens its gate. */
    private record Gated(GenerationState generation, Gate gate) {}

    private static final class Gate implements Allowance {
        boolean open;

        @Override
        public int grant(int tokens) {
            return open ? tokens : 0;
        }

        @Override
        public boolean exhausted() {
            return false;
        }
    }

    private static void act(Simulation simulation, List<Gated> clients, Random random, int sequences) {
        if (clients.size() < MOST_CLIENTS && random.nextBoolean()) {
            Gate gate = new Gate();
            GenerationRequest request = request(Traffic.request(random, random.nextInt(1_000_000)), sequences, gate);
            try {
                clients.add(new Gated(simulation.submit(request), gate));
            } catch (RejectedException e) {
                assertThat(e.reason()).isEqualTo(RejectedException.Reason.TOO_LARGE);
            }
        }
        if (!clients.isEmpty() && random.nextInt(6) == 0) {
            clients.get(random.nextInt(clients.size())).gate.open = true;
        }
        if (!clients.isEmpty() && random.nextInt(12) == 0) {
            clients.get(random.nextInt(clients.size())).generation.cancel();
        }
        clients.forEach(client -> Simulation.take(client.generation));
        clients.removeIf(client -> client.generation.done());
    }

    private static GenerationRequest request(GenerationRequest random, int sequences, Allowance allowance) {
        return new GenerationRequest(
                random.id(),
                random.prompt(),
                sequences,
                1,
                SamplingParameters.GREEDY,
                new int[0],
                false,
                random.priority(),
                Long.MAX_VALUE,
                random.salt(),
                allowance);
    }
}
