package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.accounting.Ledger;
import dev.jeton.accounting.testing.PostgresServer;
import dev.jeton.server.config.Tenant;
import dev.jeton.server.testing.AdminClient;
import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Path;
import java.sql.SQLException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Two servers that share a budget in one PostgreSQL. A token is a byte. */
class SharedBudgetsOverHttpTest {

    private static final String KEY = "red-key";

    private static final String TENANTS = """
            metrics: {tenants: [red]}
            tenants:
              - {id: red, keys: [{id: app, sha256: "%s"}]}
            budgets:
              - {id: tokens, level: tenant, tenant: red, unit: output-tokens, window: total, limit: %d, shared: true}
            """;

    @TempDir
    private Path folder;

    private String url = "";

    @BeforeEach
    void makeADatabase() throws SQLException {
        Assumptions.assumeTrue(PostgresServer.shared().isPresent(), PostgresServer::missing);
        url = postgres().create();
        Ledger.migrate(url, PostgresServer.USER, "");
    }

    private static PostgresServer postgres() {
        return PostgresServer.shared().orElseThrow();
    }

    private TestServer server(String node, int limit) {
        return builder(node, limit).start();
    }

    private TestServer.Builder builder(String node, int limit) {
        return AdminClient.with(TestServer.builder(), folder)
                .set("books.folder", folder.resolve(node).toString())
                .set("books.node", node)
                .set("books.ledger", url)
                .set("books.user", PostgresServer.USER)
                .yaml(TENANTS.formatted(Tenant.Key.digest(KEY), limit))
                .replies(prompt -> new ByteTokenizer().encode("x".repeat(5_000), false));
    }

    private static Answer ask(TestServer server, int maxTokens, boolean stream) {
        return server.send(server.request("/v1/completions")
                .header("authorization", "Bearer " + KEY)
                .POST(BodyPublishers.ofString("""
                        {"model": "test-model", "prompt": "hi", "max_tokens": %d, "stream": %b}""".formatted(maxTokens, stream))));
    }

    private static long delivered(Answer answer) {
        if (answer.status() != 200) {
            return 0;
        }
        return answer.header("content-type").startsWith("text/event-stream")
                ? answer.streamed("choices.0.text", 0).length()
                : ((String) answer.at("choices.0.text")).length();
    }

    private static long race(List<TestServer> servers, int clients, int maxTokens) throws Exception {
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Callable<Answer>> all = new ArrayList<>();
            for (int i = 0; i < clients; i++) {
                TestServer server = servers.get(i % servers.size());
                boolean stream = i % 3 == 0;
                all.add(() -> ask(server, maxTokens, stream));
            }
            long sum = 0;
            for (Future<Answer> answer : threads.invokeAll(all)) {
                assertThat(answer.get().status()).isIn(200, 429);
                sum += delivered(answer.get());
            }
            return sum;
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 64, 1_000, 3_000})
    void clientsOfBothServersTogetherGetWhatTheBudgetHasAndNotATokenMore(int limit) throws Exception {
        try (TestServer a = server("a", limit);
                TestServer b = server("b", limit)) {
            long sum = race(List.of(a, b), 40, 100);
            // who came while the rest was on its way from one server to the other was told to come again
            for (int i = 0; i < 50 && sum < limit; i++) {
                sum += race(List.of(a, b), 2, 100);
            }
            assertThat(sum).isEqualTo(limit);
            for (TestServer server : List.of(a, b)) {
                Answer after = ask(server, 1, false);
                assertThat(after.status()).isEqualTo(429);
                assertThat(after.header("x-jeton-budget-reason")).isEqualTo("spent");
            }
        }
        try (Ledger ledger = Ledger.open(url, PostgresServer.USER, "")) {
            assertThat(ledger.verify()).isEmpty();
        }
    }

    @Test
    void whatAServerLeavesAtItsEndTheOtherSpendsAndBothShowTheSum() {
        try (TestServer b = server("b", 300)) {
            try (TestServer a = server("a", 300)) {
                assertThat(delivered(ask(a, 120, false))).isEqualTo(120);
            }
            Eventually.until("the other server's tokens are known", () -> used(b).equals("120"));
            assertThat(delivered(ask(b, 500, false))).isEqualTo(180);
            try (TestServer a = server("a", 300)) {
                assertThat(ask(a, 1, false).header("x-jeton-budget-reason")).isEqualTo("spent");
                Eventually.until("what both have used is known", () -> used(a).equals("300"));
                Answer budgets = budgets(a);
                assertThat(budgets.at("data.0.remaining")).isEqualTo("0");
                assertThat(budgets.at("data.0.shared.used_here")).isEqualTo("120");
                assertThat(budgets.at("data.0.shared.allotted_here")).isEqualTo("120");
            }
        }
    }

    @Test
    void whatOneAdminApiDecidesHoldsOnTheOtherServer() {
        try (TestServer a = server("a", 1_000);
                TestServer b = server("b", 1_000)) {
            AdminClient admin = new AdminClient(a);
            assertThat(delivered(ask(b, 10, false))).isEqualTo(10);
            assertThat(admin.post("budgets/tokens/kill", "{}").status()).isEqualTo(200);
            Eventually.until(
                    "the switch is thrown there, too", () -> ask(b, 1, false).status() == 429);
            assertThat(ask(b, 1, false).header("x-jeton-budget-reason")).isEqualTo("killed");
            admin.post("budgets/tokens/unkill", "{}");
            Eventually.until("and taken back", () -> ask(b, 1, false).status() == 200);
            admin.post(
                    "budgets",
                    "{'id':'calls','level':'key','tenant':'red','key':'app','unit':'requests','window':'total',"
                            + "'limit':1,'shared':true}");
            assertThat(ask(a, 1, false).status()).isEqualTo(200);
            assertThat(ask(a, 1, false).header("x-jeton-budget")).isEqualTo("calls");
            Answer shown = admin.get("budgets/calls");
            assertThat(shown.at("shared")).isEqualTo(true);
            assertThat(shown.at("counters.0.shared.charged")).isEqualTo("1");
        }
    }

    private static Answer budgets(TestServer server) {
        return server.send(server.request("/v1/budgets")
                .header("authorization", "Bearer " + KEY)
                .GET());
    }

    private static String used(TestServer server) {
        return String.valueOf(budgets(server).at("data.0.used"));
    }

    @Test
    void withoutTheDatabaseWhatWasAllottedIsSpentAndThenItSaysSo() {
        try (TestServer a = builder("a", 100_000).set("books.lease", "3s").start()) {
            ask(a, 400, false);
            assertThat(a.get("/metrics").body()).contains("jeton_budget_unheard 0.0");
            postgres().stop();
            try {
                Answer last = ask(a, 400, false);
                for (int i = 0; i < 200 && last.status() == 200; i++) {
                    last = ask(a, 400, false);
                }
                assertThat(last.status()).isEqualTo(503);
                assertThat(last.at("error.code")).isEqualTo("budget_unreachable");
                assertThat(last.header("x-jeton-budget")).isEqualTo("tokens");
                assertThat(last.header("retry-after")).isEqualTo("1");
                assertThat(a.get("/metrics").body())
                        .contains("jeton_budget_unheard 1.0")
                        .contains("jeton_budget_exchanges_total{outcome=\"failed\"}");
            } finally {
                postgres().start();
            }
            Eventually.until("it is served again", () -> ask(a, 10, false).status() == 200);
        }
    }
}
