package dev.jeton.server.api;

import static dev.jeton.server.testing.TwoTenants.BLUE;
import static dev.jeton.server.testing.TwoTenants.OPERATOR;
import static dev.jeton.server.testing.TwoTenants.RED;
import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import dev.jeton.server.testing.TwoTenants;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TasksOverHttpTest {

    @TempDir
    private static Path folder;

    private static TestServer server;

    @BeforeAll
    static void start() {
        server = TwoTenants.in(folder).start();
        Eventually.until(
                "the ledger is open",
                () -> TwoTenants.get(server, OPERATOR, "/v1/books/report").status() == 200);
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    private static Answer post(String path, String json, String... headers) {
        HttpRequest.Builder request = server.request(path)
                .header("authorization", "Bearer " + RED)
                .POST(BodyPublishers.ofString(json.replace('\'', '"')));
        for (int i = 0; i < headers.length; i += 2) {
            request.header(headers[i], headers[i + 1]);
        }
        return server.send(request);
    }

    private static Answer get(String path) {
        return TwoTenants.get(server, RED, path);
    }

    private static String open(String fields) {
        Answer answer = post("/v1/tasks", "{" + fields + "}");
        assertThat(answer.status()).as(answer.body()).isEqualTo(201);
        return (String) answer.at("id");
    }

    private static Answer complete(String more, String... headers) {
        return post(
                "/v1/completions",
                "{'model': 'test-model', 'prompt': 'say:abc', 'max_tokens': 3" + more + "}",
                headers);
    }

    private static Answer step(String task, String json) {
        return post("/v1/tasks/" + task + "/steps", json);
    }

    @Test
    void aTaskTellsItsWholeCostAtOnce() {
        String task = open("'name': 'answer', 'success_criterion': 'content', 'slo_seconds': 60,"
                + " 'budgets': {'output-tokens': 1000, 'list-money': '0.05'}");
        assertThat(step(task, "{'id': 'r', 'kind': 'retrieval', 'cost': '0.0004', 'hit': true, 'duration_ms': 12.5}")
                        .status())
                .isEqualTo(201);
        complete("", "x-jeton-task", task, "x-jeton-prompt-version", "v7", "x-jeton-route", "plan");
        complete(
                ", 'metadata': {'task': '" + task + "', 'prompt_version': 'v8'}",
                "x-stainless-retry-count",
                "1",
                "x-jeton-fallback",
                "true");
        assertThat(post("/v1/tasks/" + task + "/outcome", "{'success': true, 'reason': 'sent'}")
                        .status())
                .isEqualTo(200);

        Answer graph = get("/v1/tasks/" + task);

        assertThat(graph.status()).as(graph.body()).isEqualTo(200);
        assertThat(graph.at("status")).isEqualTo("success");
        assertThat(graph.at("reason")).isEqualTo("sent");
        assertThat(graph.at("slo_met")).isEqualTo(true);
        assertThat(graph.at("budgets")).isEqualTo(Map.of("output-tokens", "1000", "list-money", "0.05"));
        assertThat(graph.at("requests.0.prompt_version")).isEqualTo("v7");
        assertThat(graph.at("requests.0.route")).isEqualTo("plan");
        assertThat(graph.at("requests.0.context_bucket")).isEqualTo("<1k");
        assertThat(graph.at("requests.1.prompt_version")).isEqualTo("v8");
        assertThat(graph.at("requests.1.fallback")).isEqualTo(true);
        assertThat(graph.at("requests.1.retries")).isEqualTo(1L);
        assertThat(graph.at("steps.0.hit")).isEqualTo(true);
        assertThat(graph.at("steps.0.cost.overdraft")).isEqualTo("0.0004");
        assertThat(graph.at("totals.model_calls")).isEqualTo(2L);
        assertThat(graph.at("totals.retries")).isEqualTo(1L);
        assertThat(graph.at("totals.fallbacks")).isEqualTo(1L);
        assertThat(graph.at("totals.hit_rate")).isEqualTo(1.0);
        // 8 tokens of prompt and 3 of answer, twice: at 0.001 and 0.002
        assertThat(graph.at("totals.list.tokens")).isEqualTo("0.028");
        assertThat(graph.at("totals.list.steps")).isEqualTo("0.0004");
        assertThat(graph.at("totals.currency")).isEqualTo("EUR");
        assertThat(graph.body()).doesNotContain("metered");
        assertThat(TwoTenants.get(server, OPERATOR, "/v1/tasks/" + task + "?tenant=red")
                        .body())
                .contains("\"metered\"");
    }

    @Test
    void anAnswerNamesTheTaskThatItIsPartOf() {
        assertThat(complete("", "x-jeton-task", "named").at("usage.jeton.task")).isEqualTo("named");
        assertThat(complete("").body()).doesNotContain("\"task\"");
        assertThat(get("/v1/tasks/named").at("implicit")).isEqualTo(true);
        assertThat(get("/v1/books/requests?task=named").at("data.0.task")).isEqualTo("named");
        assertThat((List<?>) get("/v1/books/requests?task=no-such").at("data")).isEmpty();
    }

    @Test
    void headerAndBodyThatNameTwoTasksAreAnError() {
        Answer answer = complete(", 'metadata': {'task': 'one'}", "x-jeton-task", "two");

        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.at("error.param")).isEqualTo("metadata.task");
        assertThat(complete(", 'metadata': {'task': 'one'}", "x-jeton-task", "one")
                        .status())
                .isEqualTo(200);
    }

    @ParameterizedTest
    @CsvSource({
        "x-jeton-task,a b,X-Jeton-Task",
        "x-jeton-task,-a,X-Jeton-Task",
        "x-jeton-task,a/b,X-Jeton-Task",
        "x-jeton-prompt-version,a b,X-Jeton-Prompt-Version",
        "x-jeton-route,{},X-Jeton-Route",
        "x-jeton-fallback,yes,X-Jeton-Fallback"
    })
    void namesThatAreNoneAreNamedInTheError(String header, String value, String param) {
        Answer answer = complete("", header, value);

        assertThat(answer.status()).isEqualTo(400);
        assertThat(answer.at("error.param")).isEqualTo(param);
    }

    @Test
    void aNameThatIsTooLongIsAnError() {
        assertThat(complete("", "x-jeton-task", "t".repeat(128)).status()).isEqualTo(200);
        assertThat(complete("", "x-jeton-task", "t".repeat(129)).status()).isEqualTo(400);
        assertThat(complete(", 'metadata': {'task': 7}").at("error.param")).isEqualTo("metadata.task");
        assertThat(complete(", 'metadata': []").at("error.param")).isEqualTo("metadata");
    }

    @Test
    void anOutcomeIsSaidOnceAndEndsRequests() {
        String task = open("");
        String outcome = "/v1/tasks/" + task + "/outcome";
        assertThat(post(outcome, "{'success': false}").at("status")).isEqualTo("failure");

        for (String again : List.of("{'success': false}", "{'success': true}")) {
            Answer answer = post(outcome, again);
            assertThat(answer.status()).isEqualTo(409);
            assertThat(answer.at("error.code")).isEqualTo("task_ended");
            assertThat(answer.header("x-should-retry")).isEqualTo("false");
        }
        Answer refused = complete("", "x-jeton-task", task);
        assertThat(refused.status()).isEqualTo(409);
        assertThat(refused.at("error.code")).isEqualTo("task_ended");
        assertThat(post("/v1/tasks", "{'id': '" + task + "'}").status()).isEqualTo(409);
        Answer late = step(task, "{'kind': 'human_review', 'cost': 1}");
        assertThat(late.status()).isEqualTo(201);
        assertThat(late.at("late")).isEqualTo(true);
    }

    @Test
    void aTaskOpenedAgainIsTheSameOnlyWithTheSameContent() {
        String task = open("'name': 'n', 'budgets': {'requests': 5}");

        assertThat(post("/v1/tasks", "{'id': '" + task + "', 'name': 'n', 'budgets': {'requests': '5'}}")
                        .status())
                .isEqualTo(200);
        Answer other = post("/v1/tasks", "{'id': '" + task + "', 'name': 'n', 'budgets': {'requests': 6}}");
        assertThat(other.status()).isEqualTo(409);
        assertThat(other.at("error.code")).isEqualTo("task_conflict");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{'id': ''} | id",
                "{'id': 'a b'} | id",
                "{'slo_seconds': -1} | slo_seconds",
                "{'budgets': {'output-tokens': -1}} | budgets.output-tokens",
                "{'budgets': {'output-tokens': 1.5}} | budgets.output-tokens",
                "{'budgets': {'output-tokens': null}} | budgets.output-tokens",
                "{'budgets': {'list-money': '1e9'}} | budgets.list-money",
                "{'budgets': {'list-money': '0.0000000001'}} | budgets.list-money",
                "{'budgets': {'list-money': '99999999999999'}} | budgets.list-money",
                "{'budgets': {'dollars': 1}} | budgets.dollars",
                "{'budgets': 7} | budgets",
                "{'budget': {}} | budget",
                "{'name': 7} | name"
            })
    void aTaskThatCannotBeMeantIsAnErrorThatNamesTheField(String body, String param) {
        Answer answer = post("/v1/tasks", body);

        assertThat(answer.status()).as(answer.body()).isEqualTo(400);
        assertThat(answer.at("error.param")).isEqualTo(param);
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "{'kind': 'tool', 'cost': -1} | cost",
                "{'kind': 'tool', 'cost': '-0.000000001'} | cost",
                "{'kind': 'tool', 'cost': '0.0000000001'} | cost",
                "{'kind': 'tool', 'cost': '1000000001'} | cost",
                "{'kind': 'tool', 'cost': 'free'} | cost",
                "{'kind': 'tool', 'cost': true} | cost",
                "{'kind': 'tool', 'quantity': -1} | quantity",
                "{'kind': 'tool', 'duration_ms': -1} | duration_ms",
                "{'kind': 'tool', 'hit': true} | hit",
                "{'kind': 'tool', 'id': 's', 'retry_of': 's'} | retry_of",
                "{'kind': 'tool', 'retry_of': 'a b'} | retry_of",
                "{'kind': 'coffee'} | kind",
                "{'cost': 1} | kind",
                "{'kind': 'tool', 'price': 1} | price",
                "{'release': true} | id",
                "{'release': true, 'id': 's', 'kind': 'tool'} | kind"
            })
    void aStepThatCannotBeMeantIsAnErrorThatNamesTheField(String body, String param) {
        Answer answer = step(open(""), body);

        assertThat(answer.status()).as(answer.body()).isEqualTo(400);
        assertThat(answer.at("error.param")).isEqualTo(param);
    }

    @Test
    void aReservedStepIsSettledOrReleasedAndRepeatedWithoutEffect() {
        String task = open("");
        assertThat(step(task, "{'id': 'a', 'kind': 'tool', 'cost': '0.1', 'reserve': true}")
                        .at("cost.reserved"))
                .isEqualTo("0.1");
        assertThat(step(task, "{'id': 'b', 'kind': 'tool', 'cost': '0.2', 'reserve': true}")
                        .status())
                .isEqualTo(201);

        Answer settled = step(task, "{'id': 'a', 'kind': 'tool', 'cost': '0.15'}");
        Answer again = step(task, "{'id': 'a', 'kind': 'tool', 'cost': 0.15}");
        Answer other = step(task, "{'id': 'a', 'kind': 'tool', 'cost': '0.16'}");
        Answer released = step(task, "{'id': 'b', 'release': true}");

        assertThat(settled.at("cost.overdraft")).isEqualTo("0.05");
        assertThat(again.status()).isEqualTo(200);
        assertThat(again.body()).isEqualTo(settled.body());
        assertThat(other.status()).isEqualTo(409);
        assertThat(other.at("error.code")).isEqualTo("step_conflict");
        assertThat(released.at("state")).isEqualTo("released");
        assertThat(step(task, "{'id': 'c', 'release': true}").at("error.code")).isEqualTo("step_not_found");
        Answer graph = get("/v1/tasks/" + task);
        assertThat(graph.at("totals.list.steps")).isEqualTo("0.15");
        assertThat(graph.at("totals.reserved")).isEqualTo("0");
        assertThat(graph.at("totals.overdraft")).isEqualTo("0.05");
    }

    @ParameterizedTest
    @ValueSource(strings = {"/v1/tasks/no-such", "/v1/tasks/", "/v1/tasks/a/b", "/v1/tasks/a%20b"})
    void aTaskThatIsNoneIsNotFound(String path) {
        assertThat(get(path).status()).isEqualTo(404);
    }

    @Test
    void whatThereIsNotIsNotFoundAndWhatCannotBeAskedIsNotAllowed() {
        assertThat(step("no-such", "{'kind': 'tool'}").at("error.code")).isEqualTo("task_not_found");
        assertThat(post("/v1/tasks/no-such/outcome", "{'success': true}").at("error.code"))
                .isEqualTo("task_not_found");
        assertThat(get("/v1/tasks/a/steps").status()).isEqualTo(405);
        assertThat(post("/v1/tasks/a", "{}").status()).isEqualTo(405);
        assertThat(post("/v1/tasks/" + open("") + "/outcome", "{}").at("error.param"))
                .isEqualTo("success");
    }

    @Test
    void tasksAreListedTheLastFirstAPartAtATime() {
        String first = open("");
        String last = open("");

        Answer page = get("/v1/tasks?limit=1");
        Answer next = get("/v1/tasks?limit=1&after=" + page.at("next"));

        assertThat(page.at("data.0.id")).isEqualTo(last);
        assertThat(page.at("has_more")).isEqualTo(true);
        assertThat(next.at("data.0.id")).isEqualTo(first);
        assertThat(TwoTenants.get(server, BLUE, "/v1/tasks").body()).doesNotContain(first);
    }

    @Test
    void reportsDivideByWhatRequestsAreFor() {
        String task = open("");
        complete("", "x-jeton-task", task, "x-jeton-prompt-version", "report-v1", "x-jeton-route", "report-route");
        step(task, "{'kind': 'retrieval', 'cost': '0.5', 'hit': false}");
        post("/v1/tasks/" + task + "/outcome", "{'success': true}");
        get("/v1/tasks/" + task); // lets the ledger catch up

        Answer byTask = get("/v1/books/report?by=task");
        Map<?, ?> row = row(byTask, task);
        assertThat(row.get("steps")).isEqualTo("0.5");
        assertThat(row.get("succeeded")).isEqualTo(1L);
        assertThat(row.get("calls_per_task")).isEqualTo(1.0);
        assertThat(row.get("hit_rate")).isEqualTo(0.0);
        assertThat((String) row.get("per_success")).startsWith("0.5");
        assertThat(row(get("/v1/books/report?by=prompt_version"), "report-v1").get("requests"))
                .isEqualTo(1L);
        assertThat(row(get("/v1/books/report?by=route"), "report-route").get("requests"))
                .isEqualTo(1L);
        assertThat(row(get("/v1/books/report?by=context_bucket"), "<1k")).isNotEmpty();
        assertThat(TwoTenants.get(server, OPERATOR, "/v1/books/report?by=task&format=csv")
                        .body())
                .contains("red/" + task + ",");
    }

    private static Map<?, ?> row(Answer report, String group) {
        assertThat(report.status()).as(report.body()).isEqualTo(200);
        return ((List<?>) report.at("rows"))
                .stream()
                        .map(row -> (Map<?, ?>) row)
                        .filter(row -> group.equals(row.get("group")))
                        .findFirst()
                        .orElseThrow(() -> new AssertionError(report.body()));
    }

    @Test
    void aReportComesInParts() {
        open("");
        complete("", "x-jeton-task", "part-1");
        complete("", "x-jeton-task", "part-2");
        get("/v1/tasks/part-2");
        List<?> whole = (List<?>) get("/v1/books/report?by=task").at("rows");
        List<Object> parts = new java.util.ArrayList<>();
        String after = "";
        Answer part;
        do {
            part = get("/v1/books/report?by=task&limit=1" + after);
            parts.addAll((List<?>) part.at("rows"));
            after = "&after=" + part.at("next");
        } while (Boolean.TRUE.equals(part.at("has_more")));

        assertThat(parts).hasSizeGreaterThan(1).isEqualTo(whole);
    }

    @Test
    void whereNoBooksAreKeptThereAreNoTasks() {
        try (TestServer without = TestServer.start()) {
            assertThat(without.post("/v1/tasks", "{}").at("error.code")).isEqualTo("books_disabled");
            assertThat(without.get("/v1/tasks/a").at("error.code")).isEqualTo("books_disabled");
        }
    }

    @Test
    void tasksAreKnownAfterARestart(@TempDir Path other) {
        try (TestServer before = TwoTenants.in(other).start()) {
            assertThat(send(before, "/v1/tasks", "{\"id\": \"kept\", \"name\": \"n\"}")
                            .status())
                    .isEqualTo(201);
            assertThat(send(before, "/v1/tasks/kept/steps", "{\"id\": \"s\", \"kind\": \"tool\", \"cost\": 1}")
                            .status())
                    .isEqualTo(201);
            assertThat(send(before, "/v1/tasks", "{\"id\": \"done\"}").status()).isEqualTo(201);
            assertThat(send(before, "/v1/tasks/done/outcome", "{\"success\": true}")
                            .status())
                    .isEqualTo(200);
        }
        try (TestServer after = TwoTenants.in(other).start()) {
            assertThat(send(after, "/v1/tasks", "{\"id\": \"kept\", \"name\": \"n\"}")
                            .status())
                    .isEqualTo(200);
            assertThat(send(after, "/v1/tasks/kept/steps", "{\"id\": \"s\", \"kind\": \"tool\", \"cost\": 1}")
                            .status())
                    .isEqualTo(200);
            assertThat(send(after, "/v1/tasks/done/outcome", "{\"success\": true}")
                            .status())
                    .isEqualTo(409);
        }
    }

    private static Answer send(TestServer to, String path, String body) {
        return to.send(to.request(path).header("authorization", "Bearer " + RED).POST(BodyPublishers.ofString(body)));
    }

    @Test
    void tooManyTasksAndStepsAreClearErrors(@TempDir Path other) {
        try (TestServer small = TwoTenants.in(other)
                .set("tasks.max-open-per-tenant", "1")
                .set("tasks.max-steps", "1")
                .start()) {
            assertThat(send(small, "/v1/tasks", "{\"id\": \"a\"}").status()).isEqualTo(201);
            Answer second = send(small, "/v1/tasks", "{\"id\": \"b\"}");
            assertThat(second.status()).isEqualTo(429);
            assertThat(second.at("error.code")).isEqualTo("too_many_tasks");
            assertThat(send(small, "/v1/tasks/a/steps", "{\"kind\": \"tool\"}").status())
                    .isEqualTo(201);
            assertThat(send(small, "/v1/tasks/a/steps", "{\"kind\": \"tool\"}").at("error.code"))
                    .isEqualTo("too_many_steps");
        }
    }
}
