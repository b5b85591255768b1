package dev.jeton.server.api;

import static dev.jeton.server.testing.TwoTenants.BLUE;
import static dev.jeton.server.testing.TwoTenants.OPERATOR;
import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import dev.jeton.server.testing.TwoTenants;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Tries everything that the server answers with another tenant's key, and without one. The routes are the server's own
 * list: one that is added later and has no case here fails.
 */
class TenantIsolationTest {

    /** Red's prompt; nobody else's has as many tokens, and so nobody else's cost is this. */
    private static final String PROMPT = "red-secret-prompt " + "r".repeat(694);

    private static final long TOKENS = 713;
    private static final String COST = "0.719";
    private static final String ID = "red-secret-id";
    private static final String TASK = "red-secret-task";
    private static final String LABEL = "red-secret-label";
    private static final String VALUE = "red-secret-value";

    /** Blue's begins as red's does, so that red's could be found in a cache. */
    private static final String COMPLETION = completion(PROMPT.substring(0, 600), "");

    private static final String STREAM =
            completion(PROMPT.substring(0, 500), ", \"stream\": true, \"stream_options\": {\"include_usage\": true}");
    private static final String CHAT = chat(PROMPT.substring(0, 400));

    /** In JSON and in CSV; times may have the same digits, but are decimals. */
    private static final Pattern RED_TOKENS = Pattern.compile("[:,\\[]" + TOKENS + "[,}\\]]");

    private static final Pattern RED_COST = Pattern.compile("\"0\\.719\"|,0\\.719,|0\\.719 EUR");
    /** Names of what depends on others. */
    private static final Pattern METERED = Pattern.compile("[\",](metered|margin|house|joules|device_|waste)");

    private static final Pattern RED = Pattern.compile("\"red\"|(^|[\n,])red,");

    private static final String RED_KEY = TwoTenants.RED;

    @TempDir
    private static Path folder;

    private static TestServer server;

    /** What red alone may be told, unless blue says it first. Blue chooses the same id and the same name of a label. */
    private static final List<String> SECRETS = new ArrayList<>(
            List.of("red-secret-prompt", "red-secret-budget", VALUE, "red-app", "red-project", "red-chat"));

    /** Of an answer to who has no key. */
    private static final List<String> HEADERS =
            List.of("content-length", "content-type", "www-authenticate", "x-jeton-request-id", "x-request-id");

    private static final Set<String> ARRIVING = Set.of("/v1/files", "/v1/messages/batches");

    private static String booked = "";
    private static String stored = "";
    private static String cursor = "";
    private static String file = "";
    private static String batch = "";
    private static String messages = "";

    @BeforeAll
    static void redAndBlueAskTheSame() {
        server = TwoTenants.in(folder)
                .set("batches.folder", folder.resolve("batches").toString())
                .start();
        Answer answer = TwoTenants.complete(server, RED_KEY, PROMPT, ID, LABEL + "=" + VALUE);
        assertThat(answer.at("usage.prompt_tokens")).isEqualTo(TOKENS);
        assertThat(answer.header("x-jeton-cost")).isEqualTo(COST + " EUR");
        assertThat(as(RED_KEY, "red-chat", "POST", "/v1/chat/completions", chat(PROMPT))
                        .status())
                .isEqualTo(200);
        redsTask();
        redsBatches();
        stored = (String)
                as(RED_KEY, "", "POST", "/v1/responses", response(PROMPT)).at("id");
        TwoTenants.complete(server, BLUE, "hello", ID, LABEL + "=mine");
        TwoTenants.awaitBooked(server, 5);
        cursor = (String)
                as(RED_KEY, "", "GET", "/v1/books/requests?limit=1", "").at("next");
        booked = (String) as(RED_KEY, "", "GET", "/v1/books/requests/" + ID, "").at("id");
        SECRETS.add(booked);
    }

