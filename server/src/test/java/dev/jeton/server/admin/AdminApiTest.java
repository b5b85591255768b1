package dev.jeton.server.admin;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.api.Route;
import dev.jeton.server.config.Tenant;
import dev.jeton.server.testing.AdminClient;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.net.URI;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The admin API over HTTP, beside a server that answers requests. */
class AdminApiTest {

    private static final String PRICES = """
            currency: EUR
            tariffs:
              - {model: "*", input: 1000, output: 2000}
            """;
    private static final String YAML = """
            tenants:
              - {id: filed, projects: [web], keys: [{id: app, sha256: "%s"}]}
            budgets:
              - {id: filed-day, level: tenant, tenant: filed, unit: output-tokens, window: day, limit: 1000}
            """.formatted(Tenant.Key.digest("filed-key"));

    @TempDir
    private Path folder;

    private TestServer server;
    private AdminClient admin;

    @BeforeEach
    void start() throws Exception {
        Files.writeString(folder.resolve("prices.yaml"), PRICES);
        server = builder().start();
        admin = new AdminClient(server);
    }

    private TestServer.Builder builder() {
        return AdminClient.in(folder)
                .yaml(YAML)
                .set("books.prices", folder.resolve("prices.yaml").toString());
    }

    private void restart() {
        server.close();
        server = builder().start();
        admin = new AdminClient(server);
    }

    @AfterEach
    void stop() {
        server.close();
    }

    private Answer complete(String key) {
        return server.send(server.request("/v1/completions")
                .header("authorization", "Bearer " + key)
                .POST(BodyPublishers.ofString("{\"model\": \"test-model\", \"prompt\": \"hi\", \"max_tokens\": 2}")));
    }

    private Answer report(String key) {
        return server.send(server.request("/v1/books/report")
                .header("authorization", "Bearer " + key)
                .GET());
    }

    private String newKey(String tenant, String fields) {
        Answer answer = admin.post("tenants/" + tenant + "/keys", "{'id':'k'" + fields + "}");
        assertThat(answer.status()).as(answer.body()).isEqualTo(201);
        return (String) answer.at("secret");
    }

    private static void assertError(Answer answer, int status, String text) {
        assertThat(answer.status()).as(answer.body()).isEqualTo(status);
        assertThat(String.valueOf(answer.at("error.message"))).contains(text);
    }

    @Test
    void aNewKeyWorksAtOnceAndADeletedOneIsRefusedAtOnce() {
        assertThat(admin.post("tenants", "{'id':'acme','name':'Acme','projects':['web']}")
                        .status())
                .isEqualTo(201);
        String secret = newKey("acme", ",'project':'web'");
        assertThat(secret).startsWith("jt-").hasSize(67);
        assertThat(complete(secret).status()).isEqualTo(200);
        assertThat(admin.delete("tenants/acme/keys/k").at("deleted")).isEqualTo(true);
        assertError(complete(secret), 401, "not one of this server's");
    }

