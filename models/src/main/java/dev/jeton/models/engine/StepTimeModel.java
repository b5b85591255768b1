package dev.jeton.models.engine;

import java.util.Arrays;

/**
 * Predicts a step's time from its tokens T and the KV tokens K that its rows read: {@code max(F, a T) + g K}, with the
 * floor F (reading the weights once), the arithmetic a per token and the reading g per KV token, in nanoseconds.
 *
 * <p>Fitted online: each measured step is assigned to the side of the max that the present coefficients give, which
 * makes it linear in (F, a, g); the three normal equations are decayed by 1/256 per step and solved anew, with a weak
 * pull towards the coefficients of before so that what was not observed keeps its value. Outliers (a step more than
 * four times its prediction: the machine was busy elsewhere) count as four times.
 *
 * <p>Owned by one thread; a step costs some hundred operations and no allocation.
 */
public final class StepTimeModel {

    /** Coefficients in force. */
    public record Coefficients(double floorNanos, double nanosPerToken, double nanosPerKvToken) {}

    private static final double DECAY = 1 - 1.0 / 256;
    private static final double PULL = 1e-3;

    private final double[] coefficients;
    private final double[] matrix = new double[9];
    private final double[] right = new double[3];
    private final double[] work = new double[12];
    private final double[] x = new double[3];
    private long observed;

    /** Starts from a guess; the first few dozen steps replace it. */
    public StepTimeModel(Coefficients guess) {
        coefficients = new double[] {guess.floorNanos(), guess.nanosPerToken(), guess.nanosPerKvToken()};
    }

    /** The coefficients now. */
    public Coefficients coefficients() {
        return new Coefficients(coefficients[0], coefficients[1], coefficients[2]);
    }

    /** F in nanoseconds. */
    public double floor() {
        return coefficients[0];
    }

    /** Nanoseconds of arithmetic per token. */
    public double perToken() {
        return coefficients[1];
    }

    /** Nanoseconds per KV token read. */
    public double perKvToken() {
        return coefficients[2];
    }

    /** Predicted nanoseconds of a step. */
    public double predict(long tokens, long kvTokens) {
        return Math.max(coefficients[0], coefficients[1] * tokens) + coefficients[2] * kvTokens;
    }

    /** Learns from a measured step. */
    public void observe(long tokens, long kvTokens, long nanos) {
        if (tokens <= 0 || nanos <= 0) {
            return;
        }
        boolean floorSide = observed == 0 ? tokens < 64 : coefficients[0] >= coefficients[1] * tokens;
        double predicted = predict(tokens, kvTokens);
        double y = observed > 32 ? Math.min(nanos, 4 * predicted) : nanos;
        observed++;
        x[0] = floorSide ? 1 : 0;
        x[1] = floorSide ? 0 : tokens;
        x[2] = kvTokens;
        // relative errors are what counts: a step is weighted by its own length
        double weight = 1 / (y * y);
        for (int i = 0; i < 3; i++) {
            for (int j = 0; j < 3; j++) {
                matrix[3 * i + j] = DECAY * matrix[3 * i + j] + weight * x[i] * x[j];
            }
            right[i] = DECAY * right[i] + weight * x[i] * y;
        }
        solve();
    }

    private void solve() {
        for (int i = 0; i < 3; i++) {
            double scale = Math.max(coefficients[i], 1e-3);
            double pull = PULL / (scale * scale);
            for (int j = 0; j < 3; j++) {
                work[4 * i + j] = matrix[3 * i + j] + (i == j ? pull : 0);
            }
            work[4 * i + 3] = right[i] + pull * coefficients[i];
        }
        for (int i = 0; i < 3; i++) {
            for (int row = i + 1; row < 3; row++) {
                double factor = work[4 * row + i] / work[4 * i + i];
                for (int j = i; j < 4; j++) {
                    work[4 * row + j] -= factor * work[4 * i + j];
                }
            }
        }
        for (int i = 2; i >= 0; i--) {
            double value = work[4 * i + 3];
            for (int j = i + 1; j < 3; j++) {
                value -= work[4 * i + j] * x[j];
            }
            x[i] = value / work[4 * i + i];
        }
        for (int i = 0; i < 3; i++) {
            if (Double.isFinite(x[i])) {
                coefficients[i] = Math.max(0, x[i]);
            }
        }
        Arrays.fill(work, 0);
    }
}