    /** With a call, a step that is reserved and one that was done, of the same money as nobody else's. */
    private static void redsTask() {
        assertThat(as(RED_KEY, "", "POST", "/v1/tasks", """
                        {"id": "%s", "name": "red-secret-name", "success_criterion": "red-secret-criterion",
                         "budgets": {"output-tokens": 1000}}""".formatted(TASK)).status())
                .isEqualTo(201);
        assertThat(as(RED_KEY, "", "POST", "/v1/tasks/" + TASK + "/steps", """
                        {"id": "red-secret-step", "kind": "tool", "cost": "0.719"}""").status())
                .isEqualTo(201);
        assertThat(as(RED_KEY, "", "POST", "/v1/tasks/" + TASK + "/steps", """
                        {"id": "red-secret-waiting", "kind": "tool", "cost": "0.719", "reserve": true}""").status())
                .isEqualTo(201);
        assertThat(as(RED_KEY, "red-secret-call", "POST", "/v1/completions", completion(PROMPT, """
                        , "metadata": {"task": "%s", "prompt_version": "red-secret-version", "route": "red-secret-route"}
                        """.formatted(TASK)))
                        .status())
                .isEqualTo(200);
        SECRETS.addAll(List.of(
                TASK,
                "red-secret-step",
                "red-secret-waiting",
                "red-secret-version",
                "red-secret-route",
                "red-secret-name",
                "red-secret-criterion",
                "red-secret-call"));
    }

    private static void redsBatches() {
        String line =
                "{\"custom_id\": \"red-secret-line\", \"method\": \"POST\", \"url\": \"/v1/completions\", \"body\": %s}"
                        .formatted(completion("red-secret-prompt", ""));
        String form = "--b\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nbatch\r\n"
                + "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"red-secret-file\"\r\n\r\n"
                + line + "\r\n--b--\r\n";
        Answer sent = server.send(server.request("/v1/files")
                .header("authorization", "Bearer " + RED_KEY)
                .header("content-type", "multipart/form-data; boundary=b")
                .POST(BodyPublishers.ofString(form)));
        file = (String) sent.at("id");
        batch = (String)
                as(RED_KEY, "", "POST", "/v1/batches", """
                        {"input_file_id": "%s", "endpoint": "/v1/completions", "metadata": {"red-secret-note": "x"}}
                        """.formatted(file)).at("id");
        messages = (String) as(RED_KEY, "", "POST", "/v1/messages/batches", """
                        {"requests": [{"custom_id": "red-secret-message", "params": %s}]}
                        """.formatted(chat("red-secret-prompt")))
                .at("id");
        Eventually.until(
                "red's batches have ended",
                () -> as(RED_KEY, "", "GET", "/v1/batches/" + batch, "").body().contains("\"usage\"")
                        && as(RED_KEY, "", "GET", "/v1/messages/batches/" + messages, "")
                                .body()
                                .contains("\"ended\""));
        SECRETS.addAll(List.of(
                file, batch, messages, "red-secret-line", "red-secret-file", "red-secret-note", "red-secret-message"));
    }

    @AfterAll
    static void stop() {
        server.close();
    }

    private static String completion(String prompt, String more) {
        return "{\"model\": \"test-model\", \"prompt\": \"%s\", \"max_tokens\": 3%s}".formatted(prompt, more);
    }

    private static String chat(String prompt) {
        return """
                {"model": "test-model", "max_tokens": 3,
                 "messages": [{"role": "user", "content": "%s"}]}""".formatted(prompt);
    }

    private static String response(String input) {
        return "{\"model\": \"test-model\", \"input\": \"%s\", \"max_output_tokens\": 3}".formatted(input);
    }

    private static Answer as(String key, String id, String method, String path, String body) {
        return send(server, Optional.of("Bearer " + key), id, method, path, body);
    }

    private static Answer send(
            TestServer to, Optional<String> authorization, String id, String method, String path, String body) {
        HttpRequest.Builder request = to.request(path)
                .header("x-request-id", id)
                .method(method, body.isEmpty() ? BodyPublishers.noBody() : BodyPublishers.ofString(body));
        authorization.ifPresent(value -> request.header("authorization", value));
        return to.send(request);
    }

