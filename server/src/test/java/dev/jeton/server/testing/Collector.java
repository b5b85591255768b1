package dev.jeton.server.testing;

import com.google.protobuf.MessageLite;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest;
import io.opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceResponse;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceRequest;
import io.opentelemetry.proto.collector.trace.v1.ExportTraceServiceResponse;
import io.opentelemetry.proto.metrics.v1.Metric;
import io.opentelemetry.proto.trace.v1.Span;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;

/** A collector: takes OTLP over HTTP, read with OpenTelemetry's own protocol classes. */
public final class Collector implements AutoCloseable {

    private final List<Span> spans = new CopyOnWriteArrayList<>();
    private final List<Metric> metrics = new CopyOnWriteArrayList<>();
    private final HttpServer server;

    public Collector() throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/v1/traces", exchange -> {
            ExportTraceServiceRequest.parseFrom(exchange.getRequestBody().readAllBytes())
                    .getResourceSpansList()
                    .forEach(resource ->
                            resource.getScopeSpansList().forEach(scope -> spans.addAll(scope.getSpansList())));
            answer(exchange, ExportTraceServiceResponse.getDefaultInstance());
        });
        server.createContext("/v1/metrics", exchange -> {
            ExportMetricsServiceRequest.parseFrom(exchange.getRequestBody().readAllBytes())
                    .getResourceMetricsList()
                    .forEach(resource ->
                            resource.getScopeMetricsList().forEach(scope -> metrics.addAll(scope.getMetricsList())));
            answer(exchange, ExportMetricsServiceResponse.getDefaultInstance());
        });
        server.start();
    }

    private static void answer(HttpExchange exchange, MessageLite answer) throws IOException {
        byte[] bytes = answer.toByteArray();
        exchange.getResponseHeaders().set("content-type", "application/x-protobuf");
        exchange.sendResponseHeaders(200, bytes.length == 0 ? -1 : bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }

    /** Its URL for {@code traces} or {@code metrics}. */
    public String url(String signal) {
        return "http://127.0.0.1:%d/v1/%s".formatted(server.getAddress().getPort(), signal);
    }

    /** Spans received until now. */
    public List<Span> spans() {
        return spans;
    }

    /** Metrics received until now, report after report. */
    public List<Metric> metrics() {
        return metrics;
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
