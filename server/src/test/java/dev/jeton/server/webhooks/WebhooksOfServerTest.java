package dev.jeton.server.webhooks;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.config.Tenant;
import dev.jeton.server.json.Json;
import dev.jeton.server.testing.AdminClient;
import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Events of a whole server. */
class WebhooksOfServerTest {

    private static final String YAML = """
            tenants:
              - {id: acme, keys: [{id: app, sha256: "%s"}]}
            budgets:
              - {id: acme-day, level: tenant, tenant: acme, unit: output-tokens, window: day, limit: 10, mode: soft}
            """.formatted(Tenant.Key.digest("acme-key"));

    @TempDir
    private Path folder;

    private TestServer server(TestReceiver receiver) {
        return AdminClient.in(folder)
                .yaml(YAML)
                .set("webhooks.url", receiver.url("/hook"))
                .set("webhooks.secret", "whsec_" + Base64.getEncoder().encodeToString(new byte[32]))
                .start();
    }

    private static List<Object> events(TestReceiver receiver, String type) {
        return receiver.got().stream()
                .map(got -> Json.parse(got.body()))
                .filter(event -> type.equals(Answer.at(event, "type")))
                .toList();
    }

    @Test
    void whatIsSpentIsTold() {
        try (TestReceiver receiver = new TestReceiver((got, earlier) -> 200);
                TestServer server = server(receiver)) {
            Answer answer = server.send(server.request("/v1/completions")
                    .header("authorization", "Bearer acme-key")
                    .POST(BodyPublishers.ofString(
                            "{\"model\": \"test-model\", \"prompt\": \"hi\", \"max_tokens\": 6}")));
            assertThat(answer.status()).isEqualTo(200);
            Eventually.until(
                    "half is spent",
                    () -> events(receiver, "budget.threshold").stream()
                            .anyMatch(event -> Long.valueOf(50).equals(Answer.at(event, "data.percent"))));
            assertThat(server.get("/metrics").body()).contains("jeton_webhook_deliveries_total{outcome=\"delivered\"}");
        }
    }

    @Test
    void whatAnOperatorDoesToABudgetIsTold() {
        try (TestReceiver receiver = new TestReceiver((got, earlier) -> 200);
                TestServer server = server(receiver)) {
            AdminClient admin = new AdminClient(server);
            admin.post("budgets/acme-day/grace", "{'amount':2,'for':'1h','reason':'demo'}");
            admin.post("budgets/acme-day/kill", "{'reason':'leak'}");
            Eventually.until(
                    "both are told",
                    () -> events(receiver, "budget.killed").size() == 1
                            && events(receiver, "budget.grace").size() == 1);
            Object killed = events(receiver, "budget.killed").getFirst();
            assertThat(Answer.at(killed, "data.budget")).isEqualTo("acme-day");
            assertThat(Answer.at(killed, "data.by")).isEqualTo("ops");
            assertThat(Answer.at(killed, "data.reason")).isEqualTo("leak");
            Eventually.until(
                    "it is counted",
                    () -> Long.valueOf(2).equals(admin.get("webhooks").at("delivered")));
        }
    }
}
