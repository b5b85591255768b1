package dev.jeton.server.metrics;

import dev.jeton.scheduler.DeviceState;
import dev.jeton.scheduler.Dispatcher;
import dev.jeton.scheduler.DispatcherStats;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/** One dispatcher's gauges and counters, all of one scrape from one snapshot. */
final class DispatcherMetrics {

    private static final double NANOS_PER_SECOND = 1e9;

    private final MeterRegistry registry;
    private final Dispatcher dispatcher;
    private final String model;
    private volatile DispatcherStats latest;

    DispatcherMetrics(MeterRegistry registry, String model, Dispatcher dispatcher) {
        this.registry = registry;
        this.dispatcher = dispatcher;
        this.model = model;
        this.latest = dispatcher.stats();
        sequences();
        blocks();
        steps();
        for (DeviceState state : DeviceState.values()) {
            FunctionCounter.builder(
                            "jeton.device.time.seconds",
                            this,
                            self -> self.latest.deviceNanos()[state.ordinal()] / NANOS_PER_SECOND)
                    .description("Device time by what the device group did")
                    .tag("model", model)
                    .tag("state", state.name().toLowerCase(Locale.ROOT))
                    .register(registry);
        }
    }

    /** Takes the snapshot of a scrape. */
    void refresh() {
        latest = dispatcher.stats();
    }

    DispatcherStats latest() {
        return latest;
    }

    private void sequences() {
        gauge("jeton.sequences.running", "Sequences with blocks", DispatcherStats::runningSequences);
        gauge(
                "jeton.sequences.waiting",
                "Sequences queued, preempted ones included",
                DispatcherStats::waitingSequences);
        gauge("jeton.sequences.waiting.bound", "Most sequences that may wait", DispatcherStats::waitingBound);
        gauge("jeton.kv.utilisation", "Share of the KV blocks that sequences hold", DispatcherMetrics::utilisation);
        counter("jeton.preemptions", "Sequences preempted", DispatcherStats::preemptions);
        counter("jeton.prefix.queried.tokens", "Prompt tokens looked up", DispatcherStats::prefixQueriedTokens);
        counter("jeton.prefix.hit.tokens", "Prompt tokens found in the prefix cache", DispatcherStats::prefixHitTokens);
        counter("jeton.prefix.waits", "Waits for a block another sequence computes", DispatcherStats::prefixWaits);
    }

    private void blocks() {
        blocks("free", DispatcherStats::blocksFree);
        blocks("computing", DispatcherStats::blocksComputing);
        blocks("cached", DispatcherStats::blocksCached);
        blocks("held", DispatcherStats::blocksHeld);
    }

    private void blocks(String state, ToDoubleFunction<DispatcherStats> value) {
        Gauge.builder("jeton.kv.blocks", this, self -> value.applyAsDouble(self.latest))
                .description("KV blocks by state")
                .tag("model", model)
                .tag("state", state)
                .register(registry);
    }

    private void steps() {
        counter("jeton.steps", "Steps run", DispatcherStats::steps);
        counter("jeton.step.rows", "Rows of all steps", DispatcherStats::rows);
        stepTokens("prefill", DispatcherStats::prefillTokens);
        stepTokens("decode", DispatcherStats::decodeTokens);
        stepTokens("recomputed", DispatcherStats::recomputedTokens);
        stepTokens("overrun", DispatcherStats::overrunTokens);
    }

    private void stepTokens(String kind, ToDoubleFunction<DispatcherStats> value) {
        FunctionCounter.builder("jeton.step.tokens", this, self -> value.applyAsDouble(self.latest))
                .description("Tokens computed in steps; recomputed and overrun ones are among prefill and decode")
                .tag("model", model)
                .tag("kind", kind)
                .register(registry);
    }

    static double utilisation(DispatcherStats stats) {
        int used = stats.blocksHeld() + stats.blocksComputing();
        int all = used + stats.blocksCached() + stats.blocksFree();
        return all == 0 ? 0 : (double) used / all;
    }

    private void gauge(String name, String meaning, ToDoubleFunction<DispatcherStats> value) {
        Gauge.builder(name, this, self -> value.applyAsDouble(self.latest))
                .description(meaning)
                .tag("model", model)
                .register(registry);
    }

    private void counter(String name, String meaning, ToDoubleFunction<DispatcherStats> value) {
        FunctionCounter.builder(name, this, self -> value.applyAsDouble(self.latest))
                .description(meaning)
                .tag("model", model)
                .register(registry);
    }
}
