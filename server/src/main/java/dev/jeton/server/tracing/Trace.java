package dev.jeton.server.tracing;

import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanContext;
import io.opentelemetry.api.trace.StatusCode;
import io.opentelemetry.context.Context;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/** One request's span. Used by the request's thread. */
public final class Trace {

    private final Tracing tracing;
    private final Span span;
    private final long startNanos;

    Trace(Tracing tracing, Span span, long startNanos) {
        this.tracing = tracing;
        this.span = span;
        this.startNanos = startNanos;
    }

    /** Whether anybody will see it; where not, attributes need not be gathered. */
    public boolean recorded() {
        return span.isRecording();
    }

    /** The span as the W3C's header {@code traceparent} names it; empty where nothing is traced. */
    public Optional<String> context() {
        SpanContext context = span.getSpanContext();
        return context.isValid()
                ? Optional.of("00-%s-%s-%s"
                        .formatted(
                                context.getTraceId(),
                                context.getSpanId(),
                                context.getTraceFlags().asHex()))
                : Optional.empty();
    }

    /** Names the span. */
    public Trace name(String name) {
        span.updateName(name);
        return this;
    }

    /** Sets an attribute. */
    public Trace set(String key, String value) {
        span.setAttribute(key, value);
        return this;
    }

    /** Sets an attribute. */
    public Trace set(String key, long value) {
        span.setAttribute(key, value);
        return this;
    }

    /** Sets an attribute. */
    public Trace set(String key, double value) {
        span.setAttribute(key, value);
        return this;
    }

    /** Sets an attribute that is a list. */
    public Trace set(String key, java.util.List<String> values) {
        span.setAttribute(AttributeKey.stringArrayKey(key), values);
        return this;
    }

    /**
     * Adds a part that has ended.
     *
     * @param fromNanos its beginning after the request's, in nanoseconds
     * @param nanos its length
     */
    public Trace part(String name, long fromNanos, long nanos) {
        if (span.isRecording()) {
            long from = tracing.epochNanos(startNanos) + fromNanos;
            tracing.tracer()
                    .spanBuilder(name)
                    .setParent(Context.root().with(span))
                    .setStartTimestamp(from, TimeUnit.NANOSECONDS)
                    .startSpan()
                    .end(from + nanos, TimeUnit.NANOSECONDS);
        }
        return this;
    }

    /** The request failed. */
    public Trace failed(String type) {
        span.setStatus(StatusCode.ERROR);
        span.setAttribute("error.type", type);
        return this;
    }

    /** Ends the span now. */
    public void end() {
        if (span.isRecording()) {
            span.end(tracing.epochNanos(System.nanoTime()), TimeUnit.NANOSECONDS);
        }
    }
}
