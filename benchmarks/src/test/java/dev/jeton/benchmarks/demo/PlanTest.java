package dev.jeton.benchmarks.demo;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class PlanTest {

    @Test
    void shouldWarmUpThenDecay() {
        var stage = new Stage(1_000, 1f, 0.1);

        assertThat(stage.rate(0)).isEqualTo(0.01f);
        assertThat(stage.rate(99)).isEqualTo(1f);
        assertThat(stage.rate(550)).isBetween(0.5f, 0.53f);
        assertThat(stage.rate(999)).isBetween(0.03f, 0.031f);
    }

    @Test
    void shouldRefuseAStageWithoutSteps() {
        assertThatThrownBy(() -> new Stage(0, 1f, 0.1))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("0");
    }

    @Test
    void shouldLeaveOutTheFinishingStageThatHasNoSteps() {
        assertThat(Plan.small(1_536, 10, 0, 1).stages()).hasSize(1);
        assertThat(Plan.small(1_536, 10, 5, 1).stages().getLast()).isEqualTo(new Stage(5, 1e-3f, 0.65));
    }

    @Test
    void shouldReadTheCommandLine() {
        Options options = Options.parse("--large-steps", "0", "--evaluate", "--out", "x");

        assertThat(options.largeSteps()).isZero();
        assertThat(options.mode()).isEqualTo(Options.Mode.EVALUATE);
        assertThat(options.out()).isEqualTo(Path.of("x"));
    }

    @Test
    void shouldNameTheOptionItDoesNotKnow() {
        assertThatThrownBy(() -> Options.parse("--steps", "3"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("--steps");
        assertThatThrownBy(() -> Options.parse("--seed"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("--seed");
    }
}
