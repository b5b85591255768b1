package dev.jeton.server.metrics;

import dev.jeton.accounting.Bill;
import dev.jeton.accounting.Money;
import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.common.Attributes;
import io.opentelemetry.api.common.AttributesBuilder;
import io.opentelemetry.api.metrics.DoubleCounter;
import io.opentelemetry.api.metrics.DoubleHistogram;
import io.opentelemetry.api.metrics.Meter;
import io.opentelemetry.exporter.otlp.http.metrics.OtlpHttpMetricExporter;
import io.opentelemetry.sdk.metrics.SdkMeterProvider;
import io.opentelemetry.sdk.metrics.export.PeriodicMetricReader;
import io.opentelemetry.sdk.resources.Resource;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Metrics over OTLP/HTTP, by OpenTelemetry's conventions for generative AI, which are still in development: how long
 * requests take, and under {@code jeton.cost} what they cost. Money is for alerts, not for invoices.
 *
 * <p>Labels are bounded: served models, a few operations and outcomes, and the tenants that {@link CostMetrics} names.
 * Sending is off the request's path; what an absent collector does not take is in the next report, since sums go on.
 */
public final class OtlpMetrics implements AutoCloseable {

    private static final double NANOS = 1e9;
    private static final Duration TIMEOUT = Duration.ofSeconds(5);
    private static final AttributeKey<String> OPERATION = AttributeKey.stringKey("gen_ai.operation.name");
    private static final AttributeKey<String> PROVIDER = AttributeKey.stringKey("gen_ai.provider.name");
    private static final AttributeKey<String> REQUEST_MODEL = AttributeKey.stringKey("gen_ai.request.model");
    private static final AttributeKey<String> RESPONSE_MODEL = AttributeKey.stringKey("gen_ai.response.model");
    private static final AttributeKey<String> ERROR = AttributeKey.stringKey("error.type");
    private static final AttributeKey<String> TENANT = AttributeKey.stringKey("jeton.tenant");
    private static final AttributeKey<String> CURRENCY = AttributeKey.stringKey("jeton.cost.currency");

    private static final List<Double> DURATIONS =
            List.of(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92);
    private static final List<Double> TO_FIRST_TOKEN =
            List.of(.001, .005, .01, .02, .04, .06, .08, .1, .25, .5, .75, 1.0, 2.5, 5.0, 7.5, 10.0);
    private static final List<Double> PER_OUTPUT_TOKEN =
            List.of(.01, .025, .05, .075, .1, .15, .2, .3, .4, .5, .75, 1.0, 2.5);

    private final SdkMeterProvider provider;
    private final DoubleHistogram duration;
    private final DoubleHistogram firstToken;
    private final DoubleHistogram outputToken;
    private final DoubleCounter list;
    private final DoubleCounter metered;
    private final DoubleCounter device;

    private OtlpMetrics(SdkMeterProvider provider) {
        this.provider = provider;
        Meter meter = provider.get("dev.jeton");
        duration = histogram(
                meter, "gen_ai.server.request.duration", "From a request to the end of its answer", DURATIONS);
        firstToken =
                histogram(meter, "gen_ai.server.time_to_first_token", "From submit to the first token", TO_FIRST_TOKEN);
        outputToken = histogram(
                meter,
                "gen_ai.server.time_per_output_token",
                "Time of each token after the first, by request",
                PER_OUTPUT_TOKEN);
        list = counter(meter, "jeton.cost.list", "List money of requests that ended", "{currency}");
        metered = counter(meter, "jeton.cost.metered_estimate", "What their device time comes to", "{currency}");
        device = counter(meter, "jeton.cost.device_time", "Device time of requests that ended", "s");
    }

    /**
     * Sends to a collector.
     *
     * @param endpoint its metrics' URL, as in {@code http://localhost:4318/v1/metrics}
     * @param service name of this service
     * @param interval between two reports
     */
    public static OtlpMetrics to(String endpoint, String service, Duration interval) {
        OtlpHttpMetricExporter exporter = OtlpHttpMetricExporter.builder()
                .setEndpoint(endpoint)
                .setTimeout(TIMEOUT)
                .setRetryPolicy(null) // the next report has it all
                .build();
        return new OtlpMetrics(SdkMeterProvider.builder()
                .setResource(Resource.getDefault()
                        .merge(Resource.create(Attributes.builder()
                                .put("service.name", service)
                                .build())))
                .registerMetricReader(PeriodicMetricReader.builder(exporter)
                        .setInterval(interval)
                        .build())
                .build());
    }

    private static DoubleHistogram histogram(Meter meter, String name, String meaning, List<Double> bounds) {
        return meter.histogramBuilder(name)
                .setDescription(meaning)
                .setUnit("s")
                .setExplicitBucketBoundariesAdvice(bounds)
                .build();
    }

    private static DoubleCounter counter(Meter meter, String name, String meaning, String unit) {
        return meter.counterBuilder(name)
                .ofDoubles()
                .setDescription(meaning)
                .setUnit(unit)
                .build();
    }

    /**
     * A request for a generation has ended.
     *
     * @param model a served model's name, or {@code unknown}
     * @param error what kind of failure it was; empty for none
     * @param nanos from when it was whole
     */
    public void request(String operation, String model, String error, long nanos) {
        AttributesBuilder of = generation(operation, model);
        duration.record(nanos / NANOS, (error.isEmpty() ? of : of.put(ERROR, error)).build());
    }

    /**
     * A request has been answered.
     *
     * @param firstTokenNanos from submit to its first token
     * @param decodeNanos from there to its last
     * @param tokens of all its sequences together
     * @param sequences how many those are; the conventions count the time between tokens from two tokens on
     */
    public void answered(
            String operation, String model, long firstTokenNanos, long decodeNanos, long tokens, int sequences) {
        if (tokens > 0) {
            Attributes of = generation(operation, model).build();
            firstToken.record(firstTokenNanos / NANOS, of);
            if (tokens > sequences) {
                outputToken.record(decodeNanos / NANOS * sequences / (tokens - sequences), of);
            }
        }
    }

    private static AttributesBuilder generation(String operation, String model) {
        return Attributes.builder()
                .put(OPERATION, operation)
                .put(PROVIDER, "jeton")
                .put(REQUEST_MODEL, model)
                .put(RESPONSE_MODEL, model);
    }

    /**
     * A request has ended and cost something.
     *
     * @param tenant one that may be a label
     */
    void cost(String tenant, String model, Bill bill) {
        Attributes of = Attributes.of(TENANT, tenant, REQUEST_MODEL, model, CURRENCY, bill.currency());
        list.add(Money.decimal(bill.list()).doubleValue(), of);
        metered.add(Money.decimal(bill.metered()).doubleValue(), of);
        device.add(bill.deviceNanos() / NANOS, Attributes.of(TENANT, tenant, REQUEST_MODEL, model));
    }

    /** Sends what is left, for a few seconds at most. */
    @Override
    public void close() {
        provider.shutdown().join(TIMEOUT.toMillis(), TimeUnit.MILLISECONDS);
    }
}
