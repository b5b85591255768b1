package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.config.Tenant;
import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Budgets as callers meet them. A token is a byte; input tokens cost 0.001, output tokens 0.002. */
class BudgetsOverHttpTest {

    private static final String KEY = "red-key";

    private static final String PRICES = """
            currency: EUR
            tariffs:
              - {model: "*", input: 1000, cached-input: 100, output: 2000}
            """;

    private static final String TENANTS = """
            metrics: {tenants: [red]}
            tenants:
              - {id: red, projects: [web], keys: [{id: app, sha256: "%s", project: web}]}
              - {id: blue, keys: [{id: app, sha256: "%s"}]}
            """.formatted(Tenant.Key.digest(KEY), Tenant.Key.digest("blue-key"));

    @TempDir
    private Path folder;

    private TestServer.Builder with(String... budgets) {
        try {
            Path prices = Files.writeString(folder.resolve("prices.yaml"), PRICES);
            StringBuilder yaml = new StringBuilder(TENANTS).append("budgets:\n");
            for (String budget : budgets) {
                yaml.append("  - ").append(budget).append('\n');
            }
            return TestServer.builder()
                    .set("books.folder", folder.resolve("books").toString())
                    .set("books.prices", prices.toString())
                    .yaml(yaml.toString())
                    .replies(prompt -> new ByteTokenizer().encode("x".repeat(1_000), false));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void shouldEndAToolCallThatABudgetCutsWithWhatItHad() {
        String call = "<tool_call>{\"name\": \"f\", \"arguments\": {\"a\": \"" + "x".repeat(100) + "\"}}</tool_call>";
        String body = """
                {"model": "test-model", "stream": true, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 200,
                 "tools": [{"type": "function", "function": {"name": "f"}}]}""";
        try (TestServer server = with(tokens(60))
                .toolCallParser("hermes")
                .replies(prompt -> new ByteTokenizer().encode(call, false))
                .start()) {
            Answer answer = server.send(server.request("/v1/chat/completions")
                    .header("authorization", "Bearer " + KEY)
                    .POST(BodyPublishers.ofString(body)));
            String arguments = answer.streamed("choices.0.delta.tool_calls.0.function.arguments", 0);
            assertThat(arguments).isEqualTo(call.substring(call.indexOf("{\"a"), 60));
            Object last = answer.events().getLast();
            assertThat(Answer.at(last, "choices.0.finish_reason")).isEqualTo("length");
            assertThat(Answer.at(last, "jeton.finish_detail")).isEqualTo("budget_exhausted");
            assertThat(Answer.at(last, "jeton.usage.completion_tokens")).isEqualTo(60L);
        }
    }

    private static String tokens(int limit) {
        return "{id: tokens, level: tenant, tenant: red, unit: output-tokens, window: day, timezone: UTC, limit: %d}"
                .formatted(limit);
    }

    private static Answer ask(TestServer server, String key, int maxTokens, String more, String... headers) {
        HttpRequest.Builder request = server.request("/v1/completions")
                .header("authorization", "Bearer " + key)
                .POST(BodyPublishers.ofString("""
                        {"model": "test-model", "prompt": "hi", "max_tokens": %d%s}""".formatted(maxTokens, more)));
        for (int i = 0; i < headers.length; i += 2) {
            request.header(headers[i], headers[i + 1]);
        }
        return server.send(request);
    }

    @ParameterizedTest(name = "with up to {0} drafts")
    @ValueSource(ints = {0, 7})
    void aStreamEndsWhereItsBudgetIsSpentAndSaysSo(int drafts) {
        try (TestServer server = with(tokens(100)).drafts(drafts).start()) {
            Answer answer = ask(server, KEY, 500, ", \"stream\": true");
            assertThat(answer.status()).isEqualTo(200);
            assertThat(answer.streamed("choices.0.text", 0)).hasSize(100);
            Object last = answer.events().getLast();
            assertThat(Answer.at(last, "choices.0.finish_reason")).isEqualTo("length");
            assertThat(Answer.at(last, "jeton.finish_detail")).isEqualTo("budget_exhausted");
            assertThat(Answer.at(last, "jeton.budget")).isEqualTo("tokens");
            assertThat(Answer.at(last, "jeton.usage.completion_tokens")).isEqualTo(100L);
            assertThat(answer.body()).endsWith("data: [DONE]\n\n");
        }
    }

    @Test
    void aStreamedResponseEndsIncompletelyWhereItsBudgetIsSpent() {
        String body = "{\"model\": \"test-model\", \"input\": \"hi\", \"max_output_tokens\": 500, \"stream\": true}";
        try (TestServer server = with(tokens(100)).start()) {
            Answer answer = server.send(server.request("/v1/responses")
                    .header("authorization", "Bearer " + KEY)
                    .POST(BodyPublishers.ofString(body)));
            Object last = answer.events().getLast();
            assertThat(Answer.at(last, "type")).isEqualTo("response.incomplete");
            assertThat(Answer.at(last, "response.incomplete_details.reason")).isEqualTo("max_output_tokens");
            assertThat(Answer.at(last, "response.jeton.finish_detail")).isEqualTo("budget_exhausted");
            assertThat(Answer.at(last, "response.jeton.budget")).isEqualTo("tokens");
            assertThat(Answer.at(last, "response.output.0.content.0.text"))
                    .asString()
                    .hasSize(100);
            assertThat(Answer.at(last, "response.usage.output_tokens")).isEqualTo(100L);
            assertThat(Answer.at(last, "response.usage.jeton.cost.list")).isNotNull();
            assertThat(Answer.at(last, "response.usage.jeton.budgets.0.remaining"))
                    .isEqualTo("0");
        }
    }

    @Test
    void aStreamedMessageEndsAtItsLimitWhereItsBudgetIsSpent() {
        String body = "{\"model\": \"test-model\", \"messages\": [{\"role\": \"user\", \"content\": \"hi\"}],"
                + " \"max_tokens\": 500, \"stream\": true}";
        try (TestServer server = with(tokens(100)).start()) {
            Answer answer = server.send(
                    server.request("/v1/messages").header("x-api-key", KEY).POST(BodyPublishers.ofString(body)));
            Object delta = answer.events().get(answer.events().size() - 2);
            assertThat(Answer.at(delta, "delta.stop_reason")).isEqualTo("max_tokens");
            assertThat(Answer.at(delta, "jeton.finish_detail")).isEqualTo("budget_exhausted");
            assertThat(Answer.at(delta, "jeton.budget")).isEqualTo("tokens");
            assertThat(Answer.at(delta, "usage.output_tokens")).isEqualTo(100L);
            assertThat(Answer.at(delta, "usage.jeton.cost.list")).isNotNull();
            assertThat(Answer.at(delta, "usage.jeton.budgets.0.remaining")).isEqualTo("0");
            Answer refused = server.send(
                    server.request("/v1/messages").header("x-api-key", KEY).POST(BodyPublishers.ofString(body)));
            assertThat(refused.status()).isEqualTo(429);
            assertThat(refused.at("error.type")).isEqualTo("rate_limit_error");
            assertThat(refused.at("jeton.code")).isEqualTo("budget_spent");
            assertThat(refused.header("x-should-retry")).isEqualTo("false");
        }
    }

    @Test
    void theUsageChunkSaysWhatIsLeft() {
        try (TestServer server = with(tokens(100)).start()) {
            Answer answer = ask(server, KEY, 30, ", \"stream\": true, \"stream_options\": {\"include_usage\": true}");
            Object usage = answer.events().getLast();
            assertThat(Answer.at(usage, "usage.jeton.budgets.0.budget")).isEqualTo("tokens");
            assertThat(Answer.at(usage, "usage.jeton.budgets.0.remaining")).isEqualTo("70");
            assertThat(Answer.at(usage, "usage.jeton.budgets.0.reserved")).isEqualTo("0");
            assertThat(Answer.at(usage, "usage.jeton.finish_detail")).isNull();
        }
    }

    @Test
    void aWholeAnswerSaysWhyItIsShortAndWhatIsLeft() {
        try (TestServer server = with(tokens(100)).start()) {
            Answer first = ask(server, KEY, 40, "");
            assertThat(first.header("x-jeton-budget-remaining")).isEqualTo("tokens=60");
            assertThat(first.at("jeton")).isNull();
            Answer second = ask(server, KEY, 500, "");
            assertThat(second.at("choices.0.finish_reason")).isEqualTo("length");
            assertThat(second.at("jeton.finish_detail")).isEqualTo("budget_exhausted");
            assertThat(second.at("usage.completion_tokens")).isEqualTo(60L);
            assertThat(second.at("usage.jeton.finish_detail")).isEqualTo("budget_exhausted");
            assertThat(second.header("x-jeton-budget-remaining")).isEqualTo("tokens=0");
        }
    }

    @Test
    void aRefusalNamesTheBudgetWhyAndWhenAndTellsClientsNotToRetry() {
        try (TestServer server = with(tokens(10)).start()) {
            ask(server, KEY, 10, "");
            Answer refused = ask(server, KEY, 10, "");
            assertThat(refused.status()).isEqualTo(429);
            assertThat(refused.at("error.code")).isEqualTo("budget_spent");
            assertThat(refused.at("error.type")).isEqualTo("insufficient_quota");
            assertThat((String) refused.at("error.message")).contains("'tokens'", "red", "begins anew at");
            assertThat(refused.header("x-should-retry")).isEqualTo("false");
            assertThat(refused.header("x-jeton-budget")).isEqualTo("tokens");
            assertThat(refused.header("x-jeton-budget-reason")).isEqualTo("spent");
            assertThat(Long.parseLong(refused.header("retry-after"))).isBetween(1L, 86_400L);
            // another tenant's is none of it
            Answer blue = ask(server, "blue-key", 10, "");
            assertThat(blue.status()).isEqualTo(200);
            assertThat(blue.header("x-jeton-budget-remaining")).isEmpty();
        }
    }

    @Test
    void aBudgetWithoutAnEndDoesNotSayWhenToComeBack() {
        try (TestServer server =
                with("{id: all, level: key, tenant: red, key: app, unit: requests, window: total, limit: 1}")
                        .start()) {
            ask(server, KEY, 1, "");
            Answer refused = ask(server, KEY, 1, "");
            assertThat(refused.status()).isEqualTo(429);
            assertThat(refused.header("retry-after")).isEmpty();
            assertThat(refused.header("x-should-retry")).isEqualTo("false");
        }
    }

    @Test
    void listMoneyHoldsToTheLastTokenAndCountsThePrompt() {
        // three tokens of prompt are 0.003, each token of the answer another 0.002
        try (TestServer server =
                with("{id: money, level: tenant, tenant: red, unit: list-money, window: month, limit: 0.044,"
                                + " timezone: Europe/Berlin, currency: EUR}")
                        .start()) {
            Answer answer = ask(server, KEY, 500, "");
            assertThat(answer.at("usage.prompt_tokens")).isEqualTo(3L);
            assertThat(answer.at("usage.completion_tokens")).isEqualTo(20L);
            assertThat(answer.at("usage.jeton.cost.list")).isEqualTo("0.043");
            assertThat(answer.header("x-jeton-budget-remaining")).isEqualTo("money=0.001 EUR");
        }
    }

    private static List<Answer> race(TestServer server, int clients, int maxTokens) throws Exception {
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Callable<Answer>> all = new ArrayList<>();
            for (int i = 0; i < clients; i++) {
                boolean stream = i % 2 == 0;
                all.add(() -> ask(server, KEY, maxTokens, stream ? ", \"stream\": true" : ""));
            }
            List<Answer> answers = new ArrayList<>();
            for (Future<Answer> answer : threads.invokeAll(all)) {
                answers.add(answer.get());
            }
            return answers;
        }
    }

    private static long delivered(List<Answer> answers) {
        long sum = 0;
        for (Answer answer : answers) {
            if (answer.status() == 200) {
                sum += answer.header("content-type").startsWith("text/event-stream")
                        ? answer.streamed("choices.0.text", 0).length()
                        : ((String) answer.at("choices.0.text")).length();
            }
        }
        return sum;
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 63, 64, 500, 1_999, 5_000})
    void sixtyFourClientsTogetherGetWhatTheBudgetHasAndNotATokenMore(int limit) throws Exception {
        try (TestServer server = with(tokens(limit)).start()) {
            List<Answer> answers = race(server, 64, 100);
            assertThat(answers).allSatisfy(answer -> assertThat(answer.status()).isIn(200, 429));
            assertThat(delivered(answers)).isEqualTo(limit);
            Answer after = ask(server, KEY, 1, "");
            assertThat(after.header("x-jeton-budget-reason")).isEqualTo("spent");
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 17, 70})
    void whatABudgetPaysForOneAfterAnotherItPaysForAtOnce(int each) throws Exception {
        try (TestServer server = with(tokens(64 * each)).start()) {
            List<Answer> answers = race(server, 64, each);
            assertThat(answers).allSatisfy(answer -> assertThat(answer.status()).isEqualTo(200));
            assertThat(delivered(answers)).isEqualTo(64L * each);
        }
    }

