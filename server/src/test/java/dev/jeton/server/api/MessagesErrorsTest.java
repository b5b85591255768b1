package dev.jeton.server.api;

import static org.assertj.core.api.Assertions.assertThat;

import dev.jeton.server.testing.Eventually;
import dev.jeton.server.testing.RawClient;
import dev.jeton.server.testing.TestServer;
import dev.jeton.server.testing.TestServer.Answer;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Errors and keys of {@code /v1/messages}, whoever finds the fault. */
class MessagesErrorsTest {

    private static final String BODY =
            "{\"model\":\"test-model\",\"max_tokens\":5,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}";

    private static Answer post(TestServer server, String path, String... headers) {
        HttpRequest.Builder request = server.request(path).POST(BodyPublishers.ofString(BODY));
        return server.send(headers.length == 0 ? request : request.headers(headers));
    }

    private static void assertError(Answer answer, int status, String type) {
        assertThat(answer.status()).as(answer.body()).isEqualTo(status);
        assertThat(answer.at("type")).isEqualTo("error");
        assertThat(answer.at("error.type")).isEqualTo(type);
        assertThat(answer.at("error.message")).asString().isNotBlank();
        assertThat(answer.at("request_id")).isEqualTo(answer.header("request-id"));
        assertThat(answer.header("request-id")).isEqualTo(answer.header("x-request-id"));
    }

    @Test
    void shouldTakeAKeyInEitherHeader() {
        try (TestServer server =
                TestServer.builder().set("server.api-keys", "k1,k2").start()) {
            for (String path : List.of("/v1/messages", "/v1/messages/count_tokens")) {
                assertThat(post(server, path, "x-api-key", "k1").status()).isEqualTo(200);
                assertThat(post(server, path, "authorization", "Bearer k2").status())
                        .isEqualTo(200);
                assertThat(post(server, path, "x-api-key", "k1", "authorization", "Bearer k1")
                                .status())
                        .isEqualTo(200);
                assertThat(post(server, path, "x-api-key", "", "authorization", "Bearer k1")
                                .status())
                        .isEqualTo(200);
                assertError(post(server, path), 401, "authentication_error");
                assertError(post(server, path, "x-api-key", "k3"), 401, "authentication_error");
                assertError(post(server, path, "authorization", "Bearer k3"), 401, "authentication_error");
                Answer two = post(server, path, "x-api-key", "k1", "authorization", "Bearer k2");
                assertError(two, 401, "authentication_error");
                assertThat(two.at("jeton.code")).isEqualTo("two_api_keys");
            }
        }
    }

    @Test
    void shouldTakeAnthropicsHeaderOnItsOwnPathsOnly() {
        try (TestServer server =
                TestServer.builder().set("server.api-keys", "k1").start()) {
            Answer answer = server.send(server.request("/v1/models").header("x-api-key", "k1"));
            assertThat(answer.status()).isEqualTo(401);
            assertThat(answer.at("error.code")).isEqualTo("invalid_api_key");
        }
    }

    @Test
    void shouldAnswerWithAnthropicsErrors() {
        try (TestServer server =
                TestServer.builder().set("http.max-body", "2KiB").start()) {
            Answer model = server.send(server.request("/v1/messages")
                    .POST(BodyPublishers.ofString(BODY.replace("test-model", "no-model"))));
            assertError(model, 404, "not_found_error");
            assertThat(model.at("jeton")).isEqualTo(Map.of("code", "model_not_found", "param", "model"));
            assertError(post(server, "/v1/messages/batches"), 404, "not_found_error");
            assertError(server.get("/v1/messages"), 405, "invalid_request_error");
            assertError(post(server, "/v1/messages", "content-encoding", "gzip"), 415, "invalid_request_error");
            assertError(post(server, "/v1/messages", "idempotency-key", "a b"), 400, "invalid_request_error");
            Answer large = server.send(
                    server.request("/v1/messages?beta=true").POST(BodyPublishers.ofString(BODY + " ".repeat(3_000))));
            assertThat(large.status()).isEqualTo(413);
            assertThat(large.at("type")).isEqualTo("error");
            assertThat(large.at("error.type")).isEqualTo("request_too_large");
            Answer other = server.send(
                    server.request("/v1/chat/completions").POST(BodyPublishers.ofString(BODY + " ".repeat(3_000))));
            assertThat(other.at("error.code")).isEqualTo("request_too_large");
        }
    }

    @Test
    void shouldTellThatItHasNoRoom() throws Exception {
        try (TestServer server =
                        TestServer.builder().set("server.max-requests", "1").start();
                RawClient running = new RawClient(server.port())) {
            server.engine().hold();
            running.post("/v1/messages", BODY);
            server.engine().allow(1);
            Eventually.until("it runs", () -> server.engine().stepsRun() == 1);
            Answer refused = post(server, "/v1/messages");
            assertError(refused, 429, "rate_limit_error");
            assertThat(refused.header("retry-after")).isEqualTo("1");
            server.engine().release();
            assertThat(running.response()).startsWith("HTTP/1.1 200");
        }
    }

    @Test
    void shouldTellThatTheEngineIsDown() throws Exception {
        try (TestServer server = TestServer.builder()
                .replies(prompt -> {
                    throw new IllegalStateException("as the test wants it");
                })
                .start()) {
            assertThat(post(server, "/v1/messages").status()).isGreaterThanOrEqualTo(500);
            Eventually.until(
                    "the engine is down", () -> server.get("/health/ready").status() == 503);
            assertError(post(server, "/v1/messages"), 503, "overloaded_error");
        }
    }
}