    /** What blue tries: paths with queries and, where it is a POST, bodies. */
    private record Attempt(String path, String body) {}

    private static List<Attempt> gets(String... paths) {
        return List.of(paths).stream().map(path -> new Attempt(path, "")).toList();
    }

    private static List<Attempt> posts(String path, String... bodies) {
        return List.of(bodies).stream().map(body -> new Attempt(path, body)).toList();
    }

    private static Map<String, List<Attempt>> attempts() {
        Map<String, List<Attempt>> attempts = new LinkedHashMap<>();
        attempts.put("/v1/completions", posts("/v1/completions", COMPLETION, STREAM, "{\"model\": \"red\"}", "{"));
        attempts.put("/v1/chat/completions", posts("/v1/chat/completions", CHAT, "{}"));
        attempts.putAll(responses());
        String message = chat(PROMPT.substring(0, 400));
        attempts.put(
                "/v1/messages",
                posts(
                        "/v1/messages",
                        message,
                        message.replaceFirst("3", "3, \"stream\": true"),
                        "{\"model\": \"red\"}",
                        "{"));
        attempts.put("/v1/messages/count_tokens", posts("/v1/messages/count_tokens", message, "{}"));
        attempts.put("/v1/estimate", posts("/v1/estimate", COMPLETION, CHAT, "{\"model\": \"red\"}", "{"));
        attempts.put("/v1/budgets", gets("/v1/budgets", "/v1/budgets?tenant=red", "/v1/budgets?key=red-app"));
        attempts.put("/v1/models", gets("/v1/models"));
        attempts.put("/v1/models/{model}", gets("/v1/models/test-model", "/v1/models/red"));
        attempts.put("/v1/books/report", gets(reports()));
        attempts.put(
                "/v1/books/requests",
                gets(
                        "/v1/books/requests",
                        "/v1/books/requests?limit=1000",
                        "/v1/books/requests?after=" + cursor,
                        "/v1/books/requests?tenant=red",
                        "/v1/books/requests?task=" + TASK,
                        "/v1/books/requests?project=red-project",
                        "/v1/books/requests?key=red-app",
                        "/v1/books/requests?label=" + LABEL + ":" + VALUE));
        attempts.put(
                "/v1/books/requests/{id}",
                gets(
                        "/v1/books/requests/" + booked,
                        "/v1/books/requests/" + ID,
                        "/v1/books/requests/red-chat",
                        "/v1/books/requests/" + booked + "?tenant=red"));
        attempts.put(
                "/v1/books/export/focus",
                gets(
                        "/v1/books/export/focus",
                        "/v1/books/export/focus?basis=list",
                        "/v1/books/export/focus?basis=metered",
                        "/v1/books/export/focus?tenant=red"));
        String texts = "{\"model\": \"test-model\", \"input\": \"hi\"}";
        attempts.put("/v1/embeddings", posts("/v1/embeddings", texts, "{\"model\": \"red\"}", "{"));
        attempts.put(
                "/v1/rerank",
                posts("/v1/rerank", "{\"model\": \"test-model\", \"query\": \"a\", \"documents\": [\"b\"]}", "{}"));
        attempts.put("/v1/classify", posts("/v1/classify", texts, "{}"));
        attempts.putAll(tasks());
        attempts.putAll(batches());
        attempts.put("/tokenize", posts("/tokenize", "{\"prompt\": \"hi\"}", "{"));
        attempts.put("/detokenize", posts("/detokenize", "{\"tokens\": [104]}", "{}"));
        for (String open : List.of("/version", "/health", "/health/live", "/health/ready", "/metrics")) {
            attempts.put(open, gets(open));
        }
        return attempts;
    }