    @Test
    void whatWasSpentIsSpentAfterARestart() {
        try (TestServer server = with(tokens(100)).start()) {
            ask(server, KEY, 60, "");
        }
        try (TestServer server = with(tokens(100)).start()) {
            assertThat(ask(server, KEY, 1, "").header("x-jeton-budget-remaining"))
                    .isEqualTo("tokens=39");
        }
    }

    @Test
    void anotherModelIsTriedBeforeARequestIsRefused() {
        String cheaper = "{id: money, level: tenant, tenant: red, unit: output-tokens, window: day, timezone: UTC,"
                + " limit: 10, ladder: [{cheaper: {model: gone}}]}";
        try (TestServer server =
                with(cheaper.replace("gone", "small")).alias("small").start()) {
            ask(server, KEY, 10, "");
            // the budget counts tokens of every model, so the other one is refused, too, and the refusal is honest
            Answer refused = ask(server, KEY, 10, "");
            assertThat(refused.status()).isEqualTo(429);
            assertThat(refused.header("x-jeton-budget")).isEqualTo("money");
            assertThat(refused.header("x-jeton-fallback-from")).isEqualTo("test-model");
        }
    }

    @Test
    void aCheaperModelAnswersWhereTheBudgetStillPaysForIt() throws IOException {
        TestServer.Builder builder = with("{id: money, level: tenant, tenant: red, unit: list-money, window: day,"
                        + " timezone: UTC, currency: EUR, limit: 0.050,"
                        + " ladder: [{shorter: {at-least: 20}}, {cheaper: {model: small}}]}")
                .alias("small");
        Files.writeString(folder.resolve("prices.yaml"), PRICES + "  - {model: small, input: 10, output: 20}\n");
        try (TestServer server = builder.start()) {
            Answer first = ask(server, KEY, 15, "");
            assertThat(first.at("model")).isEqualTo("test-model");
            // 0.017 is left: the dear model has seven tokens for that, fewer than are worth it
            Answer second = ask(server, KEY, 40, "");
            assertThat(second.status()).isEqualTo(200);
            assertThat(second.at("model")).isEqualTo("small");
            assertThat(second.header("x-jeton-fallback-from")).isEqualTo("test-model");
            assertThat(second.at("usage.completion_tokens")).isEqualTo(40L);
        }
    }

