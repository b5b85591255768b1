package dev.jeton.models.vector;

import static dev.jeton.models.vector.VectorMath.FLOATS;
import static dev.jeton.models.vector.VectorMath.LANES;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import jdk.incubator.vector.FloatVector;
import org.junit.jupiter.api.Test;

class VectorMathTest {

    private static float exp(float x) {
        return VectorMath.exp(FloatVector.broadcast(FLOATS, x)).lane(LANES - 1);
    }

    @Test
    void shouldGiveExponentialsToTwoPartsInTenMillion() {
        Random random = new Random(5);
        for (int i = 0; i < 200_000; i++) {
            float x = -87f + 175f * random.nextFloat();
            double exact = Math.exp(x);
            assertThat(Math.abs(exp(x) - exact) / exact).as("exp(%s)", x).isLessThan(2e-7);
        }
    }

    @Test
    void shouldGiveTheEndsOfTheRange() {
        assertThat(exp(0)).isEqualTo(1);
        assertThat(exp(-0f)).isEqualTo(1);
        assertThat(exp(Float.NEGATIVE_INFINITY)).isZero();
        assertThat(exp(-88)).isZero();
        assertThat(exp(Float.POSITIVE_INFINITY)).isFinite().isGreaterThan(1e38f);
        assertThat(exp(Float.NaN)).isNaN();
    }

    @Test
    void shouldGiveSilu() {
        for (float x = -100; x < 100; x += 0.37f) {
            float silu = VectorMath.silu(FloatVector.broadcast(FLOATS, x)).lane(0);
            assertThat(Math.abs(silu - x / (1 + Math.exp(-x)))).isLessThanOrEqualTo(1e-6 * Math.abs(x) + 1e-30);
        }
    }

    @Test
    void shouldGiveGelu() {
        for (float x = -100; x < 100; x += 0.37f) {
            float gelu = VectorMath.geluTanh(FloatVector.broadcast(FLOATS, x)).lane(0);
            double inner = Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x);
            double exact = x / (1 + Math.exp(-2 * inner));
            assertThat(Math.abs(gelu - exact)).as("of %s", x).isLessThanOrEqualTo(1e-6 * Math.abs(x));
        }
    }

    @Test
    void shouldGiveTangentsToTwoPartsInTenMillion() {
        Random random = new Random(6);
        for (int i = 0; i < 100_000; i++) {
            float x = (float) (random.nextGaussian() * Math.pow(10, random.nextInt(5) - 3));
            double exact = Math.tanh(x);
            float tanh = VectorMath.tanh(FloatVector.broadcast(FLOATS, x)).lane(0);
            assertThat(Math.abs(tanh - exact)).as("tanh(%s)", x).isLessThanOrEqualTo(3e-7 * Math.abs(exact));
        }
        assertThat(VectorMath.tanh(FloatVector.broadcast(FLOATS, Float.NEGATIVE_INFINITY))
                        .lane(0))
                .isEqualTo(-1);
        assertThat(VectorMath.tanh(FloatVector.broadcast(FLOATS, Float.NaN)).lane(0))
                .isNaN();
    }

    @Test
    void shouldAddByHalves() {
        float[] values = {9, 1e8f, 1, -1e8f, 2, 9};
        assertThat(VectorMath.sumTree(values, 1, 4)).isEqualTo((1e8f + -1e8f) + (1f + 2f));
    }
}