    private static Map<String, List<Attempt>> responses() {
        String red = "/v1/responses/" + stored;
        String more = "{\"model\": \"test-model\", \"input\": \"hi\", \"previous_response_id\": \"" + stored + "\"}";
        String reference = "{\"model\": \"test-model\", \"input\": [{\"type\": \"item_reference\", \"id\": \""
                + stored.replace("resp_", "msg_") + "_in0\"}]}";
        Map<String, List<Attempt>> attempts = new LinkedHashMap<>();
        attempts.put(
                "/v1/responses",
                posts(
                        "/v1/responses",
                        response(PROMPT.substring(0, 400)),
                        more,
                        reference,
                        "{\"model\": \"red\"}",
                        "{"));
        attempts.put("/v1/responses/{id}", gets(red, red + "?include=x", "/v1/responses/resp_x"));
        attempts.put("/v1/responses/input_tokens", posts("/v1/responses/input_tokens", more, reference));
        attempts.put("/v1/responses/{id}/cancel", posts(red + "/cancel", "{}"));
        attempts.put("/v1/responses/{id}/input_items", gets(red + "/input_items"));
        return attempts;
    }

    private static Map<String, List<Attempt>> tasks() {
        String red = "/v1/tasks/" + TASK;
        Map<String, List<Attempt>> attempts = new LinkedHashMap<>();
        List<Attempt> tasks = new ArrayList<>(posts("/v1/tasks", "{\"name\": \"blue\"}", "{}", "{"));
        tasks.addAll(gets("/v1/tasks", "/v1/tasks?limit=1000", "/v1/tasks?tenant=red", "/v1/tasks?after=" + cursor));
        attempts.put("/v1/tasks", tasks);
        attempts.put("/v1/tasks/{id}", gets(red, red + "?tenant=red", "/v1/tasks/red-secret-step"));
        attempts.put(
                "/v1/tasks/{id}/steps",
                posts(
                        red + "/steps",
                        "{\"id\": \"blue-step\", \"kind\": \"tool\", \"cost\": \"1\"}",
                        "{\"id\": \"red-secret-waiting\", \"release\": true}",
                        "{\"id\": \"red-secret-step\", \"kind\": \"tool\", \"cost\": \"0.72\"}"));
        attempts.put("/v1/tasks/{id}/outcome", posts(red + "/outcome", "{\"success\": false}"));
        return attempts;
    }

    private static Map<String, List<Attempt>> batches() {
        Map<String, List<Attempt>> attempts = new LinkedHashMap<>();
        List<Attempt> files = new ArrayList<>(posts("/v1/files", "{}"));
        files.addAll(gets("/v1/files", "/v1/files?purpose=batch_output", "/v1/files?after=" + file));
        attempts.put("/v1/files", files);
        attempts.put("/v1/files/{id}", gets("/v1/files/" + file));
        attempts.put("/v1/files/{id}/content", gets("/v1/files/" + file + "/content"));
        List<Attempt> all = new ArrayList<>(
                posts("/v1/batches", "{\"input_file_id\": \"" + file + "\", \"endpoint\": \"/v1/completions\"}", "{"));
        all.addAll(gets("/v1/batches", "/v1/batches?limit=100", "/v1/batches?after=" + batch));
        attempts.put("/v1/batches", all);
        attempts.put("/v1/batches/{id}", gets("/v1/batches/" + batch));
        attempts.put("/v1/batches/{id}/cancel", posts("/v1/batches/" + batch + "/cancel", "{}"));
        String path = "/v1/messages/batches";
        List<Attempt> ofMessages = new ArrayList<>(posts(path, "{}", "{"));
        ofMessages.addAll(gets(path, path + "?after_id=" + messages, path + "?before_id=" + messages));
        attempts.put(path, ofMessages);
        attempts.put(path + "/{id}", gets(path + "/" + messages, path + "/" + batch));
        attempts.put(path + "/{id}/cancel", posts(path + "/" + messages + "/cancel", "{}"));
        attempts.put(path + "/{id}/results", gets(path + "/" + messages + "/results"));
        return attempts;
    }

