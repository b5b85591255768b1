package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.config.Tenant;
import dev.jeton.server.json.Json;
import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.PrometheusText;
import dev.jeton.server.testing.RawClient;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.io.IOException;
import java.math.BigDecimal;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What callers see of the books. */
class BooksTest {

    private static final String PRICES = """
            currency: USD
            devices:
              - {name: "*", per-hour: 3.6}
            tariffs:
              - {model: "*", input: 1000, cached-input: 100, output: 2000}
            """;

    @TempDir
    private Path folder;

    private TestServer.Builder books() throws IOException {
        Path prices = Files.writeString(folder.resolve("prices.yaml"), PRICES);
        return TestServer.builder().set("books.folder", folder.toString()).set("books.prices", prices.toString());
    }

    private static Answer ask(TestServer server, String key, String more) {
        return server.send(server.request("/v1/completions")
                .header("authorization", "Bearer " + key)
                .POST(BodyPublishers.ofString("""
                        {"model": "test-model", "prompt": "say:hello", "max_tokens": 3%s}""".formatted(more))));
    }

    @Test
    void anAnswerSaysItsListPriceInBodyAndHeader() throws IOException {
        try (TestServer server = books().start()) {
            Answer answer = ask(server, "", "");
            long input = (Long) answer.at("usage.prompt_tokens");
            long output = (Long) answer.at("usage.completion_tokens");
            String list = (String) answer.at("usage.jeton.cost.list");
            assertThat(Double.parseDouble(list)).isEqualTo((input * 1_000 + output * 2_000) / 1e6);
            assertThat(answer.header("x-jeton-cost")).isEqualTo(list + " USD");
            assertThat(answer.header("x-jeton-request-id")).isNotEmpty();
            assertThat(answer.at("usage.jeton.cost.currency")).isEqualTo("USD");
        }
    }

    @Test
    void aStreamCarriesItsCostInTheUsageChunk() throws IOException {
        try (TestServer server = books().start()) {
            Answer answer = ask(server, "", ", \"stream\": true, \"stream_options\": {\"include_usage\": true}");
            List<String> events = answer.body()
                    .lines()
                    .filter(line -> line.startsWith("data: {"))
                    .map(line -> line.substring(6))
                    .toList();
            Object last = Json.parse(events.getLast());
            long input = (Long) TestServer.Answer.at(last, "usage.prompt_tokens");
            long output = (Long) TestServer.Answer.at(last, "usage.completion_tokens");
            assertThat(Double.parseDouble((String) TestServer.Answer.at(last, "usage.jeton.cost.list")))
                    .isEqualTo((input * 1_000 + output * 2_000) / 1e6);
        }
    }

    @Test
    void onlyOperatorsSeeWhatDependsOnOtherCallers() throws IOException {
        String yaml = """
                tenants:
                  - id: a
                    keys:
                      - {id: app, sha256: "%s"}
                      - {id: boss, sha256: "%s", scope: operator}
                """.formatted(Tenant.Key.digest("app-key"), Tenant.Key.digest("boss-key"));
        try (TestServer server = books().yaml(yaml).start()) {
            assertThat(ask(server, "app-key", "").body())
                    .contains("\"list\"")
                    .doesNotContain("metered")
                    .doesNotContain("margin")
                    .doesNotContain("joules")
                    .doesNotContain("device_ms");
            assertThat(ask(server, "boss-key", "").body())
                    .contains("\"metered_estimate\"", "\"margin_estimate\"", "\"joules_modelled\"", "\"device_ms\"");
        }
    }

