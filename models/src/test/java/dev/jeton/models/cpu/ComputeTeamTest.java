package dev.jeton.models.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.concurrent.atomic.AtomicIntegerArray;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ComputeTeamTest {

    /** Phases of growing numbers of tiles; each tile sees all tiles of the phase before done. */
    private static final class Counting implements ComputeTeam.Program {
        final AtomicIntegerArray done = new AtomicIntegerArray(200);
        final int failAt;
        volatile boolean outOfOrder;
        int phase;

        Counting(int failAt) {
            this.failAt = failAt;
        }

        @Override
        public int advance() {
            phase++;
            return phase < done.length() ? phase : 0;
        }

        @Override
        public void tile(int tile, int member) {
            int now = phase;
            if (now == failAt) {
                throw new IllegalArgumentException("tile of phase " + now);
            }
            if (now > 1 && done.get(now - 1) != now - 1) {
                outOfOrder = true;
            }
            done.incrementAndGet(now);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 8})
    void shouldRunEveryTileOnceAndPhasesInOrder(int threads) {
        try (ComputeTeam team = new ComputeTeam(threads)) {
            for (int run = 0; run < 50; run++) {
                Counting program = new Counting(-1);
                team.run(program);
                assertThat(program.outOfOrder).isFalse();
                for (int phase = 1; phase < program.done.length(); phase++) {
                    assertThat(program.done.get(phase)).isEqualTo(phase);
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 4})
    void shouldThrowWhatATileThrewAndGoOnWithTheNextProgram(int threads) {
        try (ComputeTeam team = new ComputeTeam(threads)) {
            assertThatThrownBy(() -> team.run(new Counting(17))).hasMessageContaining("tile of phase 17");
            Counting program = new Counting(-1);
            team.run(program);
            assertThat(program.done.get(199)).isEqualTo(199);
        }
    }
}
