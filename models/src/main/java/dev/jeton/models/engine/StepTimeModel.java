package dev.jeton.models.engine;

import java.util.Arrays;

/**
 * Predicts a step's time from its tokens T and the KV tokens K that its rows read: {@code B + max(F, a T) + g K}, with
 * the base B (what every step costs), the floor F (reading the weights once, as far as arithmetic hides behind it), the
 * arithmetic a per token and the reading g per KV token, in nanoseconds. A device that computes while it reads has B =
 * 0; one that does one after the other has F = 0.
 *
 * <p>Fitted online: each measured step is assigned to the side of the max that the present coefficients give, which
 * makes it linear in (B, F, a, g). The normal equations of the relative errors are decayed by 1/256 per step and solved
 * anew for coefficients that are not negative (one that would be is left out, and the others are solved again). A pull
 * towards the coefficients of before, a thousandth of what each was observed with, keeps what the steps cannot tell
 * apart. Outliers (a step more than four times its prediction: the machine was busy elsewhere) count as four times.
 *
 * <p>Owned by one thread; a step costs some hundred operations and no allocation.
 */
public final class StepTimeModel {

    /** Coefficients in force, none negative. */
    public record Coefficients(double baseNanos, double floorNanos, double nanosPerToken, double nanosPerKvToken) {
        /** Without a base: a device that reads weights while it computes. */
        public Coefficients(double floorNanos, double nanosPerToken, double nanosPerKvToken) {
            this(0, floorNanos, nanosPerToken, nanosPerKvToken);
        }
    }

    private static final int BASE = 0;
    private static final int FLOOR = 1;
    private static final int TOKEN = 2;
    private static final int KV_TOKEN = 3;
    private static final int N = 4;
    private static final double DECAY = 1 - 1.0 / 256;
    private static final double PULL = 1e-3;
    /** Keeps a coefficient that was never observed where it is. */
    private static final double LEAST = 1e-30;

    private final double[] coefficients;
    private final double[] matrix = new double[N * N];
    private final double[] right = new double[N];
    private final double[] work = new double[N * (N + 1)];
    private final double[] x = new double[N];
    private final boolean[] out = new boolean[N];
    private long observed;

    /** Starts from a guess; the first few dozen steps replace it. */
    public StepTimeModel(Coefficients guess) {
        coefficients =
                new double[] {guess.baseNanos(), guess.floorNanos(), guess.nanosPerToken(), guess.nanosPerKvToken()};
    }

    /** The coefficients now. */
    public Coefficients coefficients() {
        return new Coefficients(coefficients[BASE], coefficients[FLOOR], coefficients[TOKEN], coefficients[KV_TOKEN]);
    }

    /** B in nanoseconds. */
    public double base() {
        return coefficients[BASE];
    }

    /** F in nanoseconds. */
    public double floor() {
        return coefficients[FLOOR];
    }

    /** Nanoseconds of arithmetic per token. */
    public double perToken() {
        return coefficients[TOKEN];
    }

    /** Nanoseconds per KV token read. */
    public double perKvToken() {
        return coefficients[KV_TOKEN];
    }

    /** Predicted nanoseconds of a step. */
    public double predict(long tokens, long kvTokens) {
        return base() + Math.max(floor(), perToken() * tokens) + perKvToken() * kvTokens;
    }

    /** Learns from a measured step. */
    public void observe(long tokens, long kvTokens, long nanos) {
        if (tokens <= 0 || nanos <= 0) {
            return;
        }
        boolean floorSide = observed == 0 ? tokens < 64 : floor() >= perToken() * tokens;
        double y = observed > 32 ? Math.min(nanos, 4 * predict(tokens, kvTokens)) : nanos;
        observed++;
        x[BASE] = 1;
        x[FLOOR] = floorSide ? 1 : 0;
        x[TOKEN] = floorSide ? 0 : tokens;
        x[KV_TOKEN] = kvTokens;
        // relative errors are what counts: a step is weighted by its own length
        double weight = 1 / (y * y);
        for (int i = 0; i < N; i++) {
            for (int j = 0; j < N; j++) {
                matrix[N * i + j] = DECAY * matrix[N * i + j] + weight * x[i] * x[j];
            }
            right[i] = DECAY * right[i] + weight * x[i] * y;
        }
        fit();
    }

    private void fit() {
        Arrays.fill(out, false);
        for (int round = 0; round < N; round++) {
            solve();
            int worst = -1;
            for (int i = 0; i < N; i++) {
                if (!Double.isFinite(x[i])) {
                    return;
                }
                // by how much it would be negative in what it contributes, so that units do not matter
                if (x[i] < 0 && (worst < 0 || contribution(i) < contribution(worst))) {
                    worst = i;
                }
            }
            if (worst < 0) {
                System.arraycopy(x, 0, coefficients, 0, N);
                return;
            }
            out[worst] = true;
        }
    }

    private double contribution(int i) {
        return x[i] * Math.sqrt(matrix[N * i + i]);
    }

    /** Solves into {@link #x}; those that are out are 0. */
    private void solve() {
        int width = N + 1;
        for (int i = 0; i < N; i++) {
            double pull = PULL * matrix[N * i + i] + LEAST;
            for (int j = 0; j < N; j++) {
                boolean kept = !out[i] && !out[j];
                work[width * i + j] = (kept ? matrix[N * i + j] : 0) + (i == j ? pull : 0);
            }
            work[width * i + N] = out[i] ? 0 : right[i] + pull * coefficients[i];
        }
        for (int i = 0; i < N; i++) {
            for (int row = i + 1; row < N; row++) {
                double factor = work[width * row + i] / work[width * i + i];
                for (int j = i; j < width; j++) {
                    work[width * row + j] -= factor * work[width * i + j];
                }
            }
        }
        for (int i = N - 1; i >= 0; i--) {
            double value = work[width * i + N];
            for (int j = i + 1; j < N; j++) {
                value -= work[width * i + j] * x[j];
            }
            x[i] = value / work[width * i + i];
        }
    }
}