    @Test
    void aShorterAnswerIsGivenWhereThatIsWorthIt() {
        try (TestServer server = with("{id: tokens, level: tenant, tenant: red, unit: output-tokens, window: day,"
                        + " timezone: UTC, limit: 50, ladder: [{shorter: {at-least: 20}}]}")
                .start()) {
            Answer first = ask(server, KEY, 200, "");
            assertThat(first.at("usage.completion_tokens")).isEqualTo(50L);
            assertThat(first.at("jeton.finish_detail")).isEqualTo("budget_shortened");
            assertThat(ask(server, KEY, 200, "").status()).isEqualTo(429);
        }
    }

    @Test
    void aRequestMayLimitItself() {
        try (TestServer server = with(tokens(1_000)).start()) {
            Answer answer = ask(server, KEY, 500, "", "x-jeton-budget", "output-tokens=25, wall-seconds=60");
            assertThat(answer.at("usage.completion_tokens")).isEqualTo(25L);
            assertThat(answer.at("jeton.budget")).isEqualTo("request/output-tokens");
            Answer money = ask(server, KEY, 500, "", "x-jeton-budget", "list-money=0.0131");
            assertThat(money.at("usage.completion_tokens")).isEqualTo(5L);
        }
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "output-tokens=-1 | not negative",
                "output-tokens=1.5 | whole number",
                "tokens=5 | output-tokens",
                "output-tokens=5, output-tokens=6 | twice",
                "list-money=1e30 | is expected",
                "output-tokens | whole number",
            })
    void aLimitThatMakesNoSenseIsA400(String header, String says) {
        try (TestServer server = with(tokens(1_000)).start()) {
            Answer answer = ask(server, KEY, 5, "", "x-jeton-budget", header);
            assertThat(answer.status()).isEqualTo(400);
            assertThat((String) answer.at("error.message")).contains("X-Jeton-Budget", says);
        }
    }

    @Test
    void ofSeveralContinuationsAllTogetherKeepToTheBudget() {
        try (TestServer server = with(tokens(100)).start()) {
            Answer answer = ask(server, KEY, 80, ", \"n\": 4");
            assertThat(answer.at("usage.completion_tokens")).isEqualTo(100L);
            assertThat(answer.at("jeton.budget")).isEqualTo("tokens");
        }
    }

    // ---- what is known only afterwards ----

    @Test
    void deviceTimeEndsAStreamWithinTheStepsInFlight() {
        try (TestServer server =
                with(tokens(100_000)).replies(prompt -> letters(3_000)).start()) {
            Answer answer = ask(server, KEY, 3_000, "", "x-jeton-budget", "device-seconds=0.000001");
            // one step passes the limit, be it the prompt's, and one more may be in flight then
            assertThat((Long) answer.at("usage.completion_tokens")).isBetween(0L, 3L);
            assertThat(answer.at("jeton.budget")).isEqualTo("request/device-seconds");
        }
    }

    @Test
    void wallTimeEndsAStreamThatGoesOn() {
        int letters = 200_000;
        try (TestServer server = with(tokens(1_000_000))
                .replies(prompt -> letters(letters))
                .contextLength(letters + 100)
                .blocks(letters / 16 + 100)
                .start()) {
            Answer answer = ask(server, KEY, letters, ", \"stream\": true", "x-jeton-budget", "wall-seconds=0.05");
            Object last = answer.events().getLast();
            assertThat(Answer.at(last, "jeton.budget")).isEqualTo("request/wall-seconds");
            assertThat((Long) Answer.at(last, "jeton.usage.completion_tokens")).isLessThan(letters);
        }
    }

    private static int[] letters(int count) {
        return new ByteTokenizer().encode("x".repeat(count), false);
    }

    // ---- before it runs ----

    private static Answer estimate(TestServer server, String key, String body) {
        return server.send(server.request("/v1/estimate")
                .header("authorization", "Bearer " + key)
                .POST(BodyPublishers.ofString(body)));
    }

    @Test
    void anEstimateSaysWhatARequestWouldCostAndWhatItsBudgetsWouldSay() {
        try (TestServer server = with(tokens(100)).start()) {
            String body = "{\"model\": \"test-model\", \"prompt\": \"hi\", \"max_tokens\": %d}";
            Answer fits = estimate(server, KEY, body.formatted(50));
            assertThat(fits.at("tokens.prompt")).isEqualTo(3L);
            assertThat(fits.at("tokens.max_completion")).isEqualTo(50L);
            assertThat(fits.at("tokens.expected_from")).isEqualTo("max_tokens");
            assertThat(fits.at("cost.worst.list")).isEqualTo("0.103");
            assertThat(fits.at("cost.worst.device_ms")).isNull();
            assertThat(fits.at("budgets.0.verdict")).isEqualTo("ok");
            assertThat(fits.at("admitted")).isEqualTo(true);
            Answer early = estimate(server, KEY, body.formatted(500));
            assertThat(early.at("budgets.0.verdict")).isEqualTo("ends_early");
            ask(server, KEY, 100, "");
            Answer spent = estimate(server, KEY, body.formatted(50));
            assertThat(spent.at("budgets.0.verdict")).isEqualTo("spent");
            assertThat(spent.at("admitted")).isEqualTo(false);
            // and none of that was charged or booked
            assertThat(spent.at("budgets.0.used")).isEqualTo("100");
        }
    }

    @Test
    void anEstimateExpectsAnswersAsLongAsTheyWereOfLate() {
        try (TestServer server =
                with(tokens(100_000)).replies(prompt -> new int[] {65, 66, 67}).start()) {
            for (int i = 0; i < 10; i++) {
                ask(server, KEY, 50, "");
            }
            String body = "{\"model\": \"test-model\", \"prompt\": \"hi\", \"max_tokens\": 50, \"n\": 2}";
            // an answer is counted once it is sent
            Eventually.until(
                    "the last is counted",
                    () -> "answers of late".equals(estimate(server, KEY, body).at("tokens.expected_from")));
            Answer answer = estimate(server, KEY, body);
            assertThat((Long) answer.at("tokens.expected_completion")).isLessThanOrEqualTo(8L);
            assertThat(answer.at("tokens.max_completion")).isEqualTo(100L);
            assertThat(answer.at("budgets.0.verdict")).isEqualTo("ok");
        }
    }

    @Test
    void anEstimateKnowsWhatIsInTheTenantsOwnCacheOnly() {
        String body = "{\"model\": \"test-model\", \"prompt\": \"%s\", \"max_tokens\": 1}".formatted("p".repeat(200));
        try (TestServer server = with(tokens(100_000)).start()) {
            assertThat(estimate(server, KEY, body).at("tokens.cached")).isEqualTo(0L);
            server.send(server.request("/v1/completions")
                    .header("authorization", "Bearer " + KEY)
                    .POST(BodyPublishers.ofString(body)));
            assertThat((Long) estimate(server, KEY, body).at("tokens.cached")).isEqualTo(192L);
            assertThat(estimate(server, "blue-key", body).at("tokens.cached")).isEqualTo(0L);
        }
    }

    @Test
    void anEstimateOfAChatTakesTheSameBody() {
        try (TestServer server = with(tokens(100)).start()) {
            Answer answer = estimate(server, KEY, """
                    {"model": "test-model", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}""");
            assertThat(answer.status()).isEqualTo(200);
            assertThat((Long) answer.at("tokens.prompt")).isPositive();
            assertThat(estimate(server, KEY, "{\"model\": \"test-model\"}").status())
                    .isEqualTo(400);
        }
    }

    @Test
    void aKeySeesTheBudgetsAboveItAndNoOthers() {
        try (TestServer server = with(
                        tokens(100),
                        "{id: blues, level: tenant, tenant: blue, unit: requests, window: total, limit: 5}",
                        "{id: device, level: tenant, tenant: red, unit: device-seconds, window: total, limit: 5}")
                .start()) {
            ask(server, KEY, 10, "");
            Answer red = server.send(server.request("/v1/budgets")
                    .header("authorization", "Bearer " + KEY)
                    .GET());
            assertThat(red.at("data.0.budget")).isEqualTo("tokens");
            assertThat(red.at("data.0.used")).isEqualTo("10");
            assertThat(red.at("data.0.remaining")).isEqualTo("90");
            assertThat(red.at("data.1")).isNull();
        }
    }

    @Test
    void metricsSayHowFarBudgetsAre() {
        try (TestServer server = with(tokens(100)).start()) {
            ask(server, KEY, 500, "");
            ask(server, KEY, 1, "");
            String metrics = server.get("/metrics").body();
            String labels = "budget=\"tokens\",level=\"tenant\",unit=\"output-tokens\",window=\"day\"";
            assertThat(metrics).contains("jeton_budget_used_ratio{" + labels + "} 1.0");
            assertThat(metrics).contains("jeton_budget_reserved_ratio{" + labels + "} 0.0");
            assertThat(metrics).contains("jeton_budget_stops_total{budget=\"tokens\"} 1.0");
            assertThat(metrics).contains("jeton_budget_refusals_total{budget=\"tokens\",reason=\"spent\"} 1.0");
        }
    }
}
