package dev.jeton.server.metrics;

import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * A time as a histogram and as quantiles. Two meters, for a Prometheus meter is either the one or the other:
 * {@code NAME_seconds} with buckets that can be summed over servers, {@code NAME_recent_seconds} with this server's
 * p50, p95 and p99 over the last minutes.
 */
final class Latency {

    private final List<Timer> timers;

    /**
     * @param name without a unit: {@code jeton.time.to.first.token}
     * @param meaning one sentence
     * @param bounds of the buckets, ascending
     */
    Latency(MeterRegistry registry, String name, String meaning, String model, Duration... bounds) {
        Timer histogram = Timer.builder(name)
                .description(meaning)
                .tag("model", model)
                .serviceLevelObjectives(bounds)
                .register(registry);
        Timer quantiles = Timer.builder(name + ".recent")
                .description(meaning + "; quantiles over the last minutes")
                .tag("model", model)
                .publishPercentiles(0.5, 0.95, 0.99)
                .register(registry);
        this.timers = List.of(histogram, quantiles);
    }

    /** The same histogram under another name as well. */
    Latency and(Timer other) {
        return new Latency(Stream.concat(timers.stream(), Stream.of(other)).toList());
    }

    private Latency(List<Timer> timers) {
        this.timers = timers;
    }

    void record(long nanos, int times) {
        for (Timer timer : timers) {
            for (int i = 0; i < times; i++) {
                timer.record(nanos, TimeUnit.NANOSECONDS);
            }
        }
    }
}
