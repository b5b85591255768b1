package dev.jeton.scheduler;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.scheduler.Simulation.Output;
import dev.jeton.scheduler.Simulation.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The engine refuses to open a slot once: for a new sequence, for a fork, or for one that comes back. */
class RefusedOpensPropertyTest {

    private static final int REQUESTS = 14;

    @ParameterizedTest(name = "seed {0}")
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
    void whicheverOpenIsRefusedAllOtherSequencesGetTheTokensTheyGetAlone(int seed) {
        Random random = new Random(seed);
        int window = seed % 3 == 0 ? 10 : 0;
        Shape shape = new Shape()
                .blocks(24 + random.nextInt(20))
                .window(window)
                .sequences(4 + random.nextInt(5))
                .tokens(8 + random.nextInt(40))
                .tickets(1 + seed % 2);
        List<GenerationRequest> requests = new ArrayList<>();
        List<Output> alone = new ArrayList<>();
        for (int i = 0; i < REQUESTS; i++) {
            requests.add(Traffic.request(random, i));
            alone.add(Simulation.alone(requests.getLast(), window));
        }
        int opens = REQUESTS;
        for (int refused = 1; refused <= opens; refused++) {
            opens = opensWhereOneIsRefused(shape, requests, alone, refused);
        }
    }

    private static int opensWhereOneIsRefused(
            Shape shape, List<GenerationRequest> requests, List<Output> alone, int refused) {
        FaultyEngine[] engine = new FaultyEngine[1];
        Simulation simulation = new Simulation(shape, StepListener.NONE, inner -> engine[0] = new FaultyEngine(inner));
        engine[0].refusedOpen = refused;
        List<GenerationState> live = new ArrayList<>();
        for (GenerationRequest request : requests) {
            live.add(simulation.submit(request));
            for (int i = 0; i < 4; i++) {
                simulation.scheduler.turn();
                simulation.scheduler.verifyIntegrity();
            }
        }
        simulation.run();
        int hit = 0;
        for (int i = 0; i < live.size(); i++) {
            assertThat(live.get(i).ended()).isTrue();
            hit += refusedIn(Simulation.take(live.get(i)), alone.get(i)) ? 1 : 0;
        }

        assertThat(hit).as("requests hit by refusal %d", refused).isEqualTo(1);
        simulation.scheduler.verifyIntegrity();
        assertThat(simulation.scheduler.idle()).isTrue();
        assertThat(simulation.queued()).isZero();
        assertThat(simulation.queuedTokens()).isZero();
        DispatcherStats stats = simulation.scheduler.stats();
        assertThat(stats.blocksHeld() + stats.blocksComputing()).isZero();
        return engine[0].opens;
    }

    /** Whether one sequence of a request was refused, or all where the first was refused before the fork. */
    private static boolean refusedIn(Output output, Output alone) {
        int failed = 0;
        for (int s = 0; s < output.reasons.size(); s++) {
            List<Integer> tokens = output.tokens.get(s);
            if (output.reasons.get(s) == FinishReason.ERROR) {
                assertThat(output.messages.get(s)).isEqualTo("refused");
                assertThat(alone.tokens.get(s).subList(0, tokens.size())).isEqualTo(tokens);
                failed++;
            } else {
                assertThat(tokens).isEqualTo(alone.tokens.get(s));
                assertThat(output.reasons.get(s)).isEqualTo(alone.reasons.get(s));
            }
        }
        assertThat(failed).isIn(0, 1, output.reasons.size());
        return failed > 0;
    }
}
