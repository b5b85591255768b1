package dev.jeton.server.metrics;

import dev.jeton.models.tools.CallSink;
import io.micrometer.core.instrument.Counter;
import io.micrometer.core.instrument.MeterRegistry;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/** Meters of one served model that requests record into. Recording a token looks nothing up. */
public final class ModelMetrics {

    private final Optional<VllmNames.Model> vllm;
    private final Latency firstToken;
    private final Latency interToken;
    private final Latency queue;
    private final Latency prefill;
    private final Latency decode;
    private final Latency total;
    private final Counter prompt;
    private final Counter cached;
    private final Counter generated;
    private final Counter overrun;
    private final Counter reasoning;
    private final Map<CallSink.End, Counter> toolCalls = new EnumMap<>(CallSink.End.class);

    ModelMetrics(MeterRegistry registry, String model, Optional<VllmNames.Model> vllm) {
        this.vllm = vllm;
        Latency first = new Latency(
                registry,
                "jeton.time.to.first.token",
                "From the request to its first token",
                model,
                Buckets.toFirstToken());
        firstToken = vllm.map(names -> first.and(names.firstToken())).orElse(first);
        Latency between = new Latency(
                registry, "jeton.inter.token", "Between two tokens of a sequence", model, Buckets.betweenTokens());
        interToken = vllm.map(names -> between.and(names.interToken())).orElse(between);
        queue = new Latency(
                registry, "jeton.queue.time", "From submit to the first step", model, Buckets.toFirstToken());
        prefill = new Latency(
                registry,
                "jeton.prefill.time",
                "From the first step to the first token",
                model,
                Buckets.toFirstToken());
        decode = new Latency(registry, "jeton.decode.time", "From the first token to the last", model, Buckets.whole());
        Latency all = new Latency(registry, "jeton.request.time", "From submit to the end", model, Buckets.whole());
        total = vllm.map(names -> all.and(names.endToEnd())).orElse(all);
        prompt = tokens(registry, model, "prompt", "Tokens of prompts, cached ones included");
        cached = tokens(registry, model, "cached", "Tokens of prompts found in the prefix cache");
        generated = tokens(registry, model, "generated", "Tokens generated and delivered");
        overrun = tokens(registry, model, "overrun", "Tokens computed past a stop or a hang-up");
        reasoning = tokens(registry, model, "reasoning", "Tokens generated that were thinking before an answer");
        for (CallSink.End end : CallSink.End.values()) {
            toolCalls.put(
                    end,
                    Counter.builder("jeton.tool.calls")
                            .description("Tool calls told: whole, malformed (arguments that are no JSON) or cut")
                            .tag("model", model)
                            .tag("end", end.name().toLowerCase(Locale.ROOT))
                            .register(registry));
        }
    }

    private static Counter tokens(MeterRegistry registry, String model, String kind, String meaning) {
        return Counter.builder("jeton.tokens." + kind)
                .description(meaning)
                .tag("model", model)
                .register(registry);
    }

    /** A request's first token came. */
    public void firstToken(long nanos) {
        firstToken.record(nanos, 1);
    }

    /** Tokens came one after the other, each so long after the one before. */
    public void interToken(long nanos, int times) {
        interToken.record(nanos, times);
    }

    /** A request ended and used these tokens. */
    public void tokens(int promptTokens, int cachedTokens, int generatedTokens, int overrunTokens) {
        prompt.increment(promptTokens);
        cached.increment(cachedTokens);
        generated.increment(generatedTokens);
        overrun.increment(overrunTokens);
        vllm.ifPresent(names -> {
            names.promptTokens().increment(promptTokens);
            names.generationTokens().increment(generatedTokens);
        });
    }

    /** A sequence ended, of which so many tokens were thinking. */
    public void reasoning(int tokens) {
        reasoning.increment(tokens);
    }

    /** A sequence called tools: how many of its calls ended how. */
    public void toolCalls(Map<CallSink.End, Integer> ended) {
        toolCalls.forEach((end, counter) -> counter.increment(ended.getOrDefault(end, 0)));
    }

    /**
     * A sequence ended: {@code stop}, {@code tool_calls}, {@code length}, or anything else for one that was given up.
     */
    public void finished(String reason) {
        vllm.ifPresent(names -> names.finished(reason));
    }

    /** A request ended and took these times, in nanoseconds. */
    public void times(long queueNanos, long prefillNanos, long decodeNanos, long totalNanos) {
        queue.record(queueNanos, 1);
        prefill.record(prefillNanos, 1);
        decode.record(decodeNanos, 1);
        total.record(totalNanos, 1);
    }
}
