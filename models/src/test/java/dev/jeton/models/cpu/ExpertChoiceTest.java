package dev.jeton.models.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.jeton.models.Experts;
import dev.jeton.models.Experts.Routing;
import dev.jeton.models.Experts.Scoring;
import java.util.List;
import org.junit.jupiter.api.Test;

class ExpertChoiceTest {

    private static final float[] NONE = {};

    private static Routing sigmoid(int groups, int taken, int best) {
        return new Routing(Scoring.SIGMOID, true, true, groups, taken, best, 1);
    }

    /** Those chosen of a token with such logits; shares go to {@code shares}. */
    private static int[] choose(Routing routing, int perToken, float[] logits, float[] correction, float[] shares) {
        Experts experts = new Experts(logits.length, perToken, 8, routing, false, Experts.Shared.NONE, List.of(true));
        ExpertChoice choice = new ExpertChoice(experts, 1);
        System.arraycopy(logits, 0, choice.logits(), 0, logits.length);
        int[] chosen = new int[perToken];
        choice.choose(0, correction, chosen, shares, 0);
        return chosen;
    }

    @Test
    void takesTheLowerNumberOfEquals() {
        float[] logits = {0, 2, 1, 2, 2};
        assertThat(choose(Routing.softmax(true), 3, logits, NONE, new float[3])).containsExactly(1, 3, 4);
        assertThat(choose(sigmoid(1, 1, 1), 2, logits, new float[5], new float[2]))
                .containsExactly(1, 3);
    }

    @Test
    void countsWhatIsNoNumberAsTheLeast() {
        float[] logits = {Float.NaN, -3, Float.NaN, 1};
        assertThat(choose(sigmoid(1, 1, 1), 3, logits, new float[4], new float[3]))
                .containsExactly(3, 1, 0);
    }

    @Test
    void correctsTheChoiceAndNotTheShares() {
        float[] shares = new float[2];
        float[] correction = {0, 0, 1, 0};
        int[] chosen = choose(sigmoid(1, 1, 1), 2, new float[] {2, 0, -1, 1}, correction, shares);
        assertThat(chosen).containsExactly(2, 0);
        double first = 1 / (1 + Math.exp(1));
        double second = 1 / (1 + Math.exp(-2));
        assertThat(shares[0]).isCloseTo((float) (first / (first + second)), within(1e-6f));
        assertThat(shares[1]).isCloseTo((float) (second / (first + second)), within(1e-6f));
    }

    /** The best expert is in a group whose two best are worse than those of the two others. */
    @Test
    void choosesOutOfTheGroupsWhoseBestSumToTheMost() {
        float[] logits = {5, -9, 1, 1, 2, 0.5f};
        assertThat(choose(sigmoid(3, 2, 2), 2, logits, new float[6], new float[2]))
                .containsExactly(4, 2);
        assertThat(choose(sigmoid(3, 2, 1), 2, logits, new float[6], new float[2]))
                .containsExactly(0, 4);
    }
}
