package dev.jeton.server.admin;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.config.Tenant;
import dev.jeton.server.testing.AdminClient;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Budgets over the admin API. */
class AdminBudgetsTest {

    private static final String YAML = """
            tenants:
              - {id: filed, projects: [web], keys: [{id: app, sha256: "%s"}]}
            budgets:
              - {id: filed-day, level: tenant, tenant: filed, unit: output-tokens, window: day, limit: 1000}
            """.formatted(Tenant.Key.digest("filed-key"));
    private static final String PREPAID =
            "{'id':'paid','level':'tenant','tenant':'filed','unit':'device-seconds','window':'prepaid'}";

    @TempDir
    private Path folder;

    private TestServer server;
    private AdminClient admin;

    @BeforeEach
    void start() {
        server = AdminClient.in(folder).yaml(YAML).start();
        admin = new AdminClient(server);
    }

    @AfterEach
    void stop() {
        server.close();
    }

    private static Answer expect(int status, Answer answer) {
        assertThat(answer.status()).as(answer.body()).isEqualTo(status);
        return answer;
    }

    private static void assertError(Answer answer, int status, String text) {
        assertThat(String.valueOf(expect(status, answer).at("error.message"))).contains(text);
    }

    private void restart() {
        server.close();
        start();
    }

    @Test
    void aBudgetIsMadeReadChangedAndDeleted() {
        String budget = "'level':'key','tenant':'filed','key':'*','unit':'list-money','window':'month',"
                + "'timezone':'Europe/Berlin','currency':'USD','ladder':[{'shorter':{'at-least':4}},"
                + "{'cheaper':{'model':'test-model'}}]";
        Answer made = expect(201, admin.post("budgets", "{'id':'b','limit':25.5," + budget + "}"));
        assertThat(made.at("limit")).isEqualTo("25.5");
        assertThat(made.at("project")).isEqualTo("*");
        assertThat(made.at("source")).isEqualTo("admin");
        Answer changed = expect(
                200, admin.call("PUT", "budgets/b", ("{'limit':'30.000000001'," + budget + "}").replace('\'', '"')));
        assertThat(changed.at("limit")).isEqualTo("30.000000001");
        restart();
        assertThat(admin.get("budgets/b").body())
                .startsWith(changed.body().substring(0, changed.body().length() - 1));
        assertThat(admin.get("budgets").at("data.1.id")).isEqualTo("b");
        expect(200, admin.delete("budgets/b"));
        expect(404, admin.get("budgets/b"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "'tenant':'filed' | 'tenant':'field' | no tenant 'field'; did you mean 'filed'?",
                "'limit':5 | 'limit':'5 EUR' | 'limit' must be a decimal",
                "'limit':5 | 'limit':-1 | 'limit' must not be negative",
                "'limit':5 | 'limit':true | 'limit' must be a number",
                "'limit':5 | 'limit':5,'killed':true | 'killed' is nothing that a budget has",
                "'unit':'requests' | 'unit':'list-money','currency':'EUR' | price book is in USD",
                "'unit':'requests' | 'unit':'list-money' | 'currency' is missing",
                "'unit':'requests' | 'unit':'list-money','currency':'euro' | code of ISO 4217",
                "'limit':5 | 'limit':5,'ladder':[{'cheaper':{'model':'test-modle'}}] | did you mean 'test-model'?",
                "'limit':5 | 'limit':5,'timezone':'Berlin' | no name of a timezone",
                "'id':'b' | 'id':'filed-day' | already",
            })
    void aBudgetThatCannotBeMeantIsRefused(String part, String other, String message) {
        String budget = "{'id':'b','level':'tenant','tenant':'filed','unit':'requests','window':'day','limit':5}";
        Answer answer = admin.post("budgets", budget.replace(part, other));
        assertThat(answer.status()).isIn(400, 409);
        assertThat(String.valueOf(answer.at("error.message"))).contains(message);
        assertThat(admin.get("policy").at("version")).isEqualTo(1L);
    }

    @Test
    void whatABudgetCountsStays() {
        String budget = "{'id':'b','level':'tenant','tenant':'filed','unit':'requests','window':'day','limit':5}";
        admin.post("budgets", budget);
        String[][] changes = {
            {"'requests'", "'tool-calls'"}, {"'day'", "'hour'"}, {"'tenant':'filed'", "'tenant':'*'"}, {"'b'", "'c'"}
        };
        for (String[] change : changes) {
            Answer answer = admin.call(
                    "PUT", "budgets/b", budget.replace(change[0], change[1]).replace('\'', '"'));
            expect(400, answer);
        }
        assertThat(admin.get("budgets/b").at("unit")).isEqualTo("requests");
    }

    @Test
    void aTopUpIsPaidInOnceHoweverOftenItIsAsked() {
        expect(201, admin.post("budgets", PREPAID));
        String topUp = "{'id':'invoice-1','amount':'1.5','expires':'2099-01-01'}";
        for (int i = 0; i < 3; i++) {
            Answer paid = expect(200, admin.post("budgets/paid/topups", topUp));
            assertThat(paid.at("top_ups.0.amount")).isEqualTo("1.5");
            assertThat(paid.at("top_ups.0.expires")).isEqualTo("2099-01-01T00:00:00Z");
            assertThat(paid.at("top_ups.1")).isNull();
        }
        assertThat(admin.get("policy").at("version")).isEqualTo(3L);
        assertError(admin.post("budgets/paid/topups", topUp.replace("1.5", "2")), 409, "another amount");
        assertError(admin.post("budgets/paid/topups", "{'id':'x','amount':0}"), 400, "more than 0");
        assertError(admin.post("budgets/paid/topups", "{'id':'x','amount':1,'expires':'2020-01-01'}"), 400, "is past");
        assertError(
                admin.post("budgets/paid/topups", "{'id':'x','amount':9223372036}"), 400, "more than can be counted");
        assertError(admin.post("budgets/filed-day/topups", "{'id':'x','amount':1}"), 409, "only a prepaid one");
        restart();
        assertThat(admin.get("budgets/paid").at("top_ups.0.id")).isEqualTo("invoice-1");
    }

    @Test
    void graceIsBoundedAndHasAReason() {
        assertError(admin.post("budgets/filed-day/grace", "{'amount':100,'for':'1h'}"), 400, "'reason' is missing");
        assertError(
                admin.post("budgets/filed-day/grace", "{'amount':201,'for':'1h','reason':'x'}"),
                400,
                "at most 200, 20%");
        assertError(
                admin.post("budgets/filed-day/grace", "{'amount':200,'for':'25h','reason':'x'}"), 400, "at most 24h");
        assertError(
                admin.post("budgets/filed-day/grace", "{'amount':200,'for':'0s','reason':'x'}"), 400, "more than 0");
        Answer given = expect(200, admin.post("budgets/filed-day/grace", "{'amount':200,'for':'24h','reason':'demo'}"));
        assertThat(given.at("grace.amount")).isEqualTo("200");
        assertThat(admin.get("audit?after=1").at("data.0.reason")).isEqualTo("demo");
        restart();
        assertThat(admin.get("budgets/filed-day").at("grace.amount")).isEqualTo("200");
        assertThat(expect(200, admin.delete("budgets/filed-day/grace")).at("grace"))
                .isNull();
    }

    @Test
    void theKillSwitchIsThrownAndTakenBack() {
        assertThat(admin.post("budgets/filed-day/kill", "{'reason':'leak'}").at("killed"))
                .isEqualTo(true);
        long version = (Long) admin.get("policy").at("version");
        assertThat(admin.post("budgets/filed-day/kill", "").status()).isEqualTo(200);
        assertThat(admin.get("policy").at("version")).as("it was so already").isEqualTo(version);
        restart();
        assertThat(admin.get("budgets/filed-day").at("killed")).isEqualTo(true);
        assertThat(admin.post("budgets/filed-day/unkill", "").at("killed")).isEqualTo(false);
    }

    private Answer complete(int tokens) {
        return server.send(server.request("/v1/completions")
                .header("authorization", "Bearer filed-key")
                .POST(BodyPublishers.ofString(
                        "{\"model\": \"test-model\", \"prompt\": \"hi\", \"max_tokens\": %d}".formatted(tokens))));
    }

    @Test
    void aBudgetHoldsFromTheMomentItIsMadeToTheMomentItIsGone() {
        expect(200, complete(6));
        admin.post(
                "budgets",
                "{'id':'b','level':'key','tenant':'filed','key':'app','unit':'output-tokens',"
                        + "'window':'total','limit':10}");
        expect(200, complete(6));
        Answer last = expect(200, complete(6));
        assertThat(last.at("usage.completion_tokens")).isEqualTo(4L);
        Answer refused = expect(429, complete(6));
        assertThat(refused.body()).contains("'b'");
        Answer counted = admin.get("budgets/b");
        assertThat(counted.at("counters.0.spent")).isEqualTo("10");
        assertThat(counted.at("counters.0.available")).isEqualTo("0");
        admin.call(
                "PUT",
                "budgets/b",
                "{\"level\":\"key\",\"tenant\":\"filed\",\"key\":\"app\",\"unit\":\"output-tokens\","
                        + "\"window\":\"total\",\"limit\":20}");
        expect(200, complete(6));
        admin.delete("budgets/b");
        expect(200, complete(60));
    }

    @Test
    void aKilledBudgetRefusesUntilItIsNot() {
        admin.post("budgets/filed-day/kill", "");
        expect(429, complete(2));
        admin.post("budgets/filed-day/unkill", "");
        expect(200, complete(2));
    }

    @Test
    void whatWasPaidInIsSpent() {
        admin.post(
                "budgets", "{'id':'paid','level':'tenant','tenant':'filed','unit':'output-tokens','window':'prepaid'}");
        expect(429, complete(2));
        admin.post("budgets/paid/topups", "{'id':'one','amount':2}");
        expect(200, complete(2));
        expect(429, complete(2));
    }
}
