package dev.jeton.server.metrics;

import dev.jeton.scheduler.DispatcherStats;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Timer;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.ToDoubleFunction;

/** The names under which existing dashboards know vLLM's metrics, label {@code model_name}. */
final class VllmNames {

    private final MeterRegistry registry;
    private Optional<Meter> adapters = Optional.empty();

    VllmNames(MeterRegistry registry) {
        this.registry = registry;
    }

    /** Adds a model's set. */
    Model model(String name, DispatcherMetrics stats) {
        gauge("vllm:num_requests_running", name, stats, DispatcherStats::runningSequences);
        gauge("vllm:num_requests_waiting", name, stats, DispatcherStats::waitingSequences);
        gauge("vllm:kv_cache_usage_perc", name, stats, DispatcherMetrics::utilisation);
        counter("vllm:num_preemptions", name, stats, DispatcherStats::preemptions);
        counter("vllm:prefix_cache_queries", name, stats, DispatcherStats::prefixQueriedTokens);
        counter("vllm:prefix_cache_hits", name, stats, DispatcherStats::prefixHitTokens);
        counter("vllm:spec_decode_num_draft_tokens", name, stats, DispatcherStats::draftTokens);
        counter("vllm:spec_decode_num_accepted_tokens", name, stats, DispatcherStats::acceptedDraftTokens);
        return new Model(
                timer("vllm:time_to_first_token", name, Buckets.toFirstToken()),
                timer("vllm:inter_token_latency", name, Buckets.betweenTokens()),
                timer("vllm:e2e_request_latency", name, Buckets.whole()),
                tokens("vllm:prompt_tokens", name),
                tokens("vllm:generation_tokens", name),
                success(name, "stop"),
                success(name, "length"),
                success(name, "abort"));
    }

    /**
     * All adapters that there are now. What the metric counts is since when, in seconds since 1970: so balancers tell
     * the newest of its label sets. Nothing where there never were any.
     */
    void adapters(List<String> names) {
        if (adapters.isEmpty() && names.isEmpty()) {
            return;
        }
        adapters.ifPresent(registry::remove);
        double since = System.currentTimeMillis() / 1_000;
        adapters = Optional.of(Gauge.builder("vllm:lora_requests_info", () -> since)
                .tag("max_lora", Integer.toString(names.size()))
                .tag("running_lora_adapters", String.join(",", names))
                .tag("waiting_lora_adapters", "")
                .register(registry));
    }

    private void gauge(String meter, String model, DispatcherMetrics stats, ToDoubleFunction<DispatcherStats> value) {
        Gauge.builder(meter, stats, s -> value.applyAsDouble(s.latest()))
                .tag("model_name", model)
                .register(registry);
    }

    private void counter(String meter, String model, DispatcherMetrics stats, ToDoubleFunction<DispatcherStats> value) {
        FunctionCounter.builder(meter, stats, s -> value.applyAsDouble(s.latest()))
                .tag("model_name", model)
                .register(registry);
    }

    private Timer timer(String meter, String model, Duration... bounds) {
        return Timer.builder(meter)
                .tag("model_name", model)
                .serviceLevelObjectives(bounds)
                .register(registry);
    }

    private Counter tokens(String meter, String model) {
        return Counter.builder(meter).tag("model_name", model).register(registry);
    }

    private Counter success(String model, String reason) {
        return Counter.builder("vllm:request_success")
                .tag("model_name", model)
                .tag("finished_reason", reason)
                .register(registry);
    }

    /** What requests of one model record into. */
    record Model(
            Timer firstToken,
            Timer interToken,
            Timer endToEnd,
            Counter promptTokens,
            Counter generationTokens,
            Counter stopped,
            Counter lengthReached,
            Counter aborted) {

        /** A sequence has ended. */
        void finished(String reason) {
            switch (reason) {
                case "stop", "tool_calls" -> stopped.increment();
                case "length" -> lengthReached.increment();
                default -> aborted.increment();
            }
        }
    }
}
