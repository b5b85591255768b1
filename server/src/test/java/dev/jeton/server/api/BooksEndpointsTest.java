package dev.jeton.server.api;

import static dev.jeton.server.testing.TwoTenants.BLUE;
import static dev.jeton.server.testing.TwoTenants.OPERATOR;
import static dev.jeton.server.testing.TwoTenants.RED;
import static dev.jeton.server.testing.TwoTenants.get;
import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.PrometheusText;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import dev.jeton.server.testing.TwoTenants;
import java.math.BigDecimal;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The books over HTTP: red has three requests, blue one. */
class BooksEndpointsTest {

    @TempDir
    private static Path folder;

    private static TestServer server;
    private static BigDecimal redOwes = BigDecimal.ZERO;
    private static long redBytes;
    private static long blueBytes;

    @BeforeAll
    static void start() {
        server = TwoTenants.in(folder).start();
        for (String label : List.of("team=web", "team=web,tier=1", "team=ops")) {
            Answer answer = TwoTenants.complete(server, RED, "say:hello", "mine", label);
            redOwes = redOwes.add(new BigDecimal((String) answer.at("usage.jeton.cost.list")));
            redBytes += bytes(answer);
        }
        blueBytes = bytes(TwoTenants.complete(server, BLUE, "say:hello", "mine", "team=web"));
        TwoTenants.awaitBooked(server, 4);
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    private static long bytes(Answer answer) {
        return answer.body().getBytes(StandardCharsets.UTF_8).length;
    }

    /** Bytes at so many ten-thousandths of a EUR. */
    private static BigDecimal priced(long bytes, long price) {
        return BigDecimal.valueOf(bytes * price, 4);
    }

    @Test
    void bytesOfAnswersArePricedByTheZonesOfTheNodeAndTheKey() {
        Answer report = get(server, OPERATOR, "/v1/books/report?label=team:web");
        Answer red = get(server, RED, "/v1/books/report");

        assertThat(report.at("rows.0.egress_bytes")).isEqualTo(blueBytes);
        assertThat(new BigDecimal((String) report.at("rows.0.egress"))).isEqualByComparingTo(priced(blueBytes, 2));
        assertThat(red.at("rows.0.egress_bytes")).isEqualTo(redBytes);
        assertThat(new BigDecimal((String) red.at("rows.0.egress"))).isEqualByComparingTo(priced(redBytes, 1));
    }

    @Test
    void bytesOfAStreamAreThoseThatItsClientGets() {
        Answer stream = server.send(server.request("/v1/completions")
                .header("authorization", "Bearer " + BLUE)
                .header("x-jeton-labels", "team=stream")
                .POST(BodyPublishers.ofString(
                        "{\"model\": \"test-model\", \"prompt\": \"say:hello\", \"max_tokens\": 3,"
                                + " \"stream\": true, \"stream_options\": {\"include_usage\": true}}")));
        assertThat(stream.body()).endsWith("data: [DONE]\n\n");
        String path = "/v1/books/requests?label=team:stream";
        Eventually.until("it is booked", () -> !ids(get(server, BLUE, path)).isEmpty());

        assertThat(get(server, BLUE, path).at("data.0.egress_bytes")).isEqualTo(bytes(stream));
    }

    @Test
    void aTenantSeesWhichWayItsBytesWent() {
        Answer request = get(server, BLUE, "/v1/books/requests?label=team:web");

        assertThat(request.at("data.0.egress_bytes")).isEqualTo(blueBytes);
        assertThat(request.at("data.0.zone_from")).isEqualTo("here");
        assertThat(request.at("data.0.zone_to")).isEqualTo("near");
        assertThat(new BigDecimal((String) request.at("data.0.cost.egress")))
                .isEqualByComparingTo(priced(blueBytes, 2));
    }

    @Test
    void anOperatorsReportHasEveryTenantWithItsCostAndTheWaste() {
        Answer answer = get(server, OPERATOR, "/v1/books/report");

        assertThat(answer.status()).isEqualTo(200);
        assertThat(answer.at("by")).isEqualTo("tenant");
        assertThat(answer.at("rows.0.group")).isEqualTo("blue");
        assertThat(answer.at("rows.1.group")).isEqualTo("red");
        assertThat(answer.at("rows.1.requests")).isEqualTo(3L);
        assertThat(new BigDecimal((String) answer.at("rows.1.list"))).isEqualByComparingTo(redOwes);
        assertThat(answer.body()).contains("\"metered\"", "\"margin\"", "\"joules\"", "\"device_s\"", "\"idle\"");
    }

    @Test
    void aTenantsReportHasItsRowAndNothingThatDependsOnOthers() {
        Answer answer = get(server, RED, "/v1/books/report");

        assertThat(answer.at("rows.0.group")).isEqualTo("red");
        assertThat(answer.at("rows.0.requests")).isEqualTo(3L);
        assertThat(new BigDecimal((String) answer.at("rows.0.list"))).isEqualByComparingTo(redOwes);
        assertThat(answer.body())
                .contains("\"p95_ms\"")
                .doesNotContain("blue")
                .doesNotContain("metered")
                .doesNotContain("margin")
                .doesNotContain("house")
                .doesNotContain("joules")
                .doesNotContain("device")
                .doesNotContain("waste");
        assertThat(get(server, RED, "/v1/books/report?tenant=red").at("rows")).isEqualTo(answer.at("rows"));
    }

    @Test
    void aReportIsDividedFilteredAndWrittenAsAsked() {
        assertThat(get(server, RED, "/v1/books/report?by=label:team&format=csv")
                        .body()
                        .lines())
                .satisfiesExactly(
                        head -> assertThat(head)
                                .isEqualTo("label_team,requests,failed,input,cached,output,egress_bytes,list,egress,"
                                        + "steps,p95_ms,per_request,tasks,succeeded,per_success,calls_per_task,"
                                        + "retry_rate,fallback_rate,hit_rate"),
                        ops -> assertThat(ops).startsWith("ops,1,0,"),
                        web -> assertThat(web).startsWith("web,2,0,"));
        String web = "/v1/books/report?label=team:web&label=tier:1&model=test-model&project=red-project&key=red-app";
        assertThat(get(server, RED, web).at("rows.0.requests")).isEqualTo(1L);
        assertThat(get(server, RED, "/v1/books/report?model=other").at("rows")).isEqualTo(List.of());
        assertThat(get(server, RED, "/v1/books/report?period=2020-02").at("rows"))
                .isEqualTo(List.of());
        assertThat(get(server, RED, "/v1/books/report?period=2020-02").at("to")).isEqualTo("2020-03-01T00:00:00Z");
    }

    @Test
    void anOperatorMayLookAtOneTenant() {
        Answer answer = get(server, OPERATOR, "/v1/books/report?tenant=blue");

        assertThat(answer.at("rows.0.group")).isEqualTo("blue");
        assertThat(answer.at("rows.1")).isNull();
        assertThat(answer.body()).contains("\"metered\"", "\"cancelled\"").doesNotContain("\"idle\"");
    }

    @Test
    void aTenantMayNotLookAtAnother() {
        for (String path : List.of("report", "requests", "export/focus", "requests/some-id")) {
            Answer answer = get(server, RED, "/v1/books/" + path + "?tenant=blue");

            assertThat(answer.status()).as(path).isEqualTo(403);
            assertThat(answer.at("error.param")).isEqualTo("tenant");
            assertThat(answer.body())
                    .isEqualTo(get(server, RED, "/v1/books/" + path + "?tenant=no-such-tenant")
                            .body());
        }
    }

    @Test
    void pagesOfRequestsAreTogetherTheWholeList() {
        List<Object> whole = ids(get(server, RED, "/v1/books/requests"));
        List<Object> paged = new ArrayList<>();
        String next = "";
        do {
            Answer page = get(server, RED, "/v1/books/requests?limit=1" + next);
            paged.addAll(ids(page));
            assertThat(page.at("has_more")).isEqualTo(page.at("next") != null);
            next = page.at("next") == null ? "" : "&after=" + page.at("next");
        } while (!next.isEmpty());

        assertThat(paged).isEqualTo(whole).hasSize(3);
    }

    private static List<Object> ids(Answer list) {
        List<Object> ids = new ArrayList<>();
        for (Object row : (List<?>) list.at("data")) {
            ids.add(((Map<?, ?>) row).get("id"));
        }
        return ids;
    }

    @Test
    void anotherTenantsCursorOpensNothing() {
        Object next = get(server, OPERATOR, "/v1/books/requests?limit=1").at("next");

        assertThat(get(server, BLUE, "/v1/books/requests?after=" + next).body()).doesNotContain("red");
    }

    @Test
    void aRequestIsFoundByItsIdAndByTheOneThatItsClientChose() {
        String id = (String) ids(get(server, RED, "/v1/books/requests")).getFirst();
        Answer byId = get(server, RED, "/v1/books/requests/" + id);

        assertThat(id).startsWith("mine~");
        assertThat(byId.at("outcome")).isEqualTo("completed");
        assertThat(byId.at("labels.team")).isEqualTo("ops");
        assertThat(byId.at("tokens.output")).isEqualTo(3L);
        assertThat(byId.at("cost.currency")).isEqualTo("EUR");
        assertThat(byId.at("cost.list")).isInstanceOf(String.class);
        assertThat(byId.body())
                .doesNotContain("metered")
                .doesNotContain("device")
                .doesNotContain("node");
        assertThat(get(server, RED, "/v1/books/requests/mine").at("id")).isEqualTo(id);
        assertThat(get(server, BLUE, "/v1/books/requests/mine").at("tenant")).isEqualTo("blue");
        assertThat(get(server, OPERATOR, "/v1/books/requests/" + id).body())
                .contains("\"metered\"", "\"margin\"", "\"device_ms\"", "\"node\"");
    }

    @Test
    void anothersRequestIsAnsweredAsOneThatNeverWas() {
        String reds = (String) ids(get(server, RED, "/v1/books/requests")).getFirst();
        Answer other = get(server, BLUE, "/v1/books/requests/" + reds);
        Answer unknown = get(server, BLUE, "/v1/books/requests/never-was");

        assertThat(other.status()).isEqualTo(404).isEqualTo(unknown.status());
        assertThat(other.body()).isEqualTo(unknown.body());
        assertThat(other.response().headers().map().keySet())
                .isEqualTo(unknown.response().headers().map().keySet());
    }

    @Test
    void anExportSumsToTheBill() {
        BigDecimal owed = redOwes.add(priced(redBytes, 1));
        String own = get(server, RED, "/v1/books/export/focus").body();
        assertThat(sum(own, "BilledCost")).isEqualByComparingTo(owed);
        assertThat(cells(own, "SkuId")).contains("egress/here/far");
        assertThat(sum(
                        get(server, OPERATOR, "/v1/books/export/focus?tenant=red&basis=list")
                                .body(),
                        "BilledCost"))
                .isEqualByComparingTo(owed);
    }

    @Test
    void aTenantsExportHasItsRowsByListOnly() {
        Answer answer = get(server, RED, "/v1/books/export/focus");

        assertThat(answer.header("content-type")).isEqualTo("text/csv; charset=utf-8");
        assertThat(answer.header("content-disposition")).contains("focus-list.csv");
        assertThat(answer.body()).doesNotContain("blue");
        for (String hidden : List.of("x_DeviceSeconds", "x_Joules", "x_MeteredCost")) {
            assertThat(cells(answer.body(), hidden)).isNotEmpty().allMatch(String::isEmpty);
        }
        Answer metered = get(server, RED, "/v1/books/export/focus?basis=metered");
        assertThat(metered.status()).isEqualTo(403);
        assertThat(metered.at("error.param")).isEqualTo("basis");
        assertThat(cells(
                        get(server, OPERATOR, "/v1/books/export/focus?basis=metered")
                                .body(),
                        "x_Account"))
                .contains("Tenant");
    }

    private static List<String> cells(String csv, String column) {
        List<String> lines = csv.lines().toList();
        int index = List.of(lines.getFirst().split(",")).indexOf(column);
        return lines.stream()
                .skip(1)
                .map(line -> line.split(",(?=(?:[^\"]*\"[^\"]*\")*[^\"]*$)", -1)[index])
                .toList();
    }

    private static BigDecimal sum(String csv, String column) {
        return cells(csv, column).stream().map(BigDecimal::new).reduce(BigDecimal.ZERO, BigDecimal::add);
    }

    @Test
    void everyAnswerSaysUpToWhenItKnows() {
        List<Answer> seen = new ArrayList<>();
        Answer asked = TwoTenants.complete(server, BLUE, "say:late", "late", "team=late");
        assertThat(asked.status()).isEqualTo(200);
        Instant answered = Instant.now();
        String path = "/v1/books/requests?label=team:late";
        Eventually.until("it is booked", () -> {
            seen.add(get(server, BLUE, path));
            return !ids(seen.getLast()).isEmpty();
        });

        assertThat(seen).allSatisfy(answer -> {
            assertThat(answer.header("x-jeton-as-of")).isEqualTo(answer.at("as_of"));
            boolean knows = Instant.parse((String) answer.at("as_of")).isAfter(answered);
            assertThat(knows && ids(answer).isEmpty()).isFalse();
        });
        assertThat(get(server, RED, "/v1/books/report").at("as_of")).isNotNull();
        assertThat(get(server, RED, "/v1/books/export/focus").header("x-jeton-as-of"))
                .isNotEmpty();
    }

    @Test
    void aHeadHasTheHeadersAndNoBody() {
        for (String path : List.of("report", "requests", "requests/mine", "export/focus")) {
            Answer answer = server.send(server.request("/v1/books/" + path)
                    .header("authorization", "Bearer " + RED)
                    .method("HEAD", BodyPublishers.noBody()));

            assertThat(answer.status()).as(path).isEqualTo(200);
            assertThat(answer.header("x-jeton-as-of")).isNotEmpty();
            assertThat(answer.header("cache-control")).isEqualTo("no-store");
            assertThat(answer.body()).isEmpty();
        }
    }

    @Test
    void metricsSayHowNearTheBoundQuestionsAre() {
        get(server, RED, "/v1/books/report");
        String[] asked = {"endpoint=\"books_report\"", "outcome=\"ok\""};
        Eventually.until("it is counted", () -> metrics().value("jeton_requests_total", asked) > 0);
        PrometheusText text = metrics();

        assertThat(text.value("jeton_ledger_questions")).isZero();
        assertThat(text.value("jeton_ledger_questions_waiting")).isZero();
        assertThat(text.value("jeton_ledger_questions_bound")).isEqualTo(16);
        assertThat(text.value("jeton_ledger_questions_refused_total")).isZero();
        assertThat(text.value("jeton_ledger_questions_seconds_total")).isPositive();
    }

    private static PrometheusText metrics() {
        return PrometheusText.parse(server.get("/metrics").body());
    }

    @Test
    void aServerWithoutBooksSaysHowToKeepThem() {
        try (TestServer plain = TestServer.start()) {
            for (String path : List.of("report", "requests", "requests/x", "export/focus")) {
                Answer answer = plain.get("/v1/books/" + path);

                assertThat(answer.status()).as(path).isEqualTo(404);
                assertThat(answer.at("error.code")).isEqualTo("books_disabled");
                assertThat(answer.at("error.message")).asString().contains("books.enabled");
            }
        }
    }
}