    private static String[] reports() {
        List<String> paths = new ArrayList<>();
        for (String by : List.of(
                "tenant",
                "project",
                "key",
                "model",
                "hour",
                "price_book",
                "task",
                "prompt_version",
                "route",
                "context_bucket",
                "label:" + LABEL)) {
            for (String format : List.of("json", "csv")) {
                paths.add("/v1/books/report?by=" + by + "&format=" + format);
            }
        }
        paths.add("/v1/books/report?tenant=red");
        paths.add("/v1/books/report?by=key&project=red-project");
        paths.add("/v1/books/report?by=key&key=red-app");
        paths.add("/v1/books/report?by=tenant&label=" + LABEL + ":" + VALUE);
        return paths.toArray(String[]::new);
    }

    @Test
    void everyRouteIsTried() {
        assertThat(attempts().keySet())
                .as("a route that is added needs a case in this test")
                .containsExactlyInAnyOrderElementsOf(server.server().routes().stream()
                        .map(Route::path)
                        .distinct()
                        .toList());
    }

    @Test
    void nothingOfATenantReachesAnother() {
        for (Route route : server.server().routes()) {
            for (Attempt attempt : attempts().getOrDefault(route.path(), List.of())) {
                if (route.method().equals("POST") == attempt.body().isEmpty()) {
                    continue; // of another method of the same path
                }
                for (String id : List.of("blue-id", ID, booked)) {
                    assertNothingOfRed(attempt, id, as(BLUE, id, route.method(), attempt.path(), attempt.body()));
                }
                String wrong = route.method().equals("GET") ? "POST" : "GET";
                assertNothingOfRed(attempt, "", as(BLUE, "", wrong, attempt.path(), ""));
                assertNothingOfRed(attempt, "", as(BLUE, "", "HEAD", attempt.path(), ""));
            }
        }
    }

    private static void assertNothingOfRed(Attempt attempt, String id, Answer answer) {
        String told = answer.response().headers().map() + "\n" + answer.body();
        String said = id + attempt.path() + attempt.body();
        for (String secret : SECRETS) {
            if (!said.contains(secret)) {
                assertThat(told).as(attempt.path()).doesNotContain(secret);
            }
        }
        assertThat(told).as(attempt.path()).doesNotContain("boss").doesNotContainPattern(RED);
        if (!attempt.path().equals("/metrics")) {
            // Metrics are sums over all tenants.
            assertThat(told)
                    .as(attempt.path())
                    .doesNotContainPattern(RED_TOKENS)
                    .doesNotContainPattern(RED_COST)
                    .doesNotContainPattern(METERED);
        }
    }

    @Test
    void aTenantSeesItsOwnBudgetsAndAnOperatorAll() {
        assertThat(as(RED_KEY, "", "GET", "/v1/budgets", "").at("data.0.budget"))
                .isEqualTo("red-secret-budget");
        assertThat(as(BLUE, "", "GET", "/v1/budgets", "").at("data")).isEqualTo(List.of());
        assertThat(as(OPERATOR, "", "GET", "/v1/budgets", "").at("data.0.budget"))
                .isEqualTo("red-secret-budget");
    }

    @Test
    void aTaskOfAnotherTenantIsNoTaskAndStaysAsItIs() {
        String before = as(RED_KEY, "", "GET", "/v1/tasks/" + TASK, "").body();
        for (Attempt attempt : tasks().values().stream().flatMap(List::stream).toList()) {
            if (attempt.path().contains(TASK) && !attempt.path().contains("?")) {
                String method = attempt.body().isEmpty() ? "GET" : "POST";
                Answer answer = as(BLUE, "", method, attempt.path(), attempt.body());
                String other = attempt.path().replace(TASK, "never-was");

                assertThat(answer.status()).as(attempt.path()).isEqualTo(404);
                assertThat(answer.at("error.code")).isEqualTo("task_not_found");
                assertThat(answer.body().replace(TASK, "never-was"))
                        .isEqualTo(as(BLUE, "", method, other, attempt.body()).body());
            }
        }

        assertThat(stable(as(RED_KEY, "", "GET", "/v1/tasks/" + TASK, "").body()))
                .isEqualTo(stable(before));
        assertThat(before).contains("red-secret-name", "red-secret-waiting", "red-secret-version");
    }

