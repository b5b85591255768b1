package dev.jeton.server.tracing;

import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanKind;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.api.trace.propagation.W3CTraceContextPropagator;
import io.opentelemetry.context.Context;
import io.opentelemetry.context.propagation.TextMapGetter;
import io.opentelemetry.exporter.otlp.http.trace.OtlpHttpSpanExporter;
import io.opentelemetry.sdk.resources.Resource;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.export.BatchSpanProcessor;
import io.opentelemetry.sdk.trace.samplers.Sampler;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * Spans of requests over OTLP/HTTP: one for the request, and under it {@code queue}, {@code prefill} and
 * {@code decode}, named and attributed as OpenTelemetry's conventions for generative AI have it. A caller's W3C trace
 * context becomes the parent and decides whether the trace is kept; without one a share of the requests is.
 *
 * <p>Sending is off the request's path and bounded: spans that a slow or absent collector does not take are dropped.
 */
public final class Tracing implements AutoCloseable {

    private static final int QUEUE = 4_096;
    private static final Duration DELAY = Duration.ofSeconds(1);
    private static final Duration TIMEOUT = Duration.ofSeconds(5);
    private static final W3CTraceContextPropagator W3C = W3CTraceContextPropagator.getInstance();

    private final Optional<SdkTracerProvider> provider;
    private final Tracer tracer;
    private final long anchorNanos = System.nanoTime();
    private final long anchorEpochNanos = TimeUnit.MILLISECONDS.toNanos(System.currentTimeMillis());

    private Tracing(Optional<SdkTracerProvider> provider) {
        this.provider = provider;
        tracer = provider.<Tracer>map(sdk -> sdk.get("dev.jeton"))
                .orElseGet(
                        () -> io.opentelemetry.api.trace.TracerProvider.noop().get("dev.jeton"));
    }

    /** Nothing is recorded. */
    public static Tracing off() {
        return new Tracing(Optional.empty());
    }

    /**
     * Sends to a collector.
     *
     * @param endpoint its traces' URL, as in {@code http://localhost:4318/v1/traces}
     * @param service name of this service in traces
     * @param percent how many of a hundred requests without a context of their own are recorded
     */
    public static Tracing to(String endpoint, String service, int percent) {
        OtlpHttpSpanExporter exporter = OtlpHttpSpanExporter.builder()
                .setEndpoint(endpoint)
                .setTimeout(TIMEOUT)
                .build();
        SdkTracerProvider sdk = SdkTracerProvider.builder()
                .setResource(Resource.getDefault()
                        .merge(Resource.create(Attributes.builder()
                                .put("service.name", service)
                                .build())))
                .setSampler(Sampler.parentBased(Sampler.traceIdRatioBased(percent / 100.0)))
                .addSpanProcessor(BatchSpanProcessor.builder(exporter)
                        .setMaxQueueSize(QUEUE)
                        .setScheduleDelay(DELAY)
                        .build())
                .build();
        return new Tracing(Optional.of(sdk));
    }

    /**
     * Begins a request's span.
     *
     * @param headers the request's
     * @param startNanos when it was whole, on {@link System#nanoTime}'s clock
     */
    public Trace begin(Function<String, Optional<String>> headers, long startNanos) {
        if (provider.isEmpty()) {
            return new Trace(this, Span.getInvalid(), startNanos);
        }
        Context parent = W3C.extract(Context.root(), headers, new Headers());
        Span span = tracer.spanBuilder("request")
                .setParent(parent)
                .setSpanKind(SpanKind.SERVER)
                .setStartTimestamp(epochNanos(startNanos), TimeUnit.NANOSECONDS)
                .startSpan();
        return new Trace(this, span, startNanos);
    }

    /** A stamp of {@link System#nanoTime}'s clock in nanoseconds since 1970. */
    long epochNanos(long nanos) {
        return anchorEpochNanos + nanos - anchorNanos;
    }

    Tracer tracer() {
        return tracer;
    }

    /** Sends what is left, for a few seconds at most. */
    @Override
    public void close() {
        provider.ifPresent(sdk -> sdk.shutdown().join(TIMEOUT.toMillis(), TimeUnit.MILLISECONDS));
    }

    /** Reads the two headers of the W3C context. */
    private static final class Headers implements TextMapGetter<Function<String, Optional<String>>> {
        @Override
        public Iterable<String> keys(Function<String, Optional<String>> headers) {
            return List.of("traceparent", "tracestate");
        }

        @Override
        public @Nullable String get(@Nullable Function<String, Optional<String>> headers, String name) {
            return headers == null ? null : headers.apply(name).orElse(null);
        }
    }
}