    @Test
    void metricsNameOnlyTheTenantsThatTheConfigurationNames() throws IOException {
        String yaml = """
                metrics: {tenants: [a]}
                tenants:
                  - {id: a, keys: [{id: k, sha256: "%s"}]}
                  - {id: secret, keys: [{id: k, sha256: "%s"}]}
                """.formatted(Tenant.Key.digest("a-key"), Tenant.Key.digest("b-key"));
        try (TestServer server = books().yaml(yaml).start()) {
            ask(server, "a-key", "");
            ask(server, "b-key", "");
            // Counted once the answer is out.
            Eventually.until(
                    "both are counted",
                    () -> Stream.of("a", "other")
                            .allMatch(tenant -> server.get("/metrics")
                                    .body()
                                    .contains(
                                            "jeton_cost_list_total{currency=\"USD\",model=\"test-model\",tenant=\"%s\"}"
                                                    .formatted(tenant))));
            assertThat(server.get("/metrics").body()).doesNotContain("secret");
        }
    }

    /** What the books say of a request that the server ended after four of its tokens. */
    private Answer late(String fields) throws Exception {
        try (TestServer server = books().set("limits.request-timeout", "20ms").start()) {
            server.engine().hold();
            CompletableFuture<Answer> answer = CompletableFuture.supplyAsync(() -> server.complete(fields));
            server.engine().allow(4);
            Eventually.until("it has some tokens", () -> server.engine().stepsRun() == 4 || answer.isDone());
            long since = System.nanoTime();
            Eventually.until("its time is over", () -> System.nanoTime() - since > 20_000_000);
            server.engine().release();
            assertThat(answer.get().body()).contains("deadline_exceeded");
            Eventually.until(
                    "it is booked",
                    () -> server.get("/v1/books/requests").body().contains("stopped"));
            return server.get("/v1/books/requests");
        }
    }

    @Test
    void anAnswerThatTheServerEndedBeforeAnyOfItWasSentOwesNothing() throws Exception {
        Answer requests = late("");
        assertThat(requests.at("data.0.cost.list")).isEqualTo("0");
        assertThat(requests.at("data.0.tokens.input")).isEqualTo(0L);
        assertThat(requests.at("data.0.tokens.output")).isEqualTo(0L);
    }

    @Test
    void whatACancelledRequestCostIsInTheMetricsAsInTheBooks() throws IOException {
        try (TestServer server = books().start()) {
            server.engine().hold();
            try (RawClient client = new RawClient(server.port())) {
                client.post("/v1/completions", "{'model':'test-model','prompt':'hi','max_tokens':20,'stream':true}");
                server.engine().allow(4);
                Eventually.until("four steps ran", () -> server.engine().stepsRun() == 4);
            }
            Eventually.until(
                    "the connection is gone",
                    () -> server.get("/metrics").body().contains("jeton_connections 1.0"));
            server.engine().release();
            Eventually.until(
                    "it is booked",
                    () -> server.get("/v1/books/requests").body().contains("cancelled"));
            String list = (String) server.get("/v1/books/requests").at("data.0.cost.list");

            assertThat(new BigDecimal(list)).isPositive();
            PrometheusText metrics = PrometheusText.parse(server.get("/metrics").body());
            assertThat(metrics.value("jeton_cost_list_total", "tenant=\"other\""))
                    .isEqualTo(Double.parseDouble(list));
            assertThat(metrics.value("jeton_cost_device_seconds_total")).isPositive();
        }
    }

    @Test
    void wrongLabelsAreRefusedBeforeAnythingIsBooked() throws IOException {
        try (TestServer server = books().start()) {
            Answer answer = server.send(server.request("/v1/completions")
                    .header("x-jeton-labels", "team")
                    .POST(BodyPublishers.ofString("{\"model\": \"test-model\", \"prompt\": \"x\"}")));
            assertThat(answer.status()).isEqualTo(400);
            assertThat(answer.body()).contains("X-Jeton-Labels");
        }
    }

    @Test
    void aServerStartsAgainOnTheBooksOfTheLastRun() throws IOException {
        try (TestServer server = books().start()) {
            assertThat(ask(server, "", "").status()).isEqualTo(200);
        }
        try (TestServer server = books().start()) {
            assertThat(ask(server, "", "").status()).isEqualTo(200);
        }
    }
}
