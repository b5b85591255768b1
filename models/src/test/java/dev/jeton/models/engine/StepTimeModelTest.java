package dev.jeton.models.engine;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.models.engine.StepTimeModel.Coefficients;
import java.util.Random;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class StepTimeModelTest {

    private static final Coefficients GUESS = new Coefficients(1e6, 1e4, 10);

    private final Random random = new Random(17);

    private int tokens() {
        return random.nextInt(3) == 0 ? 64 + random.nextInt(448) : 1 + random.nextInt(32);
    }

    private long measured(Coefficients truth, int tokens, int kvTokens) {
        double nanos = truth.baseNanos()
                + Math.max(truth.floorNanos(), truth.nanosPerToken() * tokens)
                + truth.nanosPerKvToken() * kvTokens;
        return Math.round(nanos * (0.97 + 0.06 * random.nextDouble()));
    }

    private void teach(StepTimeModel model, Coefficients truth, int steps) {
        for (int i = 0; i < steps; i++) {
            int tokens = tokens();
            int kvTokens = tokens + random.nextInt(20_000);
            model.observe(tokens, kvTokens, measured(truth, tokens, kvTokens));
        }
    }

    private void assertPredicts(StepTimeModel model, Coefficients truth) {
        StepTimeModel exact = new StepTimeModel(truth);
        for (int tokens : new int[] {1, 8, 16, 64, 200, 512}) {
            for (int kvTokens : new int[] {tokens, 5_000, 15_000}) {
                assertThat(model.predict(tokens, kvTokens))
                        .as("%d tokens, %d KV tokens, %s", tokens, kvTokens, model.coefficients())
                        .isCloseTo(exact.predict(tokens, kvTokens), Percentage.withPercentage(6));
            }
        }
    }

    @Test
    void learnsADeviceThatComputesWhileItReads() {
        Coefficients truth = new Coefficients(0, 8e6, 60_000, 150);
        StepTimeModel model = new StepTimeModel(GUESS);
        teach(model, truth, 1_000);
        assertPredicts(model, truth);
    }

    @Test
    void learnsADeviceThatComputesAfterItHasRead() {
        Coefficients truth = new Coefficients(2.4e6, 0, 70_000, 300);
        StepTimeModel model = new StepTimeModel(GUESS);
        teach(model, truth, 1_000);
        assertPredicts(model, truth);
    }

    @Test
    void learnsAnewWhatItHadTakenForNothing() {
        Coefficients without = new Coefficients(2.4e6, 0, 70_000, 0);
        Coefficients with = new Coefficients(2.4e6, 0, 70_000, 300);
        StepTimeModel model = new StepTimeModel(GUESS);
        teach(model, without, 1_000);
        assertThat(model.perKvToken()).isLessThan(20);
        teach(model, with, 2_000);
        assertPredicts(model, with);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5})
    void noCoefficientIsEverNegative(long seed) {
        Random any = new Random(seed);
        StepTimeModel model = new StepTimeModel(GUESS);
        for (int i = 0; i < 2_000; i++) {
            model.observe(1 + any.nextInt(600), any.nextInt(100_000), 1 + any.nextInt(100_000_000));
            Coefficients now = model.coefficients();
            assertThat(Math.min(
                            Math.min(now.baseNanos(), now.floorNanos()),
                            Math.min(now.nanosPerToken(), now.nanosPerKvToken())))
                    .as("seed %d, %s", seed, now)
                    .isNotNegative();
        }
    }

    @Test
    void keepsWhatItsStepsCannotTellApart() {
        StepTimeModel model = new StepTimeModel(new Coefficients(0, 5e6, 50_000, 100));
        for (int i = 0; i < 500; i++) {
            model.observe(4, 0, 5_000_000);
        }
        assertThat(model.perToken()).isCloseTo(50_000, Percentage.withPercentage(1));
        assertThat(model.perKvToken()).isCloseTo(100, Percentage.withPercentage(1));
        assertThat(model.predict(4, 0)).isCloseTo(5e6, Percentage.withPercentage(1));
    }
}
