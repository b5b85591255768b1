package dev.jeton.server.api;

import static dev.jeton.server.testing.TwoTenants.RED;
import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.ByteTokenizer;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import dev.jeton.server.testing.TwoTenants;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Tasks with budgets: an input token costs 0.001, an output token 0.002. */
class TaskBudgetsTest {

    @TempDir
    private Path folder;

    private TestServer start() {
        return TwoTenants.in(folder)
                .replies(prompt -> new ByteTokenizer().encode("x".repeat(1_000), false))
                .start();
    }

    private static Answer post(TestServer server, String path, String json, String... headers) {
        HttpRequest.Builder request = server.request(path)
                .header("authorization", "Bearer " + RED)
                .POST(BodyPublishers.ofString(json.replace('\'', '"')));
        for (int i = 0; i < headers.length; i += 2) {
            request.header(headers[i], headers[i + 1]);
        }
        return server.send(request);
    }

    private static Answer open(TestServer server, String budgets) {
        return post(server, "/v1/tasks", "{'id': 't', 'budgets': {" + budgets + "}}");
    }

    private static Answer complete(TestServer server, int most) {
        return post(
                server,
                "/v1/completions",
                "{'model': 'test-model', 'prompt': 'hi', 'max_tokens': " + most + "}",
                "x-jeton-task",
                "t");
    }

    private static Answer step(TestServer server, String json) {
        return post(server, "/v1/tasks/t/steps", json);
    }

    @Test
    void allRequestsOfATaskTogetherKeepToItsTokens() {
        try (TestServer server = start()) {
            assertThat(open(server, "'output-tokens': 50").status()).isEqualTo(201);
            assertThat(complete(server, 30).at("usage.completion_tokens")).isEqualTo(30L);
            Answer second = complete(server, 30);
            assertThat(second.at("usage.completion_tokens")).isEqualTo(20L);
            assertThat(second.at("jeton.finish_detail")).isEqualTo("budget_exhausted");
            assertThat(second.at("jeton.budget")).isEqualTo("task/t/output-tokens");
            Answer third = complete(server, 30);
            assertThat(third.status()).isEqualTo(429);
            assertThat(third.header("x-jeton-budget")).isEqualTo("task/t/output-tokens");
        }
    }

    @Test
    void aStepThatIsReservedFirstIsRefusedWhereTheTaskCannotPayForIt() {
        try (TestServer server = start()) {
            open(server, "'list-money': '0.05'");
            assertThat(step(server, "{'id': 'a', 'kind': 'tool', 'cost': '0.04', 'reserve': true}")
                            .status())
                    .isEqualTo(201);
            Answer refused = step(server, "{'id': 'b', 'kind': 'tool', 'cost': '0.02', 'reserve': true}");
            assertThat(refused.status()).isEqualTo(429);
            assertThat(refused.at("error.code")).isEqualTo("budget_spent");
            // given back, the other one fits
            assertThat(step(server, "{'id': 'a', 'release': true}").status()).isEqualTo(201);
            assertThat(step(server, "{'id': 'b', 'kind': 'tool', 'cost': '0.02', 'reserve': true}")
                            .status())
                    .isEqualTo(201);
        }
    }

    @Test
    void aStepThatWasDoneIsChargedThoughNothingIsLeftAndThenNothingElseIsPaidFor() {
        try (TestServer server = start()) {
            open(server, "'list-money': '0.05'");
            assertThat(step(server, "{'id': 'a', 'kind': 'retrieval', 'cost': '0.08'}")
                            .status())
                    .isEqualTo(201);
            Answer refused = complete(server, 1);
            assertThat(refused.status()).isEqualTo(429);
            assertThat(refused.header("x-jeton-budget-reason")).isEqualTo("spent");
        }
    }

    @Test
    void toolCallsAreCountedAndTokensOfRequestsAreNotAmongThem() {
        try (TestServer server = start()) {
            open(server, "'tool-calls': 1");
            assertThat(step(server, "{'id': 'a', 'kind': 'tool', 'reserve': true}")
                            .status())
                    .isEqualTo(201);
            assertThat(step(server, "{'id': 'b', 'kind': 'tool', 'reserve': true}")
                            .status())
                    .isEqualTo(429);
            assertThat(step(server, "{'id': 'c', 'kind': 'retrieval', 'reserve': true}")
                            .status())
                    .isEqualTo(201);
            assertThat(complete(server, 5).status()).isEqualTo(200);
        }
    }

    @Test
    void whatATaskHasSpentIsSpentAfterARestart() {
        try (TestServer server = start()) {
            open(server, "'output-tokens': 50, 'list-money': '1'");
            complete(server, 30);
            step(server, "{'id': 'a', 'kind': 'tool', 'cost': '0.5', 'reserve': true}");
        }
        try (TestServer server = start()) {
            Answer second = complete(server, 30);
            assertThat(second.at("usage.completion_tokens")).isEqualTo(20L);
            // 0.063 and 0.043 of tokens and 0.5 of the step leave 0.394
            assertThat(step(server, "{'id': 'b', 'kind': 'other', 'cost': '0.395', 'reserve': true}")
                            .status())
                    .isEqualTo(429);
            assertThat(step(server, "{'id': 'b', 'kind': 'other', 'cost': '0.394', 'reserve': true}")
                            .status())
                    .isEqualTo(201);
        }
    }
}