    /** Without what moves with time. */
    private static String stable(String graph) {
        return graph.replaceAll("\"(as_of|ledger_behind_ms)\":[^,}]*", "");
    }

    @Test
    void aResponseOfAnotherTenantIsNoneAndStaysWhereItIs() {
        String path = "/v1/responses/" + stored;
        for (String method : List.of("GET", "DELETE")) {
            for (String key : List.of(BLUE, OPERATOR)) {
                Answer answer = as(key, "", method, path, "");
                assertThat(answer.status()).as(method).isEqualTo(404);
                assertThat(answer.body().replace(stored, "resp_x"))
                        .isEqualTo(
                                as(key, "", method, "/v1/responses/resp_x", "").body());
            }
        }
        for (Attempt attempt : responses().get("/v1/responses").subList(1, 3)) {
            assertThat(as(BLUE, "", "POST", attempt.path(), attempt.body()).status())
                    .isEqualTo(400);
            assertThat(as(RED_KEY, "", "POST", attempt.path(), attempt.body()).status())
                    .isEqualTo(200);
        }
        assertThat(as(RED_KEY, "", "GET", path, "").at("id")).isEqualTo(stored);
    }

    @Test
    void theSameTaskIdOfAnotherTenantIsAnotherTask() {
        String id = "shared-id";
        assertThat(as(RED_KEY, "", "POST", "/v1/tasks", "{\"id\": \"" + id + "\", \"name\": \"red\"}")
                        .status())
                .isEqualTo(201);
        assertThat(as(BLUE, "", "POST", "/v1/tasks", "{\"id\": \"" + id + "\", \"name\": \"b\"}")
                        .status())
                .isEqualTo(201);
        assertThat(as(BLUE, "", "GET", "/v1/tasks/" + id, "").at("name")).isEqualTo("b");
        assertThat(as(OPERATOR, "", "GET", "/v1/tasks/" + id, "").status()).isEqualTo(404);
        assertThat(as(OPERATOR, "", "GET", "/v1/tasks/" + id + "?tenant=red", "")
                        .at("name"))
                .isEqualTo("red");
    }

    @Test
    void anIdempotencyKeyOfOneTenantIsNotAnothers() {
        for (String key : List.of(RED_KEY, BLUE)) {
            Answer answer = server.send(server.request("/v1/completions")
                    .header("authorization", "Bearer " + key)
                    .header("idempotency-key", "shared-key")
                    .POST(BodyPublishers.ofString(completion("say:" + key, ""))));

            assertThat(answer.status()).isEqualTo(200);
            assertThat(answer.header("x-jeton-replayed")).isEmpty();
            assertThat((String) answer.at("choices.0.text")).startsWith(key.substring(0, 3));
        }
    }

    @Test
    void theOperatorIsToldWhatTheOthersAreNot() {
        Answer answer = as(OPERATOR, "", "GET", "/v1/books/requests/" + booked, "");

        assertThat(answer.body())
                .contains(booked, LABEL, VALUE, "red-app", "red-project")
                .containsPattern(RED_TOKENS)
                .containsPattern(RED_COST);
        assertThat(as(OPERATOR, "", "GET", "/v1/books/report?format=csv", "").body())
                .containsPattern(RED);
    }

    @Test
    void aPromptOfOneTenantIsNotFoundInTheCacheOfAnother() {
        String cached = "usage.prompt_tokens_details.cached_tokens";
        Map<String, String> asked = Map.of(
                "/v1/completions", completion("c".repeat(300), ""), "/v1/chat/completions", chat("d".repeat(300)));
        asked.forEach((path, body) -> {
            assertThat(as(RED_KEY, "", "POST", path, body).at(cached)).isEqualTo(0L);
            assertThat(as(BLUE, "", "POST", path, body).at(cached)).isEqualTo(0L);
            assertThat((Long) as(RED_KEY, "", "POST", path, body).at(cached)).isPositive();
        });
    }

