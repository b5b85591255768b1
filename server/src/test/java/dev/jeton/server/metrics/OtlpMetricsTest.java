package dev.jeton.server.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import dev.jeton.models.VectorSpec;
import dev.jeton.server.config.Tenant;
import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.Collector;
import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.PrometheusText;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import io.opentelemetry.proto.common.v1.KeyValue;
import io.opentelemetry.proto.metrics.v1.AggregationTemporality;
import io.opentelemetry.proto.metrics.v1.HistogramDataPoint;
import io.opentelemetry.proto.metrics.v1.Metric;
import io.opentelemetry.proto.metrics.v1.NumberDataPoint;
import java.io.IOException;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Metrics as a collector receives them. */
class OtlpMetricsTest {

    private static final String PRICES = """
            currency: USD
            devices:
              - {name: "*", per-hour: 3.6}
            tariffs:
              - {model: "*", input: 1000, output: 2000}
            """;

    @TempDir
    private Path folder;

    private Collector collector;

    @BeforeEach
    void listen() throws IOException {
        collector = new Collector();
    }

    @AfterEach
    void stop() {
        collector.close();
    }

    /** One that reports only at its end. */
    private TestServer.Builder exporting() {
        return TestServer.builder()
                .set("metrics.endpoint", collector.url("metrics"))
                .set("metrics.interval", "1h");
    }

    private Metric named(String name) {
        return collector.metrics().stream()
                .filter(metric -> metric.getName().equals(name))
                .findFirst()
                .orElseThrow(() -> new AssertionError("no metric " + name + " among "
                        + collector.metrics().stream().map(Metric::getName).toList()));
    }

    private static Map<String, String> attributes(List<KeyValue> attributes) {
        return attributes.stream()
                .collect(Collectors.toMap(
                        KeyValue::getKey, attribute -> attribute.getValue().getStringValue()));
    }

    private static final Map<String, String> CHAT = Map.of(
            "gen_ai.operation.name",
            "chat",
            "gen_ai.provider.name",
            "jeton",
            "gen_ai.request.model",
            TestServer.MODEL,
            "gen_ai.response.model",
            TestServer.MODEL);

    @Test
    void tellsHowLongGenerationsTookByTheConventions() {
        try (TestServer server = exporting().start()) {
            for (int i = 0; i < 3; i++) {
                server.chat("'max_tokens':4");
            }
        }
        for (String name : List.of(
                "gen_ai.server.request.duration",
                "gen_ai.server.time_to_first_token",
                "gen_ai.server.time_per_output_token")) {
            Metric metric = named(name);
            assertThat(metric.getUnit()).as(name).isEqualTo("s");
            HistogramDataPoint point = metric.getHistogram().getDataPoints(0);
            assertThat(point.getCount()).as(name).isEqualTo(3);
            assertThat(point.getSum()).as(name).isPositive();
            assertThat(attributes(point.getAttributesList())).as(name).isEqualTo(CHAT);
        }
        assertThat(named("gen_ai.server.request.duration")
                        .getHistogram()
                        .getDataPoints(0)
                        .getExplicitBoundsList())
                .hasSize(14)
                .startsWith(0.01, 0.02)
                .endsWith(81.92);
        assertThat(named("gen_ai.server.time_to_first_token")
                        .getHistogram()
                        .getDataPoints(0)
                        .getExplicitBoundsList())
                .hasSize(16)
                .endsWith(10.0);
        assertThat(named("gen_ai.server.time_per_output_token")
                        .getHistogram()
                        .getDataPoints(0)
                        .getExplicitBoundsList())
                .hasSize(13)
                .endsWith(2.5);
    }

    @Test
    void tellsHowLongEmbeddingsTook() {
        VectorSpec spec = new VectorSpec(
                VectorSpec.Kind.EMBEDDING,
                "Test",
                ByteTokenizer.SIZE,
                64,
                4,
                4,
                List.of(),
                List.of(),
                VectorSpec.Scores.NONE,
                0,
                -1,
                "");
        try (TestServer server =
                exporting().vectors(spec, tokens -> new float[] {1, 2, 3, 4}).start()) {
            server.post("/v1/embeddings", "{'model':'" + TestServer.MODEL + "','input':'abc'}");
        }
        HistogramDataPoint point =
                named("gen_ai.server.request.duration").getHistogram().getDataPoints(0);
        assertThat(point.getCount()).isEqualTo(1);
        assertThat(attributes(point.getAttributesList())).containsEntry("gen_ai.operation.name", "embeddings");
    }

