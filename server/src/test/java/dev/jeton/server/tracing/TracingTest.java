package dev.jeton.server.tracing;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.Collector;
import dev.jeton.server.testing.TestServer;
import io.opentelemetry.proto.common.v1.AnyValue;
import io.opentelemetry.proto.trace.v1.Span;
import java.io.IOException;
import java.net.http.HttpRequest.BodyPublishers;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Spans as a collector receives them: over HTTP, read with OpenTelemetry's own protocol classes. */
class TracingTest {

    private static final String TRACE = "0af7651916cd43dd8448eb211c80319c";
    private static final String PARENT = "b7ad6b7169203331";

    private Collector collector;

    @BeforeEach
    void listen() throws IOException {
        collector = new Collector();
    }

    @AfterEach
    void stop() {
        collector.close();
    }

    private TestServer.Builder traced() {
        return TestServer.builder().set("tracing.endpoint", collector.url("traces"));
    }

    private static TestServer.Answer ask(TestServer server, String traceparent) {
        var request = server.request("/v1/completions").POST(BodyPublishers.ofString("""
                {"model": "test-model", "prompt": "say:hello", "max_tokens": 3, "temperature": 0.5}"""));
        return server.send(traceparent.isEmpty() ? request : request.header("traceparent", traceparent));
    }

    private Span named(String name) {
        return collector.spans().stream()
                .filter(span -> span.getName().equals(name))
                .findFirst()
                .orElseThrow(() -> new AssertionError("no span " + name + " among "
                        + collector.spans().stream().map(Span::getName).toList()));
    }

    private static Map<String, AnyValue> attributes(Span span) {
        return span.getAttributesList().stream().collect(Collectors.toMap(a -> a.getKey(), a -> a.getValue()));
    }

    @Test
    void tellsQueuePrefillAndDecodeUnderTheRequest() {
        try (TestServer server = traced().start()) {
            assertThat(ask(server, "").status()).isEqualTo(200);
        }
        Span request = named("text_completion test-model");
        assertThat(request.getKind()).isEqualTo(Span.SpanKind.SPAN_KIND_SERVER);
        long end = request.getStartTimeUnixNano();
        for (String part : List.of("queue", "prefill", "decode")) {
            Span span = named(part);
            assertThat(span.getParentSpanId()).as(part).isEqualTo(request.getSpanId());
            assertThat(span.getStartTimeUnixNano()).as(part).isGreaterThanOrEqualTo(end);
            end = span.getEndTimeUnixNano();
            assertThat(end).as(part).isGreaterThanOrEqualTo(span.getStartTimeUnixNano());
        }
        assertThat(end).isLessThanOrEqualTo(request.getEndTimeUnixNano());
    }

    @Test
    void carriesTheAttributesOfGenerativeModels() {
        try (TestServer server = traced().start()) {
            ask(server, "");
        }
        Map<String, AnyValue> attributes = attributes(named("text_completion test-model"));
        assertThat(attributes.get("gen_ai.provider.name").getStringValue()).isEqualTo("jeton");
        assertThat(attributes.get("gen_ai.operation.name").getStringValue()).isEqualTo("text_completion");
        assertThat(attributes.get("gen_ai.request.model").getStringValue()).isEqualTo("test-model");
        assertThat(attributes.get("gen_ai.request.max_tokens").getIntValue()).isEqualTo(3);
        assertThat(attributes.get("gen_ai.request.temperature").getDoubleValue())
                .isEqualTo(0.5);
        assertThat(attributes.get("gen_ai.usage.output_tokens").getIntValue()).isEqualTo(3);
        assertThat(attributes.get("gen_ai.usage.input_tokens").getIntValue()).isPositive();
        assertThat(attributes
                        .get("gen_ai.response.finish_reasons")
                        .getArrayValue()
                        .getValues(0)
                        .getStringValue())
                .isEqualTo("length");
    }

    @Test
    void continuesTheCallersTraceAndNamesItInTheAnswer() {
        try (TestServer server = traced().start()) {
            String header = "00-%s-%s-01".formatted(TRACE, PARENT);
            assertThat(ask(server, header).header("traceresponse")).startsWith("00-" + TRACE + "-");
        }
        Span request = named("text_completion test-model");
        assertThat(HexFormat.of().formatHex(request.getTraceId().toByteArray())).isEqualTo(TRACE);
        assertThat(HexFormat.of().formatHex(request.getParentSpanId().toByteArray()))
                .isEqualTo(PARENT);
    }

    @Test
    void recordsNothingThatTheCallerDidNotSample() {
        try (TestServer server = traced().start()) {
            ask(server, "00-%s-%s-00".formatted(TRACE, PARENT));
        }
        assertThat(collector.spans()).isEmpty();
    }

    @Test
    void takesABrokenContextForNone() {
        try (TestServer server = traced().start()) {
            assertThat(ask(server, "00-zz-1").status()).isEqualTo(200);
        }
        assertThat(named("text_completion test-model").getParentSpanId().isEmpty())
                .isTrue();
    }

    @Test
    void marksFailures() {
        try (TestServer server = traced().start()) {
            server.post("/v1/completions", "{\"model\": \"test-model\"}");
        }
        Span request = named("text_completion test-model");
        assertThat(attributes(request).get("error.type").getStringValue()).isEqualTo("client_error");
    }

    @Test
    void answersWhereNoCollectorListens() {
        collector.close();
        try (TestServer server = traced().start()) {
            assertThat(ask(server, "").status()).isEqualTo(200);
        }
    }
}