    @Test
    void aSecretIsShownOnceAndKeptNowhere() throws Exception {
        String secret = newKey("filed", "");
        assertThat(admin.get("tenants/filed/keys/k").body())
                .doesNotContain(secret)
                .contains(Tenant.Key.digest(secret));
        assertThat(admin.get("audit").body()).doesNotContain(secret);
        assertThat(admin.get("policy").body()).doesNotContain(secret);
        server.close();
        try (var files = Files.walk(folder)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                assertThat(new String(Files.readAllBytes(file), java.nio.charset.StandardCharsets.ISO_8859_1))
                        .as(file.toString())
                        .doesNotContain(secret);
            }
        }
    }

    @Test
    void whatWasDecidedHoldsAfterARestart() {
        String secret = newKey("filed", "");
        admin.post("tenants", "{'id':'acme'}");
        restart();
        assertThat(complete(secret).status()).isEqualTo(200);
        assertThat(admin.get("tenants/acme").status()).isEqualTo(200);
    }

    @Test
    void aRotatedKeyHasTwoSecretsUntilTheOverlapEndsAndOneWithoutOverlap() {
        String first = newKey("filed", "");
        String second = (String)
                admin.post("tenants/filed/keys/k/rotate", "{'overlap':'1h'}").at("secret");
        assertThat(complete(first).status()).isEqualTo(200);
        assertThat(complete(second).status()).isEqualTo(200);
        String third = (String)
                admin.post("tenants/filed/keys/k/rotate", "{'overlap':'0s'}").at("secret");
        assertThat(complete(first).status()).isEqualTo(401);
        assertThat(complete(second).status()).isEqualTo(401);
        assertThat(complete(third).status()).isEqualTo(200);
    }

    @Test
    void aKeyDoesWhatItsScopeSays() {
        String secret = newKey("filed", ",'scope':'inference'");
        assertThat(complete(secret).status()).isEqualTo(200);
        assertError(report(secret), 403, "scope inference");
        admin.patch("tenants/filed/keys/k", "{'scope':'reports'}");
        assertError(complete(secret), 403, "scope reports");
        assertThat(report(secret).status()).isIn(200, 503);
    }

    @Test
    void disabledKeysAndTenantsAreRefusedUntilTheyAreEnabled() {
        String secret = newKey("filed", "");
        admin.patch("tenants/filed/keys/k", "{'disabled':true}");
        assertError(complete(secret), 401, "disabled");
        admin.patch("tenants/filed/keys/k", "{'disabled':false}");
        assertThat(complete(secret).status()).isEqualTo(200);
        admin.post("tenants", "{'id':'acme'}");
        String other = newKey("acme", "");
        admin.patch("tenants/acme", "{'disabled':true}");
        assertError(complete(other), 403, "disabled");
    }

    @Test
    void newPricesHoldForTheNextRequest() {
        assertThat(complete("filed-key").header("x-jeton-cost")).isEqualTo("0.007 EUR");
        Answer put = admin.call("PUT", "prices", PRICES.replace("1000", "3000").replace("2000", "4000"));
        assertThat(put.at("in_force")).as(put.body()).isEqualTo(true);
        assertThat(complete("filed-key").header("x-jeton-cost")).isEqualTo("0.017 EUR");
        restart();
        assertThat(complete("filed-key").header("x-jeton-cost")).isEqualTo("0.017 EUR");
        assertThat(admin.delete("prices").at("source")).isEqualTo("file");
        assertThat(complete("filed-key").header("x-jeton-cost")).isEqualTo("0.007 EUR");
    }

    @Test
    void pricesThatCannotFollowAreRefused() {
        assertError(admin.call("PUT", "prices", PRICES.replace("EUR", "USD")), 409, "'currency' (EUR, not USD)");
        assertError(admin.call("PUT", "prices", PRICES + "devices: [{name: cpu, per-hour: 1}]"), 409, "restart");
        assertError(admin.call("PUT", "prices", "currency: EUR\ntarifs: []"), 400, "prices:2: 'tarifs'");
        assertError(admin.call("PUT", "prices", "x".repeat(1_100_000)), 400, "larger than 1,048,576 bytes");
        assertThat(admin.call("PUT", "prices", "x".repeat(3_000_000)).status()).isEqualTo(413);
        assertThat(admin.get("prices").body()).isEqualTo(PRICES);
    }

    @Test
    void aReservationIsAPartOfThePriceBook() {
        Answer made = admin.post("reservations", "{'tenant':'filed','device':'cpu','share':0.5,'from':'2026-11-01'}");
        assertThat(made.status()).as(made.body()).isEqualTo(201);
        assertThat(made.at("data.0.share")).isEqualTo("0.5");
        assertThat(admin.get("prices").body()).startsWith(PRICES).contains("reservations:");
        assertError(admin.post("reservations", "{'tenant':'filed','device':'cpu*','share':0.6}"), 400, "more than 1");
        assertError(admin.post("reservations", "{'tenant':'nobody','device':'cpu','share':0.1}"), 404, "nobody");
        assertThat(admin.delete("reservations/" + made.at("data.0.id")).at("data"))
                .isEqualTo(List.of());
        assertThat(admin.get("prices").body()).isEqualTo(PRICES);
    }

    @Test
    void everyChangeIsInTheLogWithWhoFromWhereAndWhy() {
        server.send(HttpRequest.newBuilder(URI.create(admin.url() + "/admin/v1/tenants"))
                .header("authorization", "Bearer " + AdminClient.OTHER)
                .POST(BodyPublishers.ofString("{\"id\": \"acme\", \"reason\": \"a new customer\"}")));
        admin.delete("tenants/acme?reason=left");
        Answer audit = admin.get("audit?after=1");
        assertThat(audit.at("verified")).isEqualTo(true);
        assertThat(audit.at("data.0.who")).isEqualTo("auditor");
        assertThat(audit.at("data.0.action")).isEqualTo("tenant.create");
        assertThat(audit.at("data.0.target")).isEqualTo("acme");
        assertThat(audit.at("data.0.from")).isEqualTo("127.0.0.1");
        assertThat(audit.at("data.0.reason")).isEqualTo("a new customer");
        assertThat(audit.at("data.1.who")).isEqualTo("ops");
        assertThat(audit.at("data.1.reason")).isEqualTo("left");
        assertThat(audit.at("data.1.content")).isNull();
        assertThat(audit.at("next")).isNull();
        assertThat(admin.get("audit?limit=1").at("next")).isEqualTo(1L);
    }

    @Test
    void aChangeThatWasThoughtOutForAnotherVersionIsRefused() {
        String version = admin.get("tenants").header("etag");
        HttpRequest.Builder first = admin.request("/admin/v1/tenants")
                .header("if-match", version)
                .POST(BodyPublishers.ofString("{\"id\": \"one\"}"));
        Answer made = admin.send(first);
        assertThat(made.status()).isEqualTo(201);
        assertThat(made.header("etag")).isNotEqualTo(version);
        assertError(
                admin.send(admin.request("/admin/v1/tenants")
                        .header("if-match", version)
                        .POST(BodyPublishers.ofString("{\"id\": \"two\"}"))),
                412,
                "somebody changed it meanwhile");
        assertThat(admin.get("tenants/two").status()).isEqualTo(404);
        assertError(
                admin.send(admin.request("/admin/v1/tenants/one")
                        .header("if-match", "yesterday")
                        .DELETE()),
                400,
                "If-Match");
    }

    @Test
    void onlyAdminKeysAdministerAndOnlyOnTheirPort() {
        for (Route route : server.server().adminRoutes()) {
            String path = route.path().replaceAll("\\{[^}]*}", "filed");
            for (String key : List.of("filed-key", "", "x")) {
                Answer answer = server.send(HttpRequest.newBuilder(URI.create(admin.url() + path))
                        .header("authorization", "Bearer " + key)
                        .method(route.method(), BodyPublishers.ofString("{}")));
                assertThat(answer.status()).as(route + " with " + key).isEqualTo(401);
                assertThat(answer.body()).doesNotContain("filed");
            }
            Answer elsewhere = server.send(server.request(path)
                    .header("authorization", "Bearer " + AdminClient.KEY)
                    .method(route.method(), BodyPublishers.ofString("{}")));
            assertThat(elsewhere.status()).as(route.toString()).isEqualTo(404);
        }
        assertThat(complete(AdminClient.KEY).status()).isEqualTo(401);
        assertThat(admin.get("policy").at("version")).isEqualTo(1L);
        assertThat(server.send(admin.request("/v1/models").GET()).status()).isEqualTo(404);
    }

    @Test
    void whatTheFileSaysIsChangedThere() {
        String there = "defined in jeton.yaml; change it there";
        assertError(admin.delete("tenants/filed"), 409, there);
        assertError(admin.patch("tenants/filed", "{'name':'x'}"), 409, there);
        assertError(admin.delete("tenants/filed/projects/web"), 409, there);
        assertError(admin.delete("tenants/filed/keys/app"), 409, there);
        assertError(admin.patch("tenants/filed/keys/app", "{'disabled':true}"), 409, there);
        assertError(admin.post("tenants/filed/keys/app/rotate", "{}"), 409, there);
        assertError(admin.delete("budgets/filed-day"), 409, there);
        assertThat(admin.post("tenants/filed/projects", "{'id':'batch'}").status())
                .isEqualTo(201);
    }

    @Test
    void whatIsInUseStays() {
        admin.post("tenants", "{'id':'acme','projects':['web']}");
        newKey("acme", ",'project':'web'");
        assertError(admin.delete("tenants/acme/projects/web"), 409, "key 'k' works for the project");
        admin.post("budgets", "{'id':'b','level':'tenant','tenant':'acme','unit':'requests','window':'day','limit':5}");
        assertError(admin.delete("tenants/acme"), 409, "has the budget 'b'");
        admin.delete("budgets/b");
        assertThat(admin.delete("tenants/acme").status()).isEqualTo(200);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '"',
            value = {
                "POST | tenants | {'id':'a b'} | 400 | 1 to 64 letters",
                "POST | tenants | {'id':'filed'} | 409 | already",
                "POST | tenants | {'id':'x','nmae':'y'} | 400 | did you mean 'name'?",
                "POST | tenants | {'name':'x'} | 400 | 'id' is missing",
                "POST | tenants | {'id':'x','zone':'a b'} | 400 | 'zone'",
                "POST | tenants | {'id':'x','projects':['a','a']} | 400 | different names",
                "POST | tenants | {'id':'x','reason':5} | 400 | 'reason' must be a string",
                "POST | tenants | [] | 400 | must be a JSON object",
                "POST | tenants | nonsense | 400 | invalid JSON",
                "GET | tenants/file | | 404 | did you mean 'filed'?",
                "GET | tenants?limit=1 | | 400 | no parameter 'limit'",
                "GET | tenant | | 404 | Unknown request URL",
                "PUT | tenants | {} | 405 | answers GET, POST only",
                "POST | tenants/filed/projects | {'id':'web'} | 409 | already",
                "DELETE | tenants/filed/projects/wbe | | 404 | did you mean 'web'?",
                "POST | tenants/filed/keys | {'id':'app'} | 409 | already",
                "POST | tenants/filed/keys | {'id':'x','project':'wbe'} | 400 | did you mean 'web'?",
                "POST | tenants/filed/keys | {'id':'x','scope':'admin'} | 400 | tenant, inference, reports, operator",
                "POST | tenants/filed/keys | {'id':'x','expires':'2020-01-01'} | 400 | is past",
                "POST | tenants/filed/keys | {'id':'x','expires':'soon'} | 400 | is no time",
                "POST | tenants/filed/keys | {'id':'x','sha256':'secret'} | 400 | never the key itself",
                "POST | tenants/nobody/keys | {'id':'x'} | 404 | no tenant 'nobody'",
                "DELETE | tenants/filed/keys/none | | 404 | no key 'none'",
                "GET | audit?after=-1 | | 400 | 'after' must be a whole number",
                "GET | audit?limit=1001 | | 400 | from 1 to 1000",
                "DELETE | reservations/none | | 404 | no reservation 'none'",
            })
    void wrongInputIsRefusedAndChangesNothing(String method, String path, String body, int status, String text) {
        Answer answer = admin.call(method, path, body == null ? "" : body.replace('\'', '"'));
        assertError(answer, status, text);
        assertThat(admin.get("policy").at("version")).isEqualTo(1L);
    }

    @Test
    void aDigestIsOneKeysOnly() {
        String taken = Tenant.Key.digest("filed-key");
        assertError(
                admin.post("tenants/filed/keys", "{'id':'x','sha256':'" + taken + "'}"), 409, "that of another key");
        String adminOne = Tenant.Key.digest(AdminClient.KEY);
        assertError(
                admin.post("tenants/filed/keys", "{'id':'x','sha256':'" + adminOne + "'}"), 409, "that of another key");
        String own = Tenant.Key.digest("my own secret");
        Answer made = admin.post("tenants/filed/keys", "{'id':'x','sha256':'" + own + "'}");
        assertThat(made.at("secret")).isNull();
        assertThat(complete("my own secret").status()).isEqualTo(200);
    }

    @Test
    void aLogThatWasChangedMeanwhileIsSaidSo() throws Exception {
        admin.post("tenants", "{'id':'acme'}");
        Path log = folder.resolve("books").resolve("admin.log");
        Files.writeString(log, Files.readString(log).replace("acme", "evil"));
        assertError(admin.get("audit"), 500, "was changed");
    }

    @Test
    void theMetricsSayHowFullTheLogIs() {
        admin.post("tenants", "{'id':'acme'}");
        String metrics = server.get("/metrics").body();
        assertThat(metrics).contains("jeton_policy_version 2.0").contains("jeton_audit_log_bytes_bound 2.68435456E8");
    }
}