    @Test
    void aFailureIsADurationWithItsKindAndNoTimeOfTokens() {
        try (TestServer server = exporting().start()) {
            server.post("/v1/chat/completions", "{'model':'" + TestServer.MODEL + "'}");
            server.get("/v1/models");
        }
        List<HistogramDataPoint> points =
                named("gen_ai.server.request.duration").getHistogram().getDataPointsList();
        assertThat(points).hasSize(1);
        assertThat(attributes(points.getFirst().getAttributesList())).containsEntry("error.type", "client_error");
        assertThat(collector.metrics()).extracting(Metric::getName).doesNotContain("gen_ai.server.time_to_first_token");
    }

    @Test
    void anOutputOfOneTokenHasNoTimeBetweenTokens() {
        try (TestServer server = exporting().start()) {
            server.chat("'max_tokens':1");
        }
        assertThat(collector.metrics())
                .extracting(Metric::getName)
                .contains("gen_ai.server.time_to_first_token")
                .doesNotContain("gen_ai.server.time_per_output_token");
    }

    @Test
    void moneyIsToldByTheTenantsThatTheConfigurationNames() throws IOException {
        String yaml = """
                metrics: {tenants: [a]}
                tenants:
                  - {id: a, keys: [{id: k, sha256: "%s"}]}
                  - {id: secret, keys: [{id: k, sha256: "%s"}]}
                  - {id: hidden, keys: [{id: k, sha256: "%s"}]}
                """.formatted(Tenant.Key.digest("a-key"), Tenant.Key.digest("b-key"), Tenant.Key.digest("c-key"));
        Path prices = Files.writeString(folder.resolve("prices.yaml"), PRICES);
        double each = 0;
        try (TestServer server = exporting()
                .yaml(yaml)
                .set("books.folder", folder.toString())
                .set("books.prices", prices.toString())
                .start()) {
            for (String key : List.of("a-key", "b-key", "c-key")) {
                Answer answer = server.send(server.request("/v1/completions")
                        .header("authorization", "Bearer " + key)
                        .POST(BodyPublishers.ofString(
                                "{\"model\": \"test-model\", \"prompt\": \"say:hello\", \"max_tokens\": 3}")));
                each = Double.parseDouble((String) answer.at("usage.jeton.cost.list"));
            }
            Eventually.until(
                    "all are counted",
                    () -> PrometheusText.parse(server.get("/metrics").body())
                                    .value("jeton_requests_total", "endpoint=\"completions\"", "outcome=\"ok\"")
                            == 3);
        }
        Metric list = named("jeton.cost.list");
        assertThat(list.getSum().getIsMonotonic()).isTrue();
        assertThat(list.getSum().getAggregationTemporality())
                .isEqualTo(AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE);
        Map<String, Double> byTenant = list.getSum().getDataPointsList().stream()
                .collect(Collectors.toMap(
                        point -> attributes(point.getAttributesList()).getOrDefault("jeton.tenant", ""),
                        NumberDataPoint::getAsDouble));
        assertThat(byTenant.keySet()).containsExactlyInAnyOrder("a", "other");
        assertThat(byTenant.get("a")).isCloseTo(each, within(1e-9));
        assertThat(byTenant.get("other")).isCloseTo(2 * each, within(1e-9));
        assertThat(attributes(list.getSum().getDataPoints(0).getAttributesList()))
                .containsEntry("jeton.cost.currency", "USD")
                .containsEntry("gen_ai.request.model", TestServer.MODEL);
        for (String name : List.of("jeton.cost.metered_estimate", "jeton.cost.device_time")) {
            assertThat(named(name).getSum().getDataPointsList())
                    .as(name)
                    .hasSize(2)
                    .allSatisfy(point -> assertThat(point.getAsDouble()).isPositive());
        }
    }

    @Test
    void answersWhereNoCollectorListens() {
        String url = collector.url("metrics");
        collector.close();
        try (TestServer server =
                TestServer.builder().set("metrics.endpoint", url).start()) {
            assertThat(server.chat("").status()).isEqualTo(200);
        }
    }
}
