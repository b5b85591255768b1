package dev.jeton.scheduler;

import dev.jeton.models.engine.StepTimeModel;
import java.util.Arrays;

/**
 * Splits a step's measured time over its rows.
 *
 * <p>A step costs {@code v(S) = B + max(F, A(S)) + K(S)}: B what every step costs, F the floor (reading the weights), A
 * the sum of the rows' own arithmetic a_i, K the sum of their KV reads k_i. Each of n rows is charged {@code (B + F)/n
 * + a_i max(0, 1 - F/A) + k_i}, which sums to v(S) when A >= F, scaled to the measured time. This is the closed-form
 * Shapley value of v away from the knee: with A far above F a row pays its own arithmetic and its part of the base,
 * with A below F all share base and floor alike.
 *
 * <p>Nanoseconds are integers: rows get the floor of their share, and what is left goes one by one to the largest
 * remainders (lower row first), so the rows sum to the step's time exactly. Scratch arrays are reused; owned by one
 * thread.
 */
public final class Attribution {

    private double[] share = new double[16];
    private double[] remainder = new double[16];
    private double[] sorted = new double[16];

    /** Fills {@link StepRecord#nanos} from the record's rows and span. */
    public void attribute(StepRecord record, StepTimeModel model) {
        int n = record.rows();
        if (n == 0) {
            return;
        }
        if (share.length < n) {
            share = new double[2 * n];
            remainder = new double[2 * n];
            sorted = new double[2 * n];
        }
        double floor = model.floor();
        double common = model.base() + floor;
        double arithmetic = 0;
        for (int i = 0; i < n; i++) {
            arithmetic += model.perToken() * record.tokens[i];
        }
        double own = arithmetic > floor ? 1 - floor / arithmetic : 0;
        double sum = 0;
        for (int i = 0; i < n; i++) {
            share[i] = common / n + model.perToken() * record.tokens[i] * own + model.perKvToken() * record.kvTokens[i];
            sum += share[i];
        }
        split(record, n, sum);
    }

    private void split(StepRecord record, int n, double sum) {
        long total = record.endNanos - record.startNanos;
        long left = total;
        for (int i = 0; i < n; i++) {
            double exact = sum > 0 ? total * (share[i] / sum) : (double) total / n;
            long whole = Math.min((long) exact, left);
            record.nanos[i] = whole;
            remainder[i] = exact - whole;
            left -= whole;
        }
        if (left == 0) {
            return;
        }
        assert left >= 0;
        for (int i = 0; i < n; i++) {
            record.nanos[i] += left / n;
        }
        spread(record, n, (int) (left % n));
    }

    /** Gives one nanosecond each to the {@code count} rows of the largest remainders. */
    private void spread(StepRecord record, int n, int count) {
        if (count == 0) {
            return;
        }
        System.arraycopy(remainder, 0, sorted, 0, n);
        Arrays.sort(sorted, 0, n);
        double threshold = sorted[n - count];
        int given = 0;
        for (int i = 0; i < n; i++) {
            if (remainder[i] > threshold) {
                record.nanos[i]++;
                given++;
            }
        }
        for (int i = 0; i < n && given < count; i++) {
            if (remainder[i] == threshold) {
                record.nanos[i]++;
                given++;
            }
        }
    }
}
