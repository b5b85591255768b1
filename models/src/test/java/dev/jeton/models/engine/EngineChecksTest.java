package dev.jeton.models.engine;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The order of rows, of engines with a state in slots. */
class EngineChecksTest {

    private static final int[] TOKENS = {1, 2, 3, 4, 5, 6, 7, 8};
    private static final int[] BLOCKS = {0, 1};

    private final EngineChecks checks = checks(Capability.STATE);
    private final StepBatch batch = new StepBatch(1);

    private static EngineChecks checks(Capability... capabilities) {
        return new EngineChecks(new EngineInfo(
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
    }

    @BeforeEach
    void openTwo() {
        open(checks, 0);
        open(checks, 1);
    }

    private static void open(EngineChecks checks, int slot) {
        checks.open(slot, new SequenceSpec(SamplingParameters.GREEDY, TOKENS, TOKENS.length, TOKENS.length));
    }

    private EngineChecksTest row(int slot, int position, int count) {
        batch.addRow(slot, 0, position, TOKENS, position, count);
        batch.addBlocks(0, BLOCKS, 0, BLOCKS.length);
        return this;
    }

    private void launch() {
        try {
            checks.check(batch);
        } finally {
            batch.clear();
        }
    }

    private void launch(int slot, int position, int count) {
        row(slot, position, count).launch();
    }

    @Test
    void takesRowsThatBeginWhereTheLastOfTheirSlotEnded() {
        assertThatCode(() -> {
                    row(0, 0, 3).row(1, 0, 1).launch();
                    row(1, 1, 4).row(0, 3, 1).launch();
                    launch(0, 4, 4);
                    launch(1, 5, 1);
                })
                .doesNotThrowAnyException();
    }

    @Test
    void refusesARowThatBeginsElsewhere() {
        assertThatThrownBy(() -> launch(0, 4, 1))
                .isInstanceOf(EngineException.class)
                .hasMessage("row 0: begins at 4 where slot 0 has a state of 0 tokens");
        launch(0, 0, 3);
        assertThatThrownBy(() -> row(1, 0, 2).row(0, 2, 2).launch())
                .isInstanceOf(EngineException.class)
                .hasMessage("row 1: begins at 2 where slot 0 has a state of 3 tokens");
        assertThatThrownBy(() -> launch(0, 0, 3)).isInstanceOf(EngineException.class);
        assertThatThrownBy(() -> launch(0, 4, 1)).isInstanceOf(EngineException.class);
    }

    @Test
    void hasChangedNoStateWhereARowOfTheBatchIsRefused() {
        assertThatThrownBy(() -> row(0, 0, 3).row(3, 0, 1).launch()).isInstanceOf(EngineException.class);
        assertThatThrownBy(() -> row(0, 0, 3).row(0, 0, 3).launch()).isInstanceOf(EngineException.class);
        assertThatCode(() -> launch(0, 0, 2)).doesNotThrowAnyException();
    }

    @Test
    void beginsAtNothingWhereASlotIsOpenedAnew() {
        launch(0, 0, 5);
        checks.close(0);
        open(checks, 0);
        assertThatThrownBy(() -> launch(0, 5, 1)).isInstanceOf(EngineException.class);
        assertThatCode(() -> launch(0, 0, 5)).doesNotThrowAnyException();
    }

    @Test
    void goesOnFromACopiedState() {
        launch(0, 0, 5);
        checks.state(0, 1);
        assertThatThrownBy(() -> launch(1, 0, 1)).isInstanceOf(EngineException.class);
        assertThatCode(() -> row(1, 5, 2).row(0, 5, 1).launch()).doesNotThrowAnyException();
    }

    @Test
    void refusesToCopyAStateToASlotThatHasSeenAStep() {
        launch(0, 0, 5);
        launch(1, 0, 1);
        assertThatThrownBy(() -> checks.state(0, 1)).isInstanceOf(EngineException.class);
    }

    @Test
    void refusesToCopyTheStateOfASlotToItselfOrOfOneThatIsNotOpen() {
        assertThatThrownBy(() -> checks.state(0, 0)).isInstanceOf(EngineException.class);
        assertThatThrownBy(() -> checks.state(0, 2)).isInstanceOf(EngineException.class);
        assertThatThrownBy(() -> checks.state(2, 0)).isInstanceOf(EngineException.class);
        assertThatThrownBy(() -> checks.state(0, 4)).isInstanceOf(EngineException.class);
        assertThatThrownBy(() -> checks.state(-1, 0)).isInstanceOf(EngineException.class);
    }

    @Test
    void letsRowsBeginAnywhereWhereThereIsNoState() {
        EngineChecks stateless = checks();
        open(stateless, 0);
        row(0, 4, 1);
        assertThatCode(() -> stateless.check(batch)).doesNotThrowAnyException();
        open(stateless, 1);
        assertThatThrownBy(() -> stateless.state(0, 1))
                .isInstanceOf(EngineException.class)
                .hasMessageContaining("no state in slots");
    }
}
