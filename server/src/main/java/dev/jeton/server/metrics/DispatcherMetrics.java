package dev.jeton.server.metrics;

import dev.jeton.models.engine.Capability;
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
        gauge(
                "jeton.tokens.waiting",
                "Tokens of the prompts and predictions of requests that wait for their first admission",
                DispatcherStats::waitingTokens);
        gauge("jeton.kv.utilisation", "Share of the KV blocks that sequences hold", DispatcherMetrics::utilisation);
        counter("jeton.preemptions", "Sequences preempted", DispatcherStats::preemptions);
        counter("jeton.prefix.queried.tokens", "Prompt tokens looked up", DispatcherStats::prefixQueriedTokens);
        hits("device", stats -> stats.prefixHitTokens() - stats.host().hitTokens());
        counter("jeton.prefix.waits", "Waits for a block another sequence computes", DispatcherStats::prefixWaits);
    }

    private void blocks() {
        blocks("device", "free", DispatcherStats::blocksFree);
        blocks("device", "computing", DispatcherStats::blocksComputing);
        blocks("device", "loading", DispatcherStats::blocksLoading);
        blocks("device", "cached", DispatcherStats::blocksCached);
        blocks("device", "held", DispatcherStats::blocksHeld);
        evictions("device", DispatcherStats::evictions);
        if (dispatcher.engine().supports(Capability.HOST_TIER)) {
            hostTier();
        }
    }

    private void hostTier() {
        hits("host", stats -> stats.host().hitTokens());
        blocks("host", "free", stats -> stats.host().blocksFree());
        blocks("host", "filling", stats -> stats.host().blocksFilling());
        blocks("host", "kept", stats -> stats.host().blocksKept());
        blocks("host", "reading", stats -> stats.host().blocksReading());
        evictions("host", stats -> stats.host().evictions());
        moved("offload", "blocks", stats -> stats.host().offloadedBlocks());
        moved("offload", "bytes", stats -> stats.host().offloadedBytes());
        moved("load", "blocks", stats -> stats.host().loadedBlocks());
        moved("load", "bytes", stats -> stats.host().loadedBytes());
        moving("offload", stats -> stats.host().offloading());
        moving("load", stats -> stats.host().loading());
    }

    private void blocks(String tier, String state, ToDoubleFunction<DispatcherStats> value) {
        Gauge.builder("jeton.kv.blocks", this, self -> value.applyAsDouble(self.latest))
                .description("KV blocks by tier and state")
                .tag("model", model)
                .tag("tier", tier)
                .tag("state", state)
                .register(registry);
    }

    private void hits(String tier, ToDoubleFunction<DispatcherStats> value) {
        FunctionCounter.builder("jeton.prefix.hit.tokens", this, self -> value.applyAsDouble(self.latest))
                .description("Prompt tokens found in the prefix cache, by the tier that had them")
                .tag("model", model)
                .tag("tier", tier)
                .register(registry);
    }

    private void evictions(String tier, ToDoubleFunction<DispatcherStats> value) {
        FunctionCounter.builder("jeton.kv.evictions", this, self -> value.applyAsDouble(self.latest))
                .description("Cached KV blocks given away for others, by tier")
                .tag("model", model)
                .tag("tier", tier)
                .register(registry);
    }

    private void moved(String direction, String unit, ToDoubleFunction<DispatcherStats> value) {
        FunctionCounter.builder("jeton.kv.moved." + unit, this, self -> value.applyAsDouble(self.latest))
                .description("KV " + unit + " copied between the tiers")
                .tag("model", model)
                .tag("direction", direction)
                .register(registry);
    }

    private void moving(String direction, ToDoubleFunction<DispatcherStats> value) {
        Gauge.builder("jeton.kv.moving.blocks", this, self -> value.applyAsDouble(self.latest))
                .description("KV blocks being copied between the tiers")
                .tag("model", model)
                .tag("direction", direction)
                .register(registry);
    }

    private void steps() {
        counter("jeton.steps", "Steps run", DispatcherStats::steps);
        counter("jeton.step.rows", "Rows of all steps", DispatcherStats::rows);
        stepTokens("prefill", DispatcherStats::prefillTokens);
        stepTokens("decode", DispatcherStats::decodeTokens);
        stepTokens("recomputed", DispatcherStats::recomputedTokens);
        stepTokens("overrun", DispatcherStats::overrunTokens);
        stepTokens("drafted", DispatcherStats::draftTokens);
        counter("jeton.drafts.accepted", "Drafted tokens that were right", DispatcherStats::acceptedDraftTokens);
    }

    private void stepTokens(String kind, ToDoubleFunction<DispatcherStats> value) {
        FunctionCounter.builder("jeton.step.tokens", this, self -> value.applyAsDouble(self.latest))
                .description(
                        "Tokens computed in steps; recomputed, overrun and drafted ones are among prefill and decode")
                .tag("model", model)
                .tag("kind", kind)
                .register(registry);
    }

    static double utilisation(DispatcherStats stats) {
        int used = stats.blocksHeld() + stats.blocksComputing() + stats.blocksLoading();
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