    @Test
    void onlyTenantsThatTheConfigurationNamesAreLabelsOfMetrics() {
        Matcher tenant = Pattern.compile("tenant=\"([^\"]*)\"")
                .matcher(server.get("/metrics").body());
        Set<String> named = new TreeSet<>();
        while (tenant.find()) {
            named.add(tenant.group(1));
        }
        assertThat(named).containsExactly("blue", "other");
    }

    @Test
    void whoHasNoKeyIsToldThatAndNothingElse() {
        Answer refused = send(server, Optional.of("Bearer wrong"), "", "GET", "/v1/models", "");
        for (Optional<String> authorization :
                List.of(Optional.<String>empty(), Optional.of("Bearer wrong"), Optional.of("Basic " + RED_KEY))) {
            assertRefused(
                    server,
                    authorization,
                    authorization.isEmpty() ? "No API key" : (String) refused.at("error.message"));
        }
    }

    /** An answer that comes before a body that is taken as it arrives ends the connection. */
    private static Set<String> headers(Route route, Answer answer) {
        Set<String> headers = new TreeSet<>(answer.response().headers().map().keySet());
        if (route.method().equals("POST") && ARRIVING.contains(route.path())) {
            headers.remove("connection");
        }
        return headers;
    }

    private static void assertRefusedAsAnthropicDoes(Route route, Answer answer) {
        assertThat(answer.at("jeton")).isEqualTo(Map.of("code", "invalid_api_key"));
        assertThat(answer.at("request_id")).isEqualTo(answer.header("request-id"));
        Set<String> headers = headers(route, answer);
        headers.remove("request-id");
        assertThat(headers).containsExactlyInAnyOrderElementsOf(HEADERS);
    }

    @Test
    void aKeyThatWasRevokedIsAnyWrongKey(@TempDir Path other) {
        try (TestServer before = TwoTenants.in(other).start()) {
            assertThat(TwoTenants.complete(before, RED_KEY, "hello", ID, LABEL + "=" + VALUE)
                            .status())
                    .isEqualTo(200);
        }
        try (TestServer after = TwoTenants.in(other, "another-key").start()) {
            assertRefused(after, Optional.of("Bearer " + RED_KEY), "not one of this server's");
            Eventually.until(
                    "red's rows are red's",
                    () -> TwoTenants.get(after, "another-key", "/v1/books/requests")
                            .body()
                            .contains(VALUE));
        }
    }

    /**
     * 401 from whatever asks for a key, whatever else is wrong; who has none learns nothing, not even of its errors.
     */
    private static void assertRefused(TestServer to, Optional<String> authorization, String message) {
        String body = "";
        for (Route route : to.server().routes()) {
            if (!route.keyed()) {
                continue;
            }
            for (Attempt attempt : attempts().getOrDefault(route.path(), List.of())) {
                if (route.method().equals("POST") == attempt.body().isEmpty()) {
                    continue; // of another method of the same path
                }
                Answer answer = send(to, authorization, "", route.method(), attempt.path(), attempt.body());

                assertThat(answer.status()).as(attempt.path()).isEqualTo(401);
                assertThat(answer.at("error.message")).asString().contains(message);
                if (route.path().startsWith("/v1/messages")) {
                    assertRefusedAsAnthropicDoes(route, answer);
                    continue;
                }
                assertThat(answer.at("error.code")).isEqualTo("invalid_api_key");
                assertThat(answer.body()).isEqualTo(body.isEmpty() ? answer.body() : body);
                assertThat(headers(route, answer)).containsExactlyInAnyOrderElementsOf(HEADERS);
                body = answer.body();
            }
        }
    }

    @Test
    void onlyProbesMetricsAndTheVersionAskForNoKey() {
        assertThat(server.server().routes().stream()
                        .filter(route -> !route.keyed())
                        .map(Route::path))
                .containsExactlyInAnyOrder("/version", "/health", "/health/live", "/health/ready", "/metrics");
    }
}
