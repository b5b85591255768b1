package dev.jeton.server.metrics;

import dev.jeton.scheduler.StepListener;
import dev.jeton.scheduler.StepRecord;
import io.micrometer.core.instrument.DistributionSummary;
import io.micrometer.core.instrument.MeterRegistry;
import java.time.Duration;

/** Records every step's time, rows and tokens; called by the step loop's thread, so it looks nothing up. */
final class StepMetrics implements StepListener {

    private static final double[] COUNTS = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192};

    private final Latency time;
    private final DistributionSummary rows;
    private final DistributionSummary tokens;

    StepMetrics(MeterRegistry registry, String model) {
        time = new Latency(registry, "jeton.step.time", "Device time of a step", model, bounds());
        rows = counts(registry, "jeton.rows.per.step", "Rows of a step", model);
        tokens = counts(registry, "jeton.tokens.per.step", "Tokens computed in a step", model);
    }

    private static Duration[] bounds() {
        return Buckets.seconds(.0005, .001, .002, .004, .008, .016, .032, .064, .128, .256, .512, 1.024, 2.048);
    }

    private static DistributionSummary counts(MeterRegistry registry, String name, String meaning, String model) {
        return DistributionSummary.builder(name)
                .description(meaning)
                .tag("model", model)
                .serviceLevelObjectives(COUNTS)
                .register(registry);
    }

    @Override
    public void onStep(StepRecord step) {
        time.record(step.endNanos - step.startNanos, 1);
        rows.record(step.rows());
        int sum = 0;
        for (int row = 0; row < step.rows(); row++) {
            sum += step.tokens[row];
        }
        tokens.record(sum);
    }
}
