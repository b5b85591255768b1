package dev.jeton.server.api;

import dev.jeton.accounting.Money;
import dev.jeton.server.metrics.OtlpMetrics;
import dev.jeton.server.metrics.ServerMetrics;
import dev.jeton.server.tracing.Trace;
import java.util.Locale;
import java.util.Set;

/**
 * What a call's span and its metrics for a collector say, by OpenTelemetry's conventions for generative AI; costs under
 * {@code jeton.cost}.
 */
final class CallTelemetry {

    private static final String CHAT = "chat";
    private static final String TEXT = "text_completion";
    /** Operations that run a model; rerank and classify have no name in the conventions and keep their endpoint's. */
    private static final Set<String> INFERENCE = Set.of(CHAT, TEXT, "embeddings", "rerank", "classify");

    private CallTelemetry() {}

    /** Completes the span of a call that has ended, and records how long a model took. */
    static void end(ServerMetrics metrics, Call call, Endpoint endpoint, Outcome outcome) {
        String operation = operation(endpoint.name());
        if (INFERENCE.contains(operation)) {
            metrics.exported().ifPresent(collector -> times(collector, call, operation, outcome));
        }
        if (call.trace().recorded()) {
            span(call, operation, outcome);
        }
    }

    private static void times(OtlpMetrics collector, Call call, String operation, Outcome outcome) {
        boolean ok = outcome == Outcome.OK;
        collector.request(operation, call.model(), ok ? "" : outcome.label(), System.nanoTime() - call.startNanos());
        call.usage()
                .filter(usage -> ok)
                .ifPresent(usage -> collector.answered(
                        operation,
                        call.model(),
                        usage.queueNanos() + usage.prefillNanos(),
                        usage.decodeNanos(),
                        usage.completionTokens(),
                        call.finishReasons().size()));
    }

    private static void span(Call call, String operation, Outcome outcome) {
        Trace trace = call.trace();
        trace.name(call.model().equals("unknown") ? operation : operation + " " + call.model())
                .set("gen_ai.operation.name", operation)
                .set("gen_ai.provider.name", "jeton")
                .set("gen_ai.response.id", call.id())
                .set("gen_ai.request.model", call.model())
                .set("gen_ai.response.model", call.model())
                .set("http.response.status_code", call.status())
                .set("jeton.tenant", call.caller().payer().tenant())
                .set("jeton.outcome", outcome.label());
        call.asked().ifPresent(options -> {
            trace.set("gen_ai.request.temperature", options.sampling().temperature())
                    .set("gen_ai.request.top_p", options.sampling().topP())
                    .set("gen_ai.request.choice.count", options.n());
            options.maxTokens().ifPresent(most -> trace.set("gen_ai.request.max_tokens", most));
        });
        call.usage().ifPresent(usage -> usage(trace, call, usage));
        call.bill()
                .ifPresent(bill -> trace.set("jeton.cost.currency", bill.currency())
                        .set("jeton.cost.list", Money.decimal(bill.list()).doubleValue())
                        .set(
                                "jeton.cost.metered_estimate",
                                Money.decimal(bill.metered()).doubleValue())
                        .set("jeton.cost.price_book", bill.priceBook()));
        if (outcome != Outcome.OK) {
            trace.failed(outcome.label());
        }
        trace.end();
    }

    private static void usage(Trace trace, Call call, UsageTotals usage) {
        long submitted = call.submittedNanos() - call.startNanos();
        trace.set("gen_ai.usage.input_tokens", usage.promptTokens())
                .set("gen_ai.usage.output_tokens", usage.completionTokens())
                .set("gen_ai.usage.cache_read.input_tokens", usage.cachedTokens())
                .set("gen_ai.response.finish_reasons", call.finishReasons())
                .part("queue", submitted, usage.queueNanos())
                .part("prefill", submitted + usage.queueNanos(), usage.prefillNanos())
                .part("decode", submitted + usage.queueNanos() + usage.prefillNanos(), usage.decodeNanos());
    }

    private static String operation(String endpoint) {
        return switch (endpoint) {
            case "chat_completions", "responses", "messages" -> CHAT;
            case "completions" -> TEXT;
            default -> endpoint.toLowerCase(Locale.ROOT);
        };
    }
}
