package dev.jeton.models.rows;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.jeton.models.engine.Capability;
import dev.jeton.models.engine.EngineException;
import dev.jeton.models.engine.EngineInfo;
import dev.jeton.models.engine.LayerGroup;
import dev.jeton.models.engine.SamplingParameters;
import dev.jeton.models.engine.SequenceSpec;
import dev.jeton.models.engine.StepBatch;
import dev.jeton.models.engine.StepTicket;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The order of steps and copies. */
class HostEngineTest {

    private static final int[] TOKENS = {1, 2, 3};

    private final List<String> done = new ArrayList<>();
    private final HostEngine engine = new Written(done, Capability.STATE);
    private final StepBatch batch = new StepBatch(1);

    /** Writes down what it is to do. */
    private static final class Written extends HostEngine {

        private final List<String> done;

        Written(List<String> done, Capability... capabilities) {
            super(new EngineInfo(
                    "test",
                    10,
                    32,
                    List.of("none"),
                    List.of(new LayerGroup(4, 8, 64, 0)),
                    4,
                    4,
                    16,
                    1,
                    Set.of(capabilities)));
            this.done = done;
        }

        @Override
        protected void compute() {
            done.add("step");
        }

        @Override
        protected void copy(int group, int[] from, int[] to) {
            done.add("block %d to %d".formatted(from[0], to[0]));
        }

        @Override
        protected void copySlot(int from, int to) {
            done.add("slot %d to %d".formatted(from, to));
        }

        @Override
        protected void release() {
            done.add("release");
        }
    }

    @BeforeEach
    void openTwo() {
        open(engine, 0);
        open(engine, 1);
    }

    private static void open(HostEngine engine, int slot) {
        engine.open(slot, new SequenceSpec(SamplingParameters.GREEDY, TOKENS, TOKENS.length, TOKENS.length));
    }

    private StepTicket launch() {
        batch.addRow(0, 0, 0, TOKENS, 0, TOKENS.length);
        batch.addBlocks(0, new int[] {0}, 0, 1);
        return engine.launch(batch);
    }

    private void transfer(int from, int to) {
        engine.transfer(0, new int[] {from}, new int[] {to}, 1);
    }

    @Test
    void copiesAtOnceWhereNoStepIsInFlight() {
        engine.await(launch());
        engine.copyState(0, 1);
        assertThat(done).containsExactly("step", "slot 0 to 1");
        transfer(3, 4);
        assertThat(done).containsExactly("step", "slot 0 to 1", "block 3 to 4");
    }

    @Test
    void copiesAfterTheStepInFlightInTheOrderItWasAskedTo() {
        StepTicket ticket = launch();
        transfer(3, 4);
        engine.copyState(0, 1);
        transfer(4, 5);
        assertThat(done).isEmpty();
        engine.await(ticket);
        assertThat(done).containsExactly("step", "block 3 to 4", "slot 0 to 1", "block 4 to 5");
    }

    @Test
    void refusesToCopyAStateOnceItIsClosed() {
        engine.close();
        assertThatThrownBy(() -> engine.copyState(0, 1)).isInstanceOf(EngineException.class);
        assertThat(done).containsExactly("release");
    }

    @Test
    void refusesToCopyAStateWhereThereIsNone() {
        HostEngine stateless = new Written(done);
        open(stateless, 0);
        open(stateless, 1);
        assertThatThrownBy(() -> stateless.copyState(0, 1))
                .isInstanceOf(EngineException.class)
                .hasMessageContaining("no state in slots");
        assertThat(done).isEmpty();
    }
}
